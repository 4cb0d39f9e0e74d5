"""Metrics, intervals and thresholds: each number is scikit-learn's, with weights as without, and what is said of chance holds."""

from __future__ import annotations

from typing import Any

import metrics
import numpy
import pytest
import registry
import thresholds
from evaluation import Costs, of_classes, of_numbers
from intervals import bootstrap, interval
from predictions import Answers
from sklearn import metrics as reference

GENERATOR = numpy.random.default_rng(7)
WEIGHTS = {"each row once": numpy.ones(400), "drawn with replacement": GENERATOR.multinomial(400, [1 / 400] * 400)}


def binary_rows(share: float = 0.3, rows: int = 400, seed: int = 0) -> tuple[numpy.ndarray, numpy.ndarray, Answers]:
    """Truth, the positive class's score (with ties, as of trees) and the answers."""
    generator = numpy.random.default_rng(seed)
    truth = (generator.random(rows) < share).astype(int)
    score = numpy.clip(generator.normal(0.35 + 0.25 * truth, 0.2), 0, 1).round(2)
    predicted = (score >= 0.5).astype(int)
    probabilities = numpy.column_stack([1 - score, score])
    return truth, score, Answers(predicted, probabilities[numpy.arange(rows), predicted], probabilities)


def several_rows(classes: int = 4, rows: int = 400) -> tuple[numpy.ndarray, Answers]:
    generator = numpy.random.default_rng(1)
    truth = generator.choice(classes, rows, p=numpy.array([4, 3, 2, 1])[:classes] / 10)
    probabilities = generator.dirichlet(numpy.ones(classes), rows) + 0.4 * numpy.eye(classes)[truth]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    return truth, Answers(predicted, probabilities.max(axis=1), probabilities)


@pytest.mark.parametrize("drawn", WEIGHTS)
@pytest.mark.parametrize("positive", [0, 1])
def test_metrics_of_two_classes_are_those_of_scikit_learn(positive: int, drawn: str) -> None:
    truth, _, answers = binary_rows()
    assert answers.probabilities is not None
    weights, score = WEIGHTS[drawn].astype(float), answers.probabilities[:, positive]
    of_class: dict[str, Any] = {"pos_label": positive, "sample_weight": weights}
    false_positives = weights[(truth != positive) & (answers.predicted == positive)].sum()
    false_negatives = weights[(truth == positive) & (answers.predicted != positive)].sum()
    model, _ = metrics.binary(truth, answers, positive, (1, 5))
    assert model(weights) == pytest.approx(
        {
            "accuracy": reference.accuracy_score(truth, answers.predicted, sample_weight=weights),
            "precision": reference.precision_score(truth, answers.predicted, **of_class),
            "recall": reference.recall_score(truth, answers.predicted, **of_class),
            "f1_score": reference.f1_score(truth, answers.predicted, **of_class),
            "balanced_accuracy": reference.balanced_accuracy_score(truth, answers.predicted, sample_weight=weights),
            "matthews_correlation": reference.matthews_corrcoef(truth, answers.predicted, sample_weight=weights),
            "auc": reference.roc_auc_score(truth == positive, score, sample_weight=weights),
            "average_precision": reference.average_precision_score(truth == positive, score, sample_weight=weights),
            "log_loss": reference.log_loss(truth == positive, score, sample_weight=weights),
            "brier_score": reference.brier_score_loss(truth == positive, score, sample_weight=weights),
            "cost_per_row": (false_positives + 5 * false_negatives) / weights.sum(),
        }
    )


