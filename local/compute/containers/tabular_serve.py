"""The program in a candidate's archive: answers CSV with labels, as Autopilot's ensembling container does.

Input: CSV without a header, the training features in their order. Output: CSV, one line for each row, with the
columns that SAGEMAKER_INFERENCE_OUTPUT names (`predicted_label` if it is not set); `probability` is that of the
predicted label.
Example of all four: `1,0.9,"[0.1, 0.9]","['0', '1']"`. Regression has one column, the value, whatever is named.
(docs.aws.amazon.com/sagemaker/latest/dg/autopilot-automate-model-development-container-output.html)
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv
from autogluon.tabular import TabularPredictor
from werkzeug.wrappers import Response

DEFAULT_OUTPUT = "predicted_label"
SUPPORTED_OUTPUT = ("predicted_label", "probability", "probabilities", "labels")
CSV = "text/csv"


class BadRequest(Exception):
    """The request cannot be answered; the message tells the client why."""


@dataclass(frozen=True)
class Model:
    """A predictor in memory, the columns it reads and the columns it writes."""

    predictor: TabularPredictor
    name: str
    columns: dict[str, pa.DataType]
    output: tuple[str, ...]

    @property
    def is_regression(self) -> bool:
        return self.predictor.problem_type == "regression"


def model_fn(model_dir: str) -> Model:
    """Loads the candidate MODEL_NAME. Raises ValueError if SAGEMAKER_INFERENCE_OUTPUT names an unknown column."""
    output = tuple(key.strip() for key in os.environ.get("SAGEMAKER_INFERENCE_OUTPUT", DEFAULT_OUTPUT).split(","))
    unknown = [key for key in output if key not in SUPPORTED_OUTPUT]
    if unknown:
        raise ValueError(f"SAGEMAKER_INFERENCE_OUTPUT: {', '.join(unknown)} not in {', '.join(SUPPORTED_OUTPUT)}")
    features = json.loads((Path(model_dir) / "features.json").read_text(encoding="utf-8"))
    predictor = TabularPredictor.load(str(Path(model_dir) / "predictor"), verbosity=0)
    name = os.environ.get("MODEL_NAME") or predictor.model_best
    predictor.persist(models=[name])  # pyright: ignore[reportArgumentType]
    kinds = {"number": pa.float64(), "text": pa.string()}
    return Model(predictor, name, {feature["name"]: kinds[feature["kind"]] for feature in features}, output)


def transform_fn(model: Model, content: str | bytes, content_type: str, accept: str) -> tuple[str, str] | Response:
    """Rows in, predictions out. 400, 406 and 415 carry one sentence."""
    if content_type.partition(";")[0].strip().lower() != CSV:
        return _refuse(415, f"Content type {content_type} is not supported; send text/csv without a header.")
    if accept.partition(";")[0].strip().lower() not in (CSV, "*/*"):
        return _refuse(406, f"Accept {accept} is not supported; the answer is text/csv.")
    try:
        rows = read(model, content.encode() if isinstance(content, str) else content)
    except BadRequest as error:
        return _refuse(400, str(error))
    return write(model, rows), CSV


def _refuse(status: int, sentence: str) -> Response:
    return Response(sentence, status=status, mimetype="text/plain")


def read(model: Model, content: bytes) -> pd.DataFrame:
    """The rows of a CSV without header. Raises BadRequest if a row has another width or a number is not one."""
    if not content.strip():
        raise BadRequest("The request has no rows.")
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(content),
            read_options=pyarrow.csv.ReadOptions(column_names=list(model.columns), use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=model.columns, strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid as error:
        raise BadRequest(f"The request is not CSV of {len(model.columns)} columns without a header: {error}") from error
    return table.to_pandas()


def write(model: Model, rows: pd.DataFrame) -> str:
    """The answer for each row, in order."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if model.is_regression:
        values = model.predictor.predict(rows, model=model.name, as_pandas=False)
        writer.writerows([float(value)] for value in values)
        return out.getvalue()
    table: Any = model.predictor.predict_proba(rows, model=model.name)
    labels = [str(label) for label in table.columns]
    predicted = model.predictor.predict_from_proba(table, decision_threshold=0.5)
    probabilities = table.to_numpy(dtype=float).tolist()
    position = {label: index for index, label in enumerate(labels)}
    columns = {
        "predicted_label": lambda label, row: label,
        "probability": lambda label, row: row[position[label]],
        "probabilities": lambda label, row: row,
        "labels": lambda label, row: labels,
    }
    chosen = [columns[key] for key in model.output]
    pairs = zip(map(str, predicted), probabilities, strict=True)
    writer.writerows([value(label, row) for value in chosen] for label, row in pairs)
    return out.getvalue()
