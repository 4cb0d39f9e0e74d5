"""The quality gate: whether the model passes, which condition it fails and by how much, and warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# What a run's objective is called among the metrics, and whether less of it is better. A constant answer can have full
# recall, so recall is compared by balanced accuracy.
_OBJECTIVES = {
    "Accuracy": "accuracy",
    "BalancedAccuracy": "balanced_accuracy",
    "F1": "f1_score",
    "F1macro": "f1_score",
    "Precision": "precision",
    "PrecisionMacro": "precision",
    "Recall": "balanced_accuracy",
    "RecallMacro": "recall",
    "AUC": "auc",
    "MSE": "mse",
    "RMSE": "rmse",
    "MAE": "mae",
    "R2": "r2",
}
LESS_IS_BETTER = frozenset(
    ["log_loss", "brier_score", "cost_per_row", "mse", "rmse", "mae", "median_absolute_error", "baseline_rmse"]
)
_PERFECT = 0.9995
_FEW_ROWS = 30
_MOST_NAMES = 5


def judge(
    evaluation: Mapping[str, Any],
    objective: str,
    threshold: float | None,
    settings: Mapping[str, Any],
    *,
    champion: Mapping[str, Any] | None = None,
    note: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What to add to evaluation.json: `passed`, `verdict`, `warnings`, `gate_metric`, `gate` (each condition), `champion`.

    `threshold`: accuracy_threshold; None is for regression, where R² must be above 0 (as good as always answering the
    mean) even at the lower end of its interval. `settings`: quality_gate and beat_baseline.
    `champion`: judged by champion.py, if a version serves. `note`: the data note of preprocessing.json.
    """
    is_regression = "r2" in evaluation
    gate_metric = "r2" if is_regression else "accuracy"
    first = {"metric": gate_metric, "at_least": 0.0, "bound": "lower"}
    if threshold is not None:
        first = {"metric": gate_metric, "at_least": threshold, "bound": "value"}
    conditions = [{**_check(evaluation, first), "setting": "accuracy_threshold"}]
    conditions += [
        {**_check(evaluation, condition), "setting": "quality_gate"} for condition in settings.get("quality_gate") or []
    ]
    baseline = _against_baseline(evaluation, objective)
    stance = settings.get("beat_baseline") or "Warn"
    if stance == "Require":
        conditions.append({**baseline, "setting": "beat_baseline"})
    if champion and champion["stance"] == "Require":
        kept = ("metric", "value", "champion_value", "margin", "passed", "sentence")
        conditions.append({**{name: champion.get(name) for name in kept}, "setting": "champion"})
    failed = [condition for condition in conditions if not condition["passed"]]
    found = _warnings(evaluation)
    return {
        "gate_metric": gate_metric,
        "passed": not failed,
        "verdict": _verdict(conditions, failed, baseline if stance == "Warn" else None, found, champion, note or {}),
        "warnings": [
            *(_baseline_warnings(baseline) if stance != "Off" else []),
            *(champion["warnings"] if champion else []),
            *found,
            *((note or {}).get("warnings") or []),
        ],
        "gate": {"conditions": conditions, "beat_baseline": stance, "baseline": baseline},
        "champion": champion,
    }


def objective_metric(objective: str) -> str:
    """The metric that a run's objective is called in evaluation.json; empty for none."""
    return _OBJECTIVES.get(objective, "")


def _check(evaluation: Mapping[str, Any], condition: Mapping[str, Any]) -> dict[str, Any]:
    metric, bound = condition["metric"], condition.get("bound") or "value"
    at_least = condition.get("at_least") is not None
    limit = condition["at_least" if at_least else "at_most"]
    value = evaluation.get(metric)
    if bound != "value" and value is not None:
        value = evaluation["intervals"].get(metric, {}).get(bound)
    name = {"value": "", "lower": "the lower end of the interval of ", "upper": "the upper end of the interval of "}[
        bound
    ] + spoken(metric)
    result = {"metric": metric, "at_least" if at_least else "at_most": limit, "bound": bound, "value": value}
    if value is None:
        said = f"{name} could not be computed, and must be {'at least' if at_least else 'at most'} {number(limit)}"
        return {**result, "passed": False, "missed_by": None, "sentence": said}
    passed = value >= limit if at_least else value <= limit
    missed = abs(value - limit)
    shown, wanted = _apart(value, limit)
    relation = "is at least" if at_least else "is at most"
    if not passed:
        relation = "is below" if at_least else "is above"
    said = f"{name} {shown} {relation} {wanted}" + ("" if passed else f" by {number(missed)}")
    return {**result, "passed": passed, "missed_by": None if passed else missed, "sentence": said}


