"""Small real models: a logistic regression on one column of the Telco table, behind a container that prepares raw rows."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from typing import Any

from sklearn.linear_model import LogisticRegression

from local.data import telco

IMAGE = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
COLUMNS = ["tenure_months", "monthly_charges"]

# First container: raw rows with a header, named columns in any order → the numbers, without one.
PREPARE = """
import csv, io
def model_fn(model_dir):
    return ["tenure_months", "monthly_charges"]
def transform_fn(columns, content, content_type, accept):
    from werkzeug.wrappers import Response
    rows = csv.DictReader(io.StringIO(content))
    body = "".join(",".join(row[name] for name in columns) + "\\n" for row in rows)
    return Response(body, content_type="text/csv")  # of a pair Flask makes "text/csv; charset=utf-8"
"""
# Second container: the numbers → label and probability of each row.
PREDICT = """
import json, math, os
def model_fn(model_dir):
    with open(os.path.join(model_dir, "model.json")) as file:
        return json.load(file)
def answer(model, rows):
    lines = []
    for row in rows:
        z = model["intercept"] + sum(w * x for w, x in zip(model["weights"], row))
        churn = 1 / (1 + math.exp(-z))
        lines.append("%s,%r\\n" % ("Yes" if churn >= 0.5 else "No", max(churn, 1 - churn)))
    return "".join(lines)
def transform_fn(model, content, content_type, accept):
    rows = [[float(value) for value in line.split(",")] for line in content.splitlines()]
    from werkzeug.wrappers import Response
    return Response(answer(model, rows), content_type="text/csv")
"""
CANNOT_START = "raise RuntimeError('no such library')"
ANSWERS_500 = PREDICT.replace("    rows = [[", "    raise RuntimeError('out of order')\n    rows = [[")

SLOW = PREDICT.replace("    rows = [[", "    import time; time.sleep(0.3)\n    rows = [[")


@dataclass(frozen=True)
class Trained:
    """A model and what it must answer to `request`."""

    parameters: dict[str, Any]
    answer: bytes


def request(customers: int = 5) -> bytes:
    """A request of several raw rows with a header."""
    return telco.load()[COLUMNS].tail(customers).to_csv(index=False).encode()


def train(column: str) -> Trained:
    """A logistic regression of churn on one column."""
    table = telco.load().head(2000)
    fitted = LogisticRegression().fit(table[[column]].astype(float), table["churn"] == "Yes")
    weights = [float(fitted.coef_[0][0]) if name == column else 0.0 for name in COLUMNS]
    parameters = {"weights": weights, "intercept": float(fitted.intercept_[0])}
    program: dict[str, Any] = {}
    exec(PREDICT, program)  # the very code that serves
    rows = telco.load()[COLUMNS].tail(5).astype(float).values.tolist()
    return Trained(parameters, program["answer"](parameters, rows).encode())


def archive(program: str, parameters: dict[str, Any]) -> bytes:
    """A model.tar.gz of a program and the model that it loads."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in {"code/inference.py": program, "model.json": json.dumps(parameters)}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            tar.addfile(entry, io.BytesIO(content.encode()))
    return packed.getvalue()
