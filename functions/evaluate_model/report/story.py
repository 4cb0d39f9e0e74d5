"""The first screen in sentences: what the model does, what came of the gate, and what it is worth."""

from __future__ import annotations

import re
from typing import Any

import numpy

from report import words

Document = dict[str, Any]
_TOP = 0.2


def positive_class(document: Document) -> str | None:
    """The class that precision and recall are about; None unless there are two."""
    labels = document["labels"]
    if len(labels) != 2:
        return None
    chosen = document.get("positive_class")
    return chosen if chosen in labels else labels[1]


def counts(document: Document) -> dict[str, int]:
    """True and false positives and negatives of a binary classifier, from its confusion matrix."""
    labels, matrix = document["labels"], document["confusion_matrix"]
    yes = labels.index(positive_class(document))
    no = 1 - yes
    return {
        "true_positives": matrix[yes][yes],
        "false_negatives": matrix[yes][no],
        "false_positives": matrix[no][yes],
        "true_negatives": matrix[no][no],
    }


def most_frequent(document: Document) -> str:
    """The class that a model without any features would always answer."""
    return document["labels"][int(numpy.argmax([sum(row) for row in document["confusion_matrix"]]))]


def headline(document: Document, target: str) -> str:
    """One sentence, as `Finds 103 of the 211 rows whose churn is Yes`; with why that is not to be believed, if so."""
    said = (
        _regression_headline(document, target) if document["problem_type"] == "Regression" else _found(document, target)
    )
    doubts = (document.get("data_note") or {}).get("misleading") or []
    if not doubts:
        return said
    doubt = re.split(r"\. |: if it is known", doubts[0])[0].rstrip(".")  # without what to do about it
    return f"{said[:-1]}; but {doubt[:1].lower()}{doubt[1:]}."


def _found(document: Document, target: str) -> str:
    baseline = document.get("baseline_accuracy")
    always = words.short(most_frequent(document))
    if (positive := positive_class(document)) is None:
        right = sum(row[index] for index, row in enumerate(document["confusion_matrix"]))
        text = f"Right in {right:,} of {words.rows(document['rows'])}"
        if baseline is None:
            return f"{text}."
        if not _above(document["accuracy"], baseline):
            return f"{text}; no better than always answering {always}."
        return f"{text}, where always answering {always} is right in {round(baseline * document['rows']):,}."
    found = counts(document)
    of_class = found["true_positives"] + found["false_negatives"]
    called = found["true_positives"] + found["false_positives"]
    text = f"Finds {found['true_positives']:,} of the {of_class:,} rows whose {words.short(target)} is {words.short(positive)}"
    if useless(document):
        return f"{text}; no better than always answering {always}."
    if not called:
        return f"{text}: it never answers {words.short(positive)}."
    return f"{text}; {found['true_positives']:,} of the {called:,} that it flags are right."


def _regression_headline(document: Document, target: str) -> str:
    rmse, baseline = document["rmse"], document.get("baseline_rmse")
    text = f"Predicts {words.short(target)} with a typical error of {words.amount(rmse)} (root mean squared)"
    if baseline is None:
        return f"{text}."
    if not _above(baseline, rmse):
        return f"{text}; no better than always answering the mean, which is off by {words.amount(baseline)}."
    return f"{text}, where always answering the mean is off by {words.amount(baseline)}."


def serving(document: Document) -> dict[str, Any] | None:
    """What serves now: its name, and how the model compares with it, unless verdict, condition or warning says that already."""
    found = document.get("champion")
    if not found:
        return None
    name = f"Version {found['version']}" if found["version"] is not None else f"Model {found['model_name']}"
    said = found["sentence"]
    conditions = [condition["sentence"] for condition in document["gate"]["conditions"]]
    first = [document["verdict"], *document["warnings"], *(conditions if len(conditions) > 1 else [])]
    is_known = any(said[1:] in text for text in first)
    return {"name": name, "sentence": None if is_known else f"{said[:1].upper()}{said[1:]}."}


def useless(document: Document) -> bool:
    """Whether a model that looks at no feature does as well.

    The gate's comparison with the baseline says so; without one, what an evaluation has had from the first. Accuracy alone
    would say it of many a good model of a rare class: it must not find any either, or rank by chance.
    """
    compared = (document.get("gate") or {}).get("baseline")
    if compared:
        return not compared["passed"]
    if document["problem_type"] == "Regression":
        return "baseline_rmse" in document and not _above(document["baseline_rmse"], document["rmse"])
    if "baseline_accuracy" not in document or _above(document["accuracy"], document["baseline_accuracy"]):
        return False
    finds_none = document.get("recall", 1) == 0 or document["balanced_accuracy"] <= 1 / len(document["labels"])
    return finds_none or document.get("auc", 1) <= 0.5


def _above(value: float, other: float) -> bool:
    """Whether a value is larger by more than the rounding of two ways to compute it."""
    return value - other > 1e-9 * max(abs(value), abs(other))


def verdict(document: Document) -> str:
    """Which condition the model met or missed, and by how much."""
    said = document.get("verdict")
    if said:
        said = said.removeprefix("Passes the gate: ").removeprefix("Does not pass the gate: ")
        return said[:1].upper() + said[1:]
    name = document["gate_metric"]
    relation = "reaches" if document["passed"] else "is below"
    return (
        f"{words.metric(name).title} {words.number(document[name])} {relation} the threshold "
        f"{words.listed(document['accuracy_threshold'])}."
    )


def gains(document: Document) -> str | None:
    """What working through the ranked rows from the top is worth."""
    curve = (document.get("curves") or {}).get("gains")
    positive = positive_class(document)
    if not curve or positive is None:
        return None
    # Between two thresholds lie rows of one score, in no order: a straight line.
    held = float(numpy.interp(_TOP, curve["shares_of_rows"], curve["shares_of_positives"]))
    times = held / _TOP
    worth = f"{times:.1f} times as many as" if times > 1.05 else "fewer than" if times < 0.95 else "no more than"
    return (
        f"Ranked by the model, the top {_TOP:.0%} of rows hold {words.whole_share(held)} of all {words.short(positive)}, "
        f"{worth} the same number of rows picked at random."
    )


def threshold(document: Document) -> str | None:
    """What another threshold would be worth, by rows that it was not chosen on."""
    found = (document.get("threshold") or {}).get("suggested")
    if not found:
        return None
    name = found["chosen_for"]
    now = document["threshold"]["applied"]
    title = "the cost per row" if name == "cost_per_row" else "F1"
    return (
        f"Suggested: {found['threshold']:g}, chosen for {title} on {words.rows(found['rows_chosen_on'])}. On the other "
        f"{found['rows_reported_on']:,} it gives {words.number(found[name])}, and "
        f"{'the model as it answers' if now is None else f'the threshold {now} that is set'} gives "
        f"{words.number(found['without_it'][name])}."
    )