@pytest.mark.parametrize("drawn", WEIGHTS)
def test_metrics_of_several_classes_are_those_of_scikit_learn(drawn: str) -> None:
    truth, answers = several_rows()
    assert answers.probabilities is not None
    weights = WEIGHTS[drawn].astype(float)
    weighted: dict[str, Any] = {"sample_weight": weights}
    expected = {
        "accuracy": reference.accuracy_score(truth, answers.predicted, **weighted),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, answers.predicted, **weighted),
        "matthews_correlation": reference.matthews_corrcoef(truth, answers.predicted, **weighted),
        "log_loss": reference.log_loss(truth, answers.probabilities, **weighted),
        "auc": numpy.mean(
            [reference.roc_auc_score(truth == k, answers.probabilities[:, k], **weighted) for k in range(4)]
        ),
    }
    for name in ("precision", "recall", "f1_score"):
        score = getattr(reference, name if name == "f1_score" else f"{name}_score")
        expected[name] = score(truth, answers.predicted, average="macro", **weighted)
        expected[f"weighted_{name}"] = score(truth, answers.predicted, average="weighted", **weighted)
    model, _ = metrics.multiclass(truth, answers, 4)
    assert model(weights) == pytest.approx(expected)
    if drawn == "each row once":
        assert expected["auc"] == pytest.approx(
            reference.roc_auc_score(truth, answers.probabilities, multi_class="ovr", average="macro")
        )


@pytest.mark.parametrize("drawn", WEIGHTS)
@pytest.mark.parametrize("rows", [399, 400])
def test_metrics_of_a_regression_are_those_of_scikit_learn(drawn: str, rows: int) -> None:
    generator = numpy.random.default_rng(2)
    truth = generator.normal(100, 10, rows)
    predicted = truth + generator.normal(1, 5, rows)
    weights = WEIGHTS[drawn][:rows].astype(float)
    model, _ = metrics.regression(truth, predicted)
    repeated = numpy.repeat(numpy.arange(rows), weights.astype(int))
    mse = reference.mean_squared_error(truth, predicted, sample_weight=weights)
    assert model(weights) == pytest.approx(
        {
            "r2": reference.r2_score(truth, predicted, sample_weight=weights),
            "rmse": mse**0.5,
            "mse": mse,
            "mae": reference.mean_absolute_error(truth, predicted, sample_weight=weights),
            "median_absolute_error": reference.median_absolute_error(truth[repeated], predicted[repeated]),
        }
    )


def test_each_class_has_its_own_metrics_and_support() -> None:
    truth, answers = several_rows()
    labels = ["a", "b", "c", "d"]
    found = of_classes(truth, answers, labels, 3)["per_class"]
    columns: Any = reference.precision_recall_fscore_support(truth, answers.predicted)
    assert [row["label"] for row in found] == labels
    for row, *expected in zip(found, *columns, strict=True):
        assert [row[name] for name in ("precision", "recall", "f1_score", "support")] == pytest.approx(expected)


def constant(truth: numpy.ndarray, classes: int) -> Answers:
    shares = numpy.bincount(truth, minlength=classes) / len(truth)
    probabilities = numpy.tile(shares, (len(truth), 1))
    predicted = numpy.full(len(truth), shares.argmax())
    return Answers(predicted, probabilities.max(axis=1), probabilities)


@pytest.mark.parametrize("positive", [0, 1])
def test_baseline_is_a_model_that_always_answers_the_most_frequent_class(positive: int) -> None:
    truth, _, answers = binary_rows()
    model, _ = metrics.binary(truth, constant(truth, 2), positive)
    _, baseline = metrics.binary(truth, answers, positive)
    assert baseline(numpy.ones(400)) == pytest.approx(model(numpy.ones(400)))


def test_baseline_of_several_classes_likewise() -> None:
    truth, answers = several_rows()
    model, _ = metrics.multiclass(truth, constant(truth, 4), 4)
    _, baseline = metrics.multiclass(truth, answers, 4)
    assert baseline(numpy.ones(400)) == pytest.approx(model(numpy.ones(400)))


def test_baseline_of_a_regression_is_the_mean_or_for_absolute_errors_the_median() -> None:
    truth = numpy.random.default_rng(3).exponential(10, 400)
    _, baseline = metrics.regression(truth, truth)
    found, mean, median = baseline(numpy.ones(400)), numpy.full(400, truth.mean()), numpy.full(400, numpy.median(truth))
    assert found["r2"] == pytest.approx(reference.r2_score(truth, mean))
    assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(truth, mean))
    assert found["mae"] == pytest.approx(reference.mean_absolute_error(truth, median))


