"""What a model is measured by, and the conditions that a run may put on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from automl_pipeline import wording

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"

_OF_CLASSES = (
    *("accuracy", "precision", "recall", "f1_score", "balanced_accuracy", "matthews_correlation"),
    *("auc", "log_loss"),
)
METRICS: Mapping[str, tuple[str, ...]] = {
    BINARY: (*_OF_CLASSES, "average_precision", "brier_score", "cost_per_row"),
    MULTICLASS: (*_OF_CLASSES, "weighted_precision", "weighted_recall", "weighted_f1_score"),
    REGRESSION: ("r2", "rmse", "mse", "mae", "median_absolute_error"),
}
"""The metrics of evaluation.json, by problem type. Those with `cost` in their name are there if the costs are set."""

NAMES = tuple(dict.fromkeys(name for names in METRICS.values() for name in names))

DEFAULT_THRESHOLDS: Mapping[str, float] = {BINARY: 0.5, MULTICLASS: 0.5, REGRESSION: 0.0}
"""What accuracy_threshold is if nobody sets it. An R2 of 0 is as good as always answering the mean."""

_KEYS = ("metric", "at_least", "at_most", "bound")
_BOUNDS = ("value", "lower", "upper")


class Condition(BaseModel):
    """One condition of `quality_gate`: a metric, or an end of its 95 % interval, against a limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    bound: Literal["value", "lower", "upper"] = "value"

    @model_validator(mode="before")
    @classmethod
    def _explain(cls, given: Any) -> Any:
        problem = _problem(given)
        if problem:
            raise ValueError(problem)
        return given


def _problem(given: Any) -> str | None:
    """What is wrong with a condition, in words."""
    if not isinstance(given, dict):
        return f'each condition is an object such as {{"metric": "recall", "at_least": 0.6}}, and one is {wording.kind_of(given)}'
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        return f"{wording.show(unknown[0])} is not a key of a condition; its keys are {', '.join(_KEYS)}"
    if given.get("metric") not in NAMES:
        return f"metric {wording.show(given.get('metric'))} is not one of {', '.join(NAMES)}"
    if given.get("bound", "value") not in _BOUNDS:
        return f"bound {wording.show(given['bound'])} is not one of {', '.join(_BOUNDS)}"
    limits = [given[key] for key in ("at_least", "at_most") if given.get(key) is not None]
    if len(limits) != 1:
        return f"the condition on {given['metric']} takes either at_least or at_most"
    if isinstance(limits[0], bool) or not isinstance(limits[0], int | float) or not _finite(limits[0]):
        return f"the limit of {given['metric']} must be a number, and is {wording.show(limits[0])}"
    return None


def _finite(number: float) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False
