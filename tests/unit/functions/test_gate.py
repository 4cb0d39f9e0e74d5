"""The quality gate: which models go on, which condition one fails and by how much, and what people are warned of first."""

from __future__ import annotations

from typing import Any

import gate
import numpy
import pytest
from automl_pipeline import quality
from evaluation import of_classes, of_numbers
from predictions import Answers


def judged(
    truth: list[int], predicted: list[int], *, positive: int = 1, objective: str = "Accuracy", **settings: Any
) -> dict[str, Any]:
    """The judgement of a model of the classes No and Yes that is sure of each answer."""
    answers, labels = numpy.array(predicted), ["No", "Yes"]
    score = numpy.where(answers == 1, 0.9, 0.1)
    evaluation = of_classes(
        numpy.array(truth), Answers(answers, None, numpy.column_stack([1 - score, score])), labels, positive
    )
    return gate.judge(evaluation, objective, settings.pop("threshold", 0.5), settings)


# 1,000 rows, 60 of them positive; the model finds none of these and is wrong in 2 of the others.
RARE = [1] * 60 + [0] * 940
FINDS_NOBODY = [0] * 60 + [1] * 2 + [0] * 938
GOOD = [1] * 50 + [0] * 10 + [1] * 10 + [0] * 930


def test_model_that_finds_nobody_says_so_in_its_first_line() -> None:
    found = judged(RARE, FINDS_NOBODY)
    assert found["passed"] is True
    assert found["verdict"] == (
        "Passes the gate: accuracy 0.9380 is at least 0.5. "
        "But the model is worse than always answering 'No' (accuracy 0.9380 against 0.9400)."
    )
    assert found["warnings"] == [
        "The model is worse than always answering 'No' (accuracy 0.9380 against 0.9400).",
        "The model finds 0 of the 60 test rows of class 'Yes'.",
    ]


@pytest.mark.parametrize("objective", ["Accuracy", "AUC", "F1", "Precision", "Recall", "BalancedAccuracy"])
def test_model_that_finds_nobody_does_not_pass_where_the_baseline_is_to_be_beaten(objective: str) -> None:
    found = judged(RARE, FINDS_NOBODY, objective=objective, beat_baseline="Require")
    assert found["passed"] is False
    assert found["verdict"].startswith("Does not pass the gate: the model is ")
    assert "than always answering 'No' (" in found["verdict"]


@pytest.mark.parametrize("answer", [0, 1])
@pytest.mark.parametrize("objective", ["Accuracy", "AUC", "F1", "Precision", "Recall", "BalancedAccuracy"])
def test_one_constant_answer_never_beats_the_baseline(objective: str, answer: int) -> None:
    assert judged(RARE, [answer] * 1000, objective=objective, beat_baseline="Require")["passed"] is False


@pytest.mark.parametrize("objective", ["Accuracy", "AUC", "F1", "Precision", "Recall", "BalancedAccuracy"])
def test_good_model_passes_without_a_warning(objective: str) -> None:
    found = judged(RARE, GOOD, objective=objective, beat_baseline="Require")
    assert (found["passed"], found["warnings"]) == (True, [])
    assert found["verdict"].startswith("Passes the gate: accuracy 0.9800 is at least 0.5; the model is better than")


def test_off_is_silent_about_the_baseline() -> None:
    found = judged(RARE, [0] * 60 + [1] * 3 + [0] * 937, beat_baseline="Off")
    assert not any("always answering" in text for text in [found["verdict"], *found["warnings"]])


def test_better_by_chance_is_called_uncertain() -> None:
    found = judged(RARE, [1] * 4 + [0] * 56 + [1] * 3 + [0] * 937)
    assert found["passed"] is True
    assert found["warnings"][0].endswith("but by so little that other test rows could have shown the opposite.")


def test_verdict_says_which_condition_failed_and_by_how_much() -> None:
    gates = [
        {"metric": "recall", "at_least": 0.9},
        {"metric": "log_loss", "at_most": 0.01},
        {"metric": "precision", "at_least": 0.8},
    ]
    found = judged(RARE, GOOD, quality_gate=gates)
    assert found["passed"] is False
    assert found["verdict"] == (
        "Does not pass the gate: recall 0.8333 is below 0.9 by 0.0667; log loss 0.1493 is above 0.01 by 0.1393."
    )
    assert [condition["passed"] for condition in found["gate"]["conditions"]] == [True, False, False, True]
    assert found["gate"]["conditions"][1]["missed_by"] == pytest.approx(0.9 - 50 / 60)


