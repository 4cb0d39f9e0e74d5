"""The report's vocabulary: what each metric is called, what it means, and how numbers are written for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """A metric in words. `kind`: `share` (0 to 1), `score` (no unit), or `amount` (in the target's unit)."""

    title: str
    meaning: str
    kind: str = "score"
    lower_is_better: bool = False


METRICS = {
    "accuracy": Metric("Accuracy", "Share of rows answered correctly", "share"),
    "precision": Metric("Precision", "Of the rows called positive, how many are", "share"),
    "recall": Metric("Recall", "Of the positive rows, how many are found", "share"),
    "f1_score": Metric("F1 score", "Balance of precision and recall; 1 is perfect"),
    "balanced_accuracy": Metric("Balanced accuracy", "Mean of every class's recall, however rare the class", "share"),
    "auc": Metric("Area under the ROC curve", "How well rows are ranked; 0.5 is chance, 1 is perfect"),
    "average_precision": Metric("Average precision", "Area under the precision–recall curve; chance is the positives' share"),
    "log_loss": Metric("Log loss", "Cost of wrong and overconfident probabilities; 0 is perfect", lower_is_better=True),
    "brier_score": Metric("Brier score", "Mean squared error of the probabilities; 0 is perfect", lower_is_better=True),
    "matthews_correlation": Metric("Matthews correlation", "Agreement of answers and truth; 0 is chance, 1 is perfect"),
    "cost_per_row": Metric("Cost per row", "Mean cost of false alarms and misses, as set", "amount", True),
    "r2": Metric("R²", "Share of the target's variance explained; 0 is as good as the mean"),
    "rmse": Metric("Root mean squared error", "Typical error; large errors weigh more", "amount", True),
    "mse": Metric("Mean squared error", "In the square of the target's unit", "amount", True),
    "mae": Metric("Mean absolute error", "Average size of the error", "amount", True),
    "median_absolute_error": Metric("Median absolute error", "Half of the rows are off by at most this", "amount", True),
}  # fmt: skip
_AVERAGES = {
    "macro": "mean over classes, all with the same weight",
    "weighted": "mean over classes, weighted by their rows",
    "micro": "over all rows together",
}
# Setting names that are not just their words.
_SETTINGS = {"kms_key_arn": "KMS key", "sns_topic_arn": "SNS topic", "automl": "AutoML"}
_LONGEST_NAME = 60


def metric(name: str) -> Metric:
    """The metric's words; of one that is not known here, its name's."""
    if name in METRICS:
        return METRICS[name]
    for average, meaning in _AVERAGES.items():
        base = name.removesuffix(f"_{average}").removeprefix(f"{average}_")
        if base != name:
            known = metric(base)
            return Metric(f"{known.title} ({average})", f"{known.title}: {meaning}", known.kind, known.lower_is_better)
    return Metric(words(name), "")


def words(name: str) -> str:
    """`max_candidates` as `Max candidates`."""
    if name in _SETTINGS:
        return _SETTINGS[name]
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def short(name: Any) -> str:
    """A name that may be any text, at most a line long."""
    text = str(name)
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def number(value: float) -> str:
    """Four decimals for scores; amounts of the target keep as many significant digits."""
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"


def amount(value: float) -> str:
    """A quantity in the target's unit: four significant digits, thousands apart."""
    if (value and abs(value) < 1e-3) or abs(value) >= 1e12:
        return f"{value:.4g}"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 10 else 4
    return f"{value:,.{digits}f}"


def plain(value: float) -> str:
    """A number as a table of data has it: `28`, `70.7`."""
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def spaced(name: str) -> str:
    """`BinaryClassification` as `binary classification`; what is not such a name, as `AUC`, stays."""
    if "_" in name or name.upper() == name:
        return name
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: f" {found[0].lower()}", name)


def share(value: float) -> str:
    """`78.8%`; never 100.0% or 0.0% for what is not quite all or nothing."""
    if 0.9995 <= value < 1:
        return "over 99.9%"
    if 0 < value < 0.0005:
        return "under 0.1%"
    return f"{value:.1%}"


def whole_share(value: float) -> str:
    """`51%`, for sentences."""
    return share(value) if value and (value < 0.01 or 0.99 < value < 1) else f"{value:.0%}"


def value_of(name: str, value: float) -> str:
    """A metric's value as people read it first: a percentage, a score or an amount."""
    kind = metric(name).kind
    return (
        share(value)
        if kind == "share"
        else amount(value)
        if kind == "amount"
        else f"{value:.3f}"
        if abs(value) < 1000
        else f"{value:.3g}"
    )


def exact(name: str, value: float) -> str:
    """A metric's value as the tables have it."""
    return amount(value) if metric(name).kind == "amount" else number(value)


def rows(count: int) -> str:
    """`1 row`, `12,000 rows`."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def listed(value: Any) -> str:
    """A setting's value as text."""
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return " ".join(f"{words(key).lower()} {listed(part)}" for key, part in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(listed, value))
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)
