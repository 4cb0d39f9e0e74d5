"""The metrics that Autopilot can optimize, by problem type."""

from __future__ import annotations

from collections.abc import Mapping

from automl_pipeline.quality import BINARY, MULTICLASS, REGRESSION

# Each objective of Autopilot with the problem types it is for.
OBJECTIVES: Mapping[str, tuple[str, ...]] = {
    "Accuracy": (BINARY, MULTICLASS),
    "BalancedAccuracy": (BINARY, MULTICLASS),
    # With more than two classes these three stand for the macro averages below.
    "F1": (BINARY, MULTICLASS),
    "Precision": (BINARY, MULTICLASS),
    "Recall": (BINARY, MULTICLASS),
    "AUC": (BINARY,),
    "F1macro": (MULTICLASS,),
    "PrecisionMacro": (MULTICLASS,),
    "RecallMacro": (MULTICLASS,),
    "MSE": (REGRESSION,),
    "MAE": (REGRESSION,),
    "RMSE": (REGRESSION,),
    "R2": (REGRESSION,),
}
# Weights do not count for it: docs.aws.amazon.com/sagemaker/latest/dg/autopilot-metrics-validation.html, weighted metrics.
UNWEIGHTED = "BalancedAccuracy"

# What Autopilot calls these with more than two classes.
_AVERAGED = {"F1": "F1macro", "Precision": "PrecisionMacro", "Recall": "RecallMacro"}


def of(name: str, problem_type: str) -> str:
    """Autopilot's name for an objective: with more than two classes F1 is F1macro."""
    return _AVERAGED.get(name, name) if problem_type == MULTICLASS else name


def note(name: str, problem_type: str) -> str | None:
    """A sentence that names the objective that Autopilot is given, if its name is another; else None."""
    taken = of(name, problem_type)
    if taken == name:
        return None
    return f"{name} of {problem_type} is {taken}: the mean over the classes, each of the same weight."
