"""The serving model on the same test rows: when it causes a new model to be refused, and how the result is reported."""

from __future__ import annotations

from typing import Any

import champion
import evaluation
import gate
import numpy
import predictions
import pytest
from evaluation import Champion
from predictions import Answers

SERVES = {"version": 4, "model_name": "m-4", "endpoint_name": "e", "error": None}
LABELS = ["No", "Yes"]


def answers(score: Any) -> Answers:
    return Answers((score >= 0.5).astype(int), None, numpy.column_stack([1 - score, score]))


def table(rows: int = 2000) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Truth, and the probability that a good model gives."""
    generator = numpy.random.default_rng(1)
    score = generator.beta(0.5, 0.5, rows)
    return (generator.random(rows) < score).astype(int), score


def noisy(score: numpy.ndarray, share: float) -> numpy.ndarray:
    """The probabilities of a model that guesses in a share of the rows."""
    generator = numpy.random.default_rng(2)
    return numpy.where(generator.random(len(score)) < share, generator.random(len(score)), score)


def judged(
    model: numpy.ndarray, serving: numpy.ndarray, *, objective: str = "Accuracy", rows: int = 2000, **settings: Any
) -> dict[str, Any]:
    """evaluation.json of a model beside one that serves, each given by its probabilities."""
    truth, _ = table(rows)
    found = evaluation.of_classes(truth, answers(model), LABELS, 1, champion=Champion(answers(serving)))
    against = champion.judge(found, SERVES, objective, settings)
    return {**found, **gate.judge(found, objective, 0.5, settings, champion=against)}


def test_worse_model_says_so_in_its_first_line_and_is_refused_where_that_is_required() -> None:
    _, good = table()
    found = judged(noisy(good, 0.3), good)
    loss, interval = -found["champion"]["difference"]["accuracy"]["value"], found["champion"]["difference"]["accuracy"]
    sentence = (
        f"the model loses {loss:.4f} in accuracy (95 % interval {-interval['upper']:.4f} to {-interval['lower']:.4f}) "
        "against version 4, which serves now"
    )
    assert found["passed"] is True
    assert found["verdict"].endswith(f" is at least 0.5. But {sentence}.")
    assert found["warnings"][0].startswith(f"T{sentence[1:]}. It may have been trained on some of these rows")
    required = judged(noisy(good, 0.3), good, champion="Require")
    assert required["passed"] is False
    assert required["verdict"] == f"Does not pass the gate: {sentence}."


@pytest.mark.parametrize("objective", ["Accuracy", "AUC", "F1", "Precision", "Recall", "BalancedAccuracy"])
def test_difference_is_that_of_the_two_models_own_metrics(objective: str) -> None:
    truth, good = table()
    found = judged(good, noisy(good, 0.3), objective=objective)
    alone = evaluation.of_classes(truth, answers(noisy(good, 0.3)), LABELS, 1)
    metric = found["champion"]["metric"]
    assert metric == gate.objective_metric(objective)
    assert found["champion"]["champion_value"] == alone[metric]
    assert found["champion"]["difference"][metric]["value"] == found[metric] - alone[metric]
    assert found["champion"]["metrics"] == {name: alone[name] for name in found["champion"]["metrics"]}


def test_interval_is_of_the_same_rows_and_so_narrower_than_of_two_tests() -> None:
    _, good = table()
    found = judged(noisy(good, 0.05), good)
    paired = found["champion"]["difference"]["accuracy"]["standard_deviation"]
    assert paired < 0.6 * found["intervals"]["accuracy"]["standard_deviation"]


def test_same_answers_are_as_good_and_pass() -> None:
    _, good = table()
    found = judged(good, good, champion="Require")
    assert found["passed"] is True
    assert found["verdict"].endswith("; the model is as good in accuracy as version 4, which serves now.")
    assert found["warnings"] == []


def test_better_model_says_by_how_much() -> None:
    _, good = table()
    found = judged(good, noisy(good, 0.3))
    assert "; the model gains 0." in found["verdict"]
    assert found["verdict"].endswith(") over version 4, which serves now.")
    assert found["warnings"] == []


def test_loss_that_other_rows_could_reverse_is_reported_and_not_refused() -> None:
    _, good = table(rows=200)
    found = judged(noisy(good, 0.03), good, rows=200, champion="Require")
    assert found["passed"] is True
    assert " (95 % interval: a loss of 0." in found["warnings"][0]
    assert found["warnings"][0].endswith("so little that other test rows could have shown the opposite.")


def test_margin_is_what_a_model_may_lose() -> None:
    _, good = table()
    found = judged(noisy(good, 0.3), good, champion="Require", champion_margin=0.2)
    assert found["passed"] is True
    assert "which serves now, within the margin of 0.2000" in found["verdict"]
    found = judged(noisy(good, 0.3), good, champion="Require", champion_margin=0.01)
    assert found["passed"] is False
    assert found["verdict"].endswith("which serves now, more than the margin of 0.0100.")


@pytest.mark.parametrize("objective", ["RMSE", "MAE", "MSE"])
def test_of_errors_less_is_better(objective: str) -> None:
    generator = numpy.random.default_rng(0)
    truth = generator.normal(100, 10, 1000)
    close, far = truth + generator.normal(0, 2, 1000), truth + generator.normal(0, 4, 1000)
    for model, serving, passed, word in ((close, far, True, "gains"), (far, close, False, "loses")):
        found = evaluation.of_numbers(truth, model, champion=serving)
        against = champion.judge(found, SERVES, objective, {"champion": "Require"})
        assert (against["passed"], against["metric"]) == (passed, objective.lower())
        assert f" {word} " in against["sentence"]


def test_champion_that_cannot_be_evaluated_is_said_and_refuses_only_where_it_is_required() -> None:
    truth, good = table()
    found = evaluation.of_classes(truth, answers(good), LABELS, 1)
    broken = SERVES | {"error": "Version 4, which serves now, could not be evaluated: column 'age' is missing."}
    for stance, passed in (("Report", True), ("Require", False)):
        against = champion.judge(found, broken, "Accuracy", {"champion": stance})
        result = gate.judge(found, "Accuracy", 0.5, {"champion": stance}, champion=against)
        assert result["passed"] is passed
        assert "ersion 4, which serves now, could not be evaluated: column 'age' is missing." in result["verdict"]
        assert result["warnings"][0] == broken["error"]


def test_first_model_passes_where_a_champion_is_required() -> None:
    truth, good = table()
    found = evaluation.of_classes(truth, answers(good), LABELS, 1)
    assert gate.judge(found, "Accuracy", 0.5, {"champion": "Require"})["passed"] is True


def written(labels: list[str], classes: list[str], score: numpy.ndarray) -> list[bytes]:
    """The lines of Autopilot's answers, of these classes."""
    return [
        f'{labels[code]},"{[1 / len(classes)] * len(classes)}","{classes}"\n'.encode()
        for code in (score >= 0.5).astype(int)
    ]