def test_end_of_an_interval_can_be_what_counts() -> None:
    gates = [{"metric": "recall", "at_least": 0.8, "bound": "lower"}]
    assert judged(RARE, GOOD, quality_gate=[{"metric": "recall", "at_least": 0.8}])["passed"] is True
    found = judged(RARE, GOOD, quality_gate=gates)
    assert found["passed"] is False
    assert "the lower end of the interval of recall 0.7" in found["verdict"]


def test_threshold_missed_by_a_hair_shows_the_hair() -> None:
    evaluation = of_classes(numpy.array([0, 1] * 50), Answers(numpy.array([0, 1] * 50), None, None), ["No", "Yes"], 1)
    evaluation["accuracy"] = 0.59999999
    found = gate.judge(evaluation, "Accuracy", 0.6, {})
    assert found["verdict"] == "Does not pass the gate: accuracy 0.59999999 is below 0.6 by 1e-08."


def test_metric_that_the_model_gives_no_probabilities_for_is_not_passed_over() -> None:
    evaluation = of_classes(numpy.array([0, 1] * 50), Answers(numpy.array([0, 1] * 50), None, None), ["No", "Yes"], 1)
    found = gate.judge(evaluation, "Accuracy", 0.5, {"quality_gate": [{"metric": "auc", "at_least": 0.7}]})
    assert found["passed"] is False
    assert found["verdict"] == "Does not pass the gate: AUC could not be computed, and must be at least 0.7000."


def test_perfect_model_is_suspicious() -> None:
    assert judged(RARE, RARE)["warnings"][0].startswith("The model is almost perfect (accuracy 1.0000): look for")


def test_classes_that_are_never_found_and_those_that_are_rare_are_named() -> None:
    truth = numpy.array([0] * 60 + [1] * 40 + [2] * 5)
    predicted = numpy.where(truth == 2, 0, truth)
    evaluation = of_classes(truth, Answers(predicted, None, None), ["a", "b", "<c>"], 2)
    warnings = gate.judge(evaluation, "Accuracy", 0.5, {})["warnings"]
    assert "The model finds none of the test rows of class '<c>'." in warnings
    assert any(warning.startswith("Only 5 test rows are of class '<c>'") for warning in warnings)


def test_regression_passes_if_it_beats_the_mean() -> None:
    generator = numpy.random.default_rng(0)
    truth = generator.normal(100, 10, 500)
    honest, useless = truth + generator.normal(0, 9, 500), generator.normal(100, 10, 500)
    threshold = quality.DEFAULT_THRESHOLDS[quality.REGRESSION]
    found = gate.judge(of_numbers(truth, honest), "RMSE", threshold, {})
    assert (found["passed"], found["gate_metric"]) == (True, "r2")
    assert found["verdict"].startswith("Passes the gate: R² 0.")
    found = gate.judge(of_numbers(truth, useless), "RMSE", threshold, {})
    assert found["passed"] is False
    assert found["warnings"][0].startswith("The model is worse than always answering the mean (RMSE 1")


@pytest.mark.parametrize("metric", sorted({*quality.NAMES} - {"cost_per_row"}))
def test_every_metric_that_a_condition_may_name_is_in_the_evaluation(metric: str) -> None:
    generator = numpy.random.default_rng(0)
    truth = generator.integers(0, 3, 300)
    probabilities = generator.dirichlet([1, 1, 1], 300)
    evaluations = {
        quality.BINARY: of_classes(
            numpy.minimum(truth, 1),
            Answers(numpy.minimum(truth, 1), None, numpy.column_stack([1 - probabilities[:, 0], probabilities[:, 0]])),
            ["a", "b"],
            1,
        ),
        quality.MULTICLASS: of_classes(truth, Answers(truth, None, probabilities), ["a", "b", "c"], 2),
        quality.REGRESSION: of_numbers(truth.astype(float), generator.random(300)),
    }
    for problem_type, evaluation in evaluations.items():
        assert (metric in evaluation) == (metric in quality.METRICS[problem_type])
