"""evaluation.json as EvaluateModel writes it, of answers made up here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy

FUNCTION = Path(__file__).parents[1] / "functions" / "evaluate_model"
sys.path.insert(0, str(FUNCTION))

import champion as champions  # noqa: E402
import evaluation  # noqa: E402
import gate  # noqa: E402
from predictions import Answers  # noqa: E402

PREPROCESSING = {
    "features": [
        {"name": "age", "kind": "numeric", "median": 41.0},
        {"name": "plan", "kind": "categorical", "categories": ["basic", "gold"]},
    ],
    "data_note": {
        "warnings": ["Column 'plan' alone gives the target away."],
        "columns": [
            {
                "name": "age",
                "kind": "number",
                "missing": 12,
                "distinct": 70,
                "unseen": 0,
                "reason": "every value is a number",
            },
            {
                "name": "plan",
                "kind": "category",
                "missing": 0,
                "distinct": 2,
                "unseen": 3,
                "reason": "its values are texts",
            },
            {
                "name": "id",
                "kind": "left out",
                "missing": None,
                "distinct": None,
                "unseen": None,
                "reason": "the record's identifier or time",
            },
        ],
    },
    "split": "time",
    "rows": {"source": 1000, "without_target": 3, "train": 797, "test": 200},
    "seed": 42,
    "data_sha256": "ab" * 32,
}


def binary(labels: tuple[str, str] = ("No", "Yes"), rows: int = 400) -> dict[str, Any]:
    generator = numpy.random.default_rng(1)
    score = generator.beta(2, 3, rows)
    return judged(generator.random(rows) < score, score, labels)


def judged(positive: Any, score: Any, labels: tuple[str, str] = ("No", "Yes")) -> dict[str, Any]:
    """evaluation.json of a binary classifier, as EvaluateModel writes it."""
    probabilities = numpy.column_stack([1 - score, score])
    answers = Answers((score >= 0.5).astype(int), probabilities.max(axis=1), probabilities)
    return whole(evaluation.of_classes(positive.astype(int), answers, list(labels), 1), list(labels), len(score))


def whole(
    evaluated: dict[str, Any],
    labels: list[str],
    rows: int,
    champion: dict[str, Any] | None = None,
    note: dict[str, Any] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """evaluation.json. `champion`: what serves now, as the machine names it; `note`: preprocessing.json's data note."""
    kind = {0: "Regression", 2: "BinaryClassification"}.get(len(labels), "MulticlassClassification")
    objective = "RMSE" if kind == "Regression" else "Accuracy"
    against = champion and champions.judge(evaluated, champion, objective, settings)
    return {
        **evaluated,
        "labels": labels,
        "rows": rows,
        "problem_type": kind,
        "objective_metric_name": objective,
        "accuracy_threshold": 0.5,
        "run_id": "20261125-101934-23ec32df",
        "data_note": note or {},
        **gate.judge(evaluated, objective, 0.5, settings, champion=against, note=note),
    }
