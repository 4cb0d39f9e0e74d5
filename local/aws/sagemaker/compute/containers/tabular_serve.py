"""The program in a candidate's archive: answers CSV with labels, as strict as Autopilot's AutoGluon program.

Input: CSV without a header, the training features in their order, with a content type of exactly `text/csv`
(amazon-sagemaker-examples #3235, #729). Output: CSV, one line for each row, with the columns that
SAGEMAKER_INFERENCE_OUTPUT names, split at commas and not trimmed (`predicted_label` if it is not set); `probability` is the
largest one. Example of all four: `1,0.9,"[0.1, 0.9]","['0', '1']"`. Regression has one column, the value, whatever is named.
(docs.aws.amazon.com/sagemaker/latest/dg/autopilot-automate-model-development-container-output.html)
"""

# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from autogluon.tabular import TabularPredictor

DEFAULT_OUTPUT = "predicted_label"
SUPPORTED_OUTPUT = ("predicted_label", "probability", "probabilities", "labels")
CSV = "text/csv"


@dataclass(frozen=True)
class Model:
    """A predictor in memory, the columns it reads and the columns it writes."""

    predictor: TabularPredictor
    name: str
    columns: tuple[str, ...]
    output: tuple[str, ...]

    @property
    def is_regression(self) -> bool:
        return self.predictor.problem_type == "regression"


def model_fn(model_dir: str) -> Model:
    """Loads the candidate MODEL_NAME. Raises ValueError if SAGEMAKER_INFERENCE_OUTPUT names an unknown column."""
    output = tuple(os.environ.get("SAGEMAKER_INFERENCE_OUTPUT", DEFAULT_OUTPUT).split(","))
    unknown = [key for key in output if key not in SUPPORTED_OUTPUT]
    if unknown:
        raise ValueError(f"SAGEMAKER_INFERENCE_OUTPUT: {', '.join(unknown)} not in {', '.join(SUPPORTED_OUTPUT)}")
    features = json.loads((Path(model_dir) / "features.json").read_text(encoding="utf-8"))
    predictor = TabularPredictor.load(str(Path(model_dir) / "predictor"), verbosity=0)
    name = os.environ.get("MODEL_NAME") or predictor.model_best
    predictor.persist(models=[name], max_memory=None)  # pyright: ignore[reportArgumentType]
    return Model(predictor, name, tuple(feature["name"] for feature in features), output)


def transform_fn(model: Model, content: str | bytes, content_type: str, accept: str) -> tuple[str, str]:
    """Rows in, predictions and their content type out. Every problem is an exception, hence a 500."""
    if content_type.lower() != CSV:
        raise ValueError(f"Content type {content_type} is not supported")
    if accept.lower() != CSV:
        raise ValueError(f"Accept {accept} is not supported")
    text = content if isinstance(content, str) else content.decode()
    return write(model, read(model, text)), CSV


def read(model: Model, text: str) -> pd.DataFrame:
    """The rows of a CSV without header. Raises ValueError if they have another width than the training features."""
    rows = pd.read_csv(io.StringIO(text), header=None)
    if rows.shape[1] != len(model.columns):
        raise ValueError(f"The request has {rows.shape[1]} columns, and the model was trained on {len(model.columns)}")
    rows.columns = list(model.columns)
    return rows


def write(model: Model, rows: pd.DataFrame) -> str:
    """The answer for each row, in order: texts joined by commas as they are, lists in double quotes."""
    if model.is_regression:
        values = model.predictor.predict(rows, model=model.name, as_pandas=False)
        return "".join(f"{float(value)}\n" for value in values)
    table: Any = model.predictor.predict_proba(rows, model=model.name)
    labels = [str(label) for label in table.columns]
    predicted = model.predictor.predict_from_proba(table, decision_threshold=0.5)
    columns = {
        "predicted_label": lambda label, row: label,
        "probability": lambda label, row: str(max(row)),
        "probabilities": lambda label, row: f'"{row}"',
        "labels": lambda label, row: f'"{labels}"',
    }
    chosen = [columns[key] for key in model.output]
    pairs = zip(map(str, predicted), table.to_numpy(dtype=float).tolist(), strict=True)
    return "".join(",".join(value(label, row) for value in chosen) + "\n" for label, row in pairs)
