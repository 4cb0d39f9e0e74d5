"""Metrics by the values of a column: those of scikit-learn on the rows of each value."""

from __future__ import annotations

from typing import Any

import evaluation
import numpy
import pytest
import slices
from predictions import Answers
from sklearn import metrics as reference

PLAN = {"name": "plan", "kind": "categorical", "categories": ["basic", "gold", "rare"]}
AGE = {"name": "age", "kind": "numeric", "median": 40.0}
ROWS = 1000


def table() -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Truth, the positive class's probability, and the encoded plan: 3 is one that training never saw."""
    generator = numpy.random.default_rng(0)
    score = generator.beta(0.7, 0.7, ROWS)
    plan = generator.choice([0, 1, 3], ROWS, p=[0.6, 0.3, 0.1])
    plan[:10] = 2
    return (generator.random(ROWS) < score).astype(int), score, plan


def by(feature: dict[str, Any], values: numpy.ndarray, metric: str) -> dict[str, Any]:
    truth, score, _ = table()
    answers = Answers((score >= 0.5).astype(int), None, numpy.column_stack([1 - score, score]))
    one = slices.of(feature, values)
    (found,) = evaluation.of_classes(truth, answers, ["No", "Yes"], 1, slices=[one], slice_metric=metric)["slices"]
    return found


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", lambda truth, score: reference.accuracy_score(truth, score >= 0.5)),
        ("auc", reference.roc_auc_score),
        ("f1_score", lambda truth, score: reference.f1_score(truth, score >= 0.5)),
        ("log_loss", reference.log_loss),
    ],
)
def test_metric_of_each_value_is_that_of_its_rows(metric: str, expected: Any) -> None:
    truth, score, plan = table()
    found = by(PLAN, plan, metric)
    assert (found["column"], found["metric"]) == ("plan", metric)
    assert [group["name"] for group in found["groups"]] == ["basic", "gold", slices.UNSEEN]
    for group, code in zip(found["groups"], [0, 1, 3], strict=True):
        rows = plan == code
        assert group["rows"] == rows.sum()
        assert group["value"] == pytest.approx(expected(truth[rows], score[rows]))
        assert group["lower"] < group["value"] < group["upper"]


def test_value_of_few_rows_is_not_shown() -> None:
    found = by(PLAN, table()[2], "accuracy")
    assert "rare" not in [group["name"] for group in found["groups"]]
    assert found["groups_not_shown"] == 1


def test_fewer_rows_have_a_wider_interval() -> None:
    large, _, small = by(PLAN, table()[2], "accuracy")["groups"]
    assert small["upper"] - small["lower"] > 1.5 * (large["upper"] - large["lower"])


def test_numbers_are_cut_into_quarters_in_their_order() -> None:
    ages = numpy.random.default_rng(1).integers(18, 90, ROWS).astype(float)
    found = by(AGE, ages, "accuracy")
    ends = [tuple(map(float, group["name"].split(" to "))) for group in found["groups"]]
    assert len(ends) == 4
    assert [end for pair in ends for end in pair] == sorted(end for pair in ends for end in pair)
    assert (ends[0][0], ends[-1][1]) == (ages.min(), ages.max())
    assert all(abs(group["rows"] - ROWS / 4) < 30 for group in found["groups"])
    assert sum(group["rows"] for group in found["groups"]) == ROWS


def test_few_different_numbers_are_values_of_their_own() -> None:
    found = by(AGE, numpy.arange(ROWS) % 3 * 1.5, "accuracy")
    assert [group["name"] for group in found["groups"]] == ["0", "1.5", "3"]


def test_metric_that_needs_both_classes_is_left_open_where_there_is_one() -> None:
    truth, _, _ = table()
    assert [group["value"] for group in by(PLAN, truth, "auc")["groups"]] == [None, None]


def test_metric_that_the_model_has_no_probabilities_for_is_accuracy() -> None:
    truth, score, plan = table()
    answers = Answers((score >= 0.5).astype(int), None, None)
    found = evaluation.of_classes(truth, answers, ["No", "Yes"], 1, slices=[slices.of(PLAN, plan)], slice_metric="auc")[
        "slices"
    ]
    assert found[0]["metric"] == "accuracy"


def test_regression_has_slices_too() -> None:
    generator = numpy.random.default_rng(0)
    truth = generator.normal(100, 20, ROWS)
    predicted = truth + generator.normal(0, 5, ROWS)
    plan = numpy.arange(ROWS) % 2
    found = evaluation.of_numbers(truth, predicted, slices=[slices.of(PLAN, plan)], slice_metric="rmse")["slices"][0]
    for group, code in zip(found["groups"], [0, 1], strict=True):
        expected = reference.root_mean_squared_error(truth[plan == code], predicted[plan == code])
        assert group["value"] == pytest.approx(expected)