def _against_baseline(evaluation: Mapping[str, Any], objective: str) -> dict[str, Any]:
    """Whether the model beats the baseline in the run's objective and, for a classifier, in balanced accuracy."""
    baseline = evaluation["baseline"]
    metrics = [objective_metric(objective)]
    if "accuracy" in evaluation:
        metrics.append("balanced_accuracy")
    metrics = [name for name in dict.fromkeys(metrics) if name in evaluation] or ["rmse"]
    # The first that is not better, if there is one.
    metric = min(metrics, key=lambda name: _gain(baseline["difference"][name]["value"], name) > 0)
    ours, theirs = evaluation[metric], baseline["metrics"][metric]
    difference = baseline["difference"][metric]
    passed = _gain(difference["value"], metric) > 0
    bound = difference.get("upper" if metric in LESS_IS_BETTER else "lower")
    shown, reference = _distinct(ours, theirs)
    figures = f"{spoken(metric)} {shown} against {reference}"
    relation = "better" if passed else "no better" if difference["value"] == 0 else "worse"
    return {
        "metric": metric,
        "value": ours,
        "baseline": theirs,
        "passed": passed,
        "certain": bound is not None and _gain(bound, metric) > 0,
        "missed_by": None if passed else abs(difference["value"]),
        "sentence": f"the model is {relation} than {baseline['answer']} ({figures})",
    }


def _gain(difference: float, metric: str) -> float:
    return -difference if metric in LESS_IS_BETTER else difference


def _baseline_warnings(baseline: Mapping[str, Any]) -> list[str]:
    if not baseline["passed"]:
        return [sentence(baseline["sentence"])]
    if not baseline["certain"]:
        return [
            f"{sentence(baseline['sentence'])[:-1]}, but by so little that other test rows could have shown the opposite."
        ]
    return []


def _warnings(evaluation: Mapping[str, Any]) -> list[str]:
    warnings = []
    positive = evaluation.get("positive_class")
    classes = evaluation.get("per_class", [])
    asked = [row for row in classes if positive is None or row["label"] == positive]
    lost = [row for row in asked if row["support"] and not row["recall"]]
    if positive is not None and lost:
        warnings.append(f"The model finds 0 of the {lost[0]['support']:,} test rows of class {positive!r}.")
    elif lost:
        warnings.append(f"The model finds none of the test rows of {_named(lost)}.")
    few = [row for row in classes if row["support"] < _FEW_ROWS]
    if few:
        warnings.append(
            f"Only {', '.join(str(row['support']) for row in few[:_MOST_NAMES])} test rows are of {_named(few)}: "
            "metrics of a class with fewer than 30 are rough estimates."
        )
    for metric in ("accuracy", "auc", "r2"):
        if evaluation.get(metric, 0) >= _PERFECT:
            warnings.append(
                f"The model is almost perfect ({spoken(metric)} {number(evaluation[metric])}): look for a feature that is "
                "known only after the outcome, or for test rows that are among the training rows."
            )
            break
    return warnings


def _named(rows: Sequence[Mapping[str, Any]]) -> str:
    names = [repr(row["label"] if len(row["label"]) <= 40 else row["label"][:37] + "...") for row in rows]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ("class " if len(names) == 1 else "classes ") + ", ".join(names[:_MOST_NAMES]) + more


def _verdict(
    conditions: Sequence[Mapping[str, Any]],
    failed: Sequence[Mapping[str, Any]],
    baseline: Mapping[str, Any] | None,
    warnings: Sequence[str],
    champion: Mapping[str, Any] | None,
    note: Mapping[str, Any],
) -> str:
    """One sentence, with what matters most in it."""
    if failed:
        return f"Does not pass the gate: {'; '.join(condition['sentence'] for condition in failed)}."
    said = f"Passes the gate: {'; '.join(condition['sentence'] for condition in conditions)}"
    if champion and champion["passed"] and champion["stance"] != "Require":
        said += f"; {champion['sentence']}"
    if baseline is not None and not baseline["passed"]:
        return f"{said}. But {baseline['sentence']}."
    lost = [warning for warning in warnings if warning.startswith("The model finds")]
    for doubt in (*lost, *(note.get("misleading") or [])):
        return f"{said}. But {doubt[0].lower()}{doubt[1:]}"
    return f"{said}. But {champion['sentence']}." if champion and not champion["passed"] else f"{said}."


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def spoken(metric: str) -> str:
    """A metric's name in words."""
    short = {"auc": "AUC", "r2": "R²", "rmse": "RMSE", "mse": "MSE", "mae": "MAE", "f1_score": "F1"}
    return short.get(metric, metric.replace("f1_score", "F1").replace("_", " "))


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:,.4f}" if 0.001 <= abs(value) < 10 or value == 0 else f"{value:.4g}"


def _apart(value: float, limit: float) -> tuple[str, str]:
    """A value and the limit as a person wrote it, with as many digits as show on which side the value lies."""
    written = repr(float(limit))
    if len(written) > 8:
        return _distinct(value, limit)
    shown = number(value)
    return (repr(float(value)) if value != limit and float(shown.replace(",", "")) == limit else shown), written


def _distinct(one: float, other: float) -> tuple[str, str]:
    shown = number(one), number(other)
    return (repr(float(one)), repr(float(other))) if one != other and shown[0] == shown[1] else shown