def test_interval_of_a_share_is_that_of_the_binomial_distribution() -> None:
    truth, _, answers = binary_rows(rows=2000)
    found = of_classes(truth, answers, ["No", "Yes"], 1)
    accuracy, said = found["accuracy"], found["intervals"]["accuracy"]
    deviation = (accuracy * (1 - accuracy) / 2000) ** 0.5
    assert said["standard_deviation"] == pytest.approx(deviation, rel=0.15)
    assert (said["lower"], said["upper"]) == pytest.approx(
        (accuracy - 1.96 * deviation, accuracy + 1.96 * deviation), abs=0.4 * deviation
    )


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = numpy.random.default_rng(4)
    truth, _, population = binary_rows(rows=200_000)
    assert population.probabilities is not None
    expected = reference.roc_auc_score(truth, population.probabilities[:, 1])
    held = 0
    for _ in range(60):
        rows = generator.choice(200_000, 300, replace=False)
        some = Answers(population.predicted[rows], None, population.probabilities[rows])
        said = of_classes(truth[rows], some, ["No", "Yes"], 1)["intervals"]["auc"]
        held += said["lower"] <= expected <= said["upper"]
    assert held >= 51  # of 60, where 57 are expected


def test_interval_of_many_rows_from_a_part_of_them_is_that_of_all() -> None:
    truth, _, answers = binary_rows(share=0.01, rows=120_000)
    assert answers.probabilities is not None
    probabilities = answers.probabilities

    def make(rows: numpy.ndarray) -> tuple[metrics.Statistic, ...]:
        return metrics.binary(truth[rows], Answers(answers.predicted[rows], None, probabilities[rows]), 1)

    values = [statistic(numpy.ones(len(truth))) for statistic in make(numpy.arange(len(truth)))]
    part, _ = bootstrap(make, values, len(truth), rarest=int(truth.sum()))
    found, recall = interval(part["recall"]), values[0]["recall"]
    assert found is not None
    assert found["standard_deviation"] == pytest.approx((recall * (1 - recall) / truth.sum()) ** 0.5, rel=0.3)
    assert found["lower"] < recall < found["upper"]


def test_difference_to_the_baseline_is_paired() -> None:
    truth, _, answers = binary_rows()
    found = of_classes(truth, answers, ["No", "Yes"], 1)
    better = (answers.predicted == truth).astype(float) - (truth == 0)
    difference = found["baseline"]["difference"]["accuracy"]
    assert difference["value"] == pytest.approx(better.mean())
    assert difference["standard_deviation"] == pytest.approx(better.std() / 400**0.5, rel=0.15)


def test_same_rows_give_the_same_evaluation() -> None:
    truth, _, answers = binary_rows()
    assert of_classes(truth, answers, ["No", "Yes"], 1) == of_classes(truth, answers, ["No", "Yes"], 1)


def test_registry_is_given_weighted_averages_under_their_names_and_deviations() -> None:
    truth, answers = several_rows()
    found = of_classes(truth, answers, ["a", "b", "c", "d"], 3)["multiclass_classification_metrics"]
    assert found["weighted_f1"]["value"] == pytest.approx(
        reference.f1_score(truth, answers.predicted, average="weighted")
    )
    assert found["weighted_precision"]["value"] == pytest.approx(
        reference.precision_score(truth, answers.predicted, average="weighted")
    )
    assert found["weighted_recall"]["value"] == pytest.approx(found["accuracy"]["value"])
    assert found["accuracy"]["standard_deviation"] > 0


@pytest.mark.parametrize("positive", [0, 1])
def test_registry_is_given_the_rates_of_the_positive_class(positive: int) -> None:
    truth, _, answers = binary_rows()
    found = of_classes(truth, answers, ["No", "Yes"], positive)["binary_classification_metrics"]
    assert found["true_positive_rate"]["value"] == pytest.approx(found["recall"]["value"])
    assert found["true_negative_rate"]["value"] == pytest.approx(
        reference.recall_score(truth, answers.predicted, pos_label=1 - positive)
    )
    assert found["confusion_matrix"]["No"]["Yes"] == int(((truth == 0) & (answers.predicted == 1)).sum())