def test_champion_of_other_classes_is_compared_by_right_answers_and_said() -> None:
    truth, good = table()
    read, classes = predictions.read_champion(written(["Maybe", "Yes"], ["Maybe", "Yes"], good), LABELS)
    assert classes == ["Maybe", "Yes"]
    found = evaluation.of_classes(truth, answers(good), LABELS, 1, champion=Champion(read, classes))
    against = champion.judge(found, SERVES, "AUC", {}, classes)
    assert against["metric"] == "accuracy"
    assert against["champion_value"] == ((good >= 0.5) & (truth == 1)).mean()
    assert against["metrics"]["recall"] == found["recall"]
    assert "knows other classes than this table has ('Maybe', 'Yes')" in against["warnings"][0]


@pytest.mark.parametrize(
    ("classes", "other"),
    [(["No", "Yes"], False), (["Yes", "No"], False), (["no", "YES"], False), (["a", "No", "Yes"], True)],
)
def test_classes_are_others_only_if_their_names_are(classes: list[str], other: bool) -> None:
    _, good = table(rows=50)
    read, found = predictions.read_champion(written(["No", "Yes"], classes, good), LABELS)
    assert (bool(found), read.probabilities is None) == (other, other)


def test_champion_that_lacks_a_class_is_one_of_other_classes() -> None:
    _, good = table(rows=50)
    read, found = predictions.read_champion(written(["No", "Yes"], ["No", "Yes"], good), ["No", "Perhaps", "Yes"])
    assert found == ["No", "Yes"]
    assert sorted({*read.predicted.tolist()}) == [0, 2]


def test_champion_of_another_problem_cannot_be_compared() -> None:
    with pytest.raises(predictions.UnusablePredictionsError, match=r"It answers '0.5', '1.5', and none of 'No', 'Yes'"):
        predictions.read_champion([b"0.5\n", b"1.5\n"], LABELS)
    with pytest.raises(
        predictions.UnusablePredictionsError, match=r"The model answers classes, \['No', 'Yes'\], and not"
    ):
        predictions.read_regression(written(LABELS, LABELS, numpy.zeros(3)))


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_champion_that_is_endlessly_far_off_is_not_written_down() -> None:
    truth = numpy.arange(100.0)
    found = evaluation.of_numbers(truth, truth + 1, champion=numpy.full(100, 1e300))
    against = champion.judge(found, SERVES, "RMSE", {})
    assert (
        against["error"]
        == "Version 4, which serves now, could not be evaluated: its answers are too far off to be measured."
    )
