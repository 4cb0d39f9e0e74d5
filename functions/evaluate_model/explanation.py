"""What drives the model's answers, from the SageMaker Clarify report that Autopilot makes of its best candidate."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy
from automl_pipeline import stored
from botocore.exceptions import BotoCoreError, ClientError

_FILE = "analysis.json"
_LARGEST_BYTES = 20_000_000


def read(s3: Any, prefix: str | None) -> dict[str, Any]:
    """The columns by the mean size of their SHAP values, the largest first.

    `prefix`: CandidateArtifactLocations.Explainability, below which Clarify leaves its analysis.json ("Analysis results" in
    SageMaker's guide: explanations → kernel_shap → label → global_shap_values). Returns {"report_uri", "columns",
    "error"}: of each column its name, the value in the unit of the model's answer (a probability, or the target's unit) as the
    mean over the classes, and its share of all columns' values. Without a report that can be read `columns` is empty and
    `error` says why: a model is no worse for it.
    """
    nothing: dict[str, Any] = {"report_uri": None, "columns": [], "error": None}
    if not prefix:
        return {**nothing, "error": "Autopilot wrote no explainability report."}
    try:
        uris = sorted(found for found, _ in stored.objects(s3, prefix))
        uri = next((found for found in uris if found.rpartition("/")[2] == _FILE), None)
        if uri is None:
            return {**nothing, "error": f"Autopilot's explainability report has no {_FILE} under {prefix}."}
        body = stored.body(s3, uri).read(_LARGEST_BYTES)
    except (ClientError, BotoCoreError) as error:
        return {**nothing, "error": f"Autopilot's explainability report could not be read: {error}"}
    try:
        columns = _columns(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError):
        return {**nothing, "error": f"{uri} is not in the form of SageMaker Clarify's {_FILE}."}
    return {"report_uri": uri, "columns": columns, "error": None}


def _columns(analysis: dict[str, Any]) -> list[dict[str, Any]]:
    """Raises ValueError, KeyError, TypeError or AttributeError for another form."""
    of_labels = [of_label["global_shap_values"] for of_label in analysis["explanations"]["kernel_shap"].values()]
    names = dict.fromkeys(name for values in of_labels for name in values)
    sizes = {name: float(numpy.mean([abs(values.get(name, 0.0)) for values in of_labels])) for name in names}
    total = sum(sizes.values())
    if not math.isfinite(total):
        raise ValueError(total)
    found = [
        {"column": name, "value": value, "share": value / total if total else 0.0} for name, value in sizes.items()
    ]
    return sorted(found, key=lambda row: -row["value"])