def test_what_the_registry_takes_of_a_class_are_its_letters() -> None:
    event = {
        "settings": {"problem_type": "BinaryClassification", "objective_metric_name": "AUC"},
        "target_attribute_name": "churn",
        "deployment": {},
    }
    document = {"positive_class": 'Yes, "I do" <3' + "x" * 300, "rows": 100, "warnings": ["one"]}
    found = registry.customer_metadata(event, document, {"data_sha256": "a" * 64})
    assert found["positive_class"].startswith("Yes_ _I do_ _3xx")
    assert all(len(text) <= 256 for text in found.values())
    assert (found["test_rows"], found["warnings"], found["data_fingerprint"]) == ("100", "1", "a" * 64)


def test_threshold_is_chosen_on_one_half_and_reported_on_the_other() -> None:
    truth, score, answers = binary_rows(rows=2000)
    found = thresholds.describe(truth == 1, score, answers.predicted == 1, applied=None, costs=None)["suggested"]
    assert found["rows_chosen_on"] + found["rows_reported_on"] == 2000


def test_what_a_threshold_gains_on_noise_is_not_reported() -> None:
    costs, gained = (1.0, 1.0), []
    for seed in range(30):
        generator = numpy.random.default_rng(seed)
        positive, noise = generator.random(100) < 0.5, generator.random(100)
        found = thresholds.describe(positive, noise, noise >= 0.5, applied=None, costs=costs)
        best = min(point["false_positives"] + point["false_negatives"] for point in found["curve"])
        gained.append((found["suggested"]["cost_per_row"], best / found["suggested"]["rows_chosen_on"]))
    reported, chosen = numpy.mean(gained, axis=0)
    assert chosen < 0.43  # on the rows it was chosen on, luck looks like skill
    assert reported == pytest.approx(0.5, abs=0.03)


def test_suggested_threshold_has_the_best_f1_of_the_curve() -> None:
    truth, score, answers = binary_rows(share=0.1, rows=2000)
    found = thresholds.describe(truth == 1, score, answers.predicted == 1, applied=None, costs=None)
    by_threshold = {
        point["threshold"]: 2
        * point["true_positives"]
        / (2 * point["true_positives"] + point["false_positives"] + point["false_negatives"])
        for point in found["curve"]
    }
    assert by_threshold[found["suggested"]["threshold"]] == max(by_threshold.values())
    assert found["suggested"]["f1_score"] > found["suggested"]["without_it"]["f1_score"]


def test_dear_misses_lower_the_threshold() -> None:
    truth, score, answers = binary_rows(rows=4000)
    suggested = [
        thresholds.describe(truth == 1, score, answers.predicted == 1, applied=None, costs=costs)["suggested"]
        for costs in ((1.0, 1.0), (1.0, 10.0))
    ]
    assert suggested[1]["threshold"] < suggested[0]["threshold"]
    assert suggested[1]["cost_per_row"] < suggested[1]["without_it"]["cost_per_row"]


def test_decision_threshold_changes_the_answers_that_are_judged_and_not_the_probabilities() -> None:
    truth, score, answers = binary_rows()
    plain = of_classes(truth, answers, ["No", "Yes"], 1)
    lower = of_classes(truth, answers, ["No", "Yes"], 1, decision_threshold=0.3, costs=Costs(1, 5))
    assert lower["recall"] == pytest.approx(reference.recall_score(truth, score >= 0.3))
    assert lower["recall"] > plain["recall"]
    assert lower["auc"] == plain["auc"]
    assert (lower["threshold"]["applied"], plain["threshold"]["applied"]) == (0.3, None)
    assert lower["cost_per_row"] < lower["baseline"]["metrics"]["cost_per_row"]


def test_curves_are_scikit_learns_at_their_points() -> None:
    truth, score, answers = binary_rows()
    roc = of_classes(truth, answers, ["No", "Yes"], 1)["curves"]["roc"]
    false, true, _ = reference.roc_curve(truth, score, drop_intermediate=False)
    assert roc["false_positive_rates"] == pytest.approx(false.tolist())
    assert roc["true_positive_rates"] == pytest.approx(true.tolist())


def test_residual_quantiles_are_those_of_truth_minus_prediction() -> None:
    truth = numpy.random.default_rng(6).normal(size=400)
    found = of_numbers(truth, truth - 2)["residuals"]
    assert list(found["quantiles"].values()) == pytest.approx([2] * len(found["quantiles"]))
    assert len(found["sample"]) == 400
