"""An AutoML job trains real models on real customers, and its candidate serves them with the labels as given."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from automl_pipeline import settings
from automl_pipeline.objectives import OBJECTIVES

from local.aws import api_model
from local.aws.sagemaker.compute import automl, standby
from local.aws.sagemaker.compute.outcome import AutoMLOutcome
from local.aws.sagemaker.compute.serving import ContainerChain

from .conftest import Bucket, Job, telco, to_csv

Row = dict[str, str]
NUMBERS = ("tenure", "monthlycharges", "seniorcitizen")
HEADER_CSV = "text/csv;header=present"
ONE = {"ProblemType": "BinaryClassification", "CompletionCriteria": {"MaxCandidates": 1}}


@pytest.fixture(autouse=True, scope="module")
def _one_import_of_autogluon() -> Iterator[None]:
    standby.prepare()
    yield
    standby.close()


def customers(count: int, label: Callable[[Row], str] = lambda row: row["churn"]) -> list[Row]:
    """Telco's customers with numeric features, two categories as texts, and a target of one's own."""
    kept = (*NUMBERS, "contract", "internetservice")
    return [{name: row[name] for name in kept} | {"target": label(row)} for row in telco(count)]


def request(
    bucket: Bucket, rows: list[Row] | str, config: dict[str, Any] | None = None, metric: str | None = None
) -> dict[str, Any]:
    bucket.put("train/train.csv", rows if isinstance(rows, str) else to_csv(rows))
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": bucket.uri("train/")}}
    return {
        "AutoMLJobName": "automl-test",
        "AutoMLJobInputDataConfig": [{"ChannelType": "training", "ContentType": HEADER_CSV, "DataSource": source}],
        "OutputDataConfig": {"S3OutputPath": bucket.uri("automl/")},
        "RoleArn": "arn:aws:iam::000000000000:role/automl",
        "AutoMLProblemTypeConfig": {"TabularJobConfig": {"TargetAttributeName": "target", **(config or {})}},
        **({"AutoMLJobObjective": {"MetricName": metric}} if metric else {}),
    }


def run(job: Job, given: dict[str, Any], steps: list[str] | None = None) -> AutoMLOutcome:
    return automl.run(given, **job.arguments, progress=(steps if steps is not None else []).append)


def predict(job: Job, outcome: AutoMLOutcome, rows: list[Row], output: str | None = None) -> list[list[str]]:
    """What the best candidate's container answers for rows without header and target."""
    assert outcome.best_candidate is not None, (outcome.failure_reason, job.lines)
    definition = json.loads(json.dumps(outcome.best_candidate["InferenceContainers"][0]))
    if output:
        definition["Environment"]["SAGEMAKER_INFERENCE_OUTPUT"] = output
    features = [{name: value for name, value in row.items() if name != "target"} for row in rows]
    body = to_csv(features, header=False).encode()
    with ContainerChain([definition], s3=job.s3, workdir=job.workdir / "serve", log=job.lines.append) as chain:
        chain.start()
        answer = chain.invoke(body, "text/csv", "text/csv")
    assert (answer.status, answer.content_type) == (200, "text/csv"), answer
    return list(csv.reader(answer.body.decode().splitlines()))


@dataclass
class Trained:
    """A job that trained all models on 1500 customers, and what came of it."""

    bucket: Bucket
    job: Job
    steps: list[str]
    outcome: AutoMLOutcome


@pytest.fixture(scope="module")
def trained(s3_client: Any, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    bucket, job = Bucket(s3_client), Job(s3_client, tmp_path_factory.mktemp("trained"))
    steps: list[str] = []
    given = request(bucket, customers(1500), {"ProblemType": "BinaryClassification"}, "AUC")
    return Trained(bucket, job, steps, run(job, given, steps))


def test_candidates_have_the_apis_shape_and_real_scores(trained: Trained) -> None:
    bucket, job, outcome = trained.bucket, trained.job, trained.outcome
    assert outcome.status == "Completed", (outcome.failure_reason, job.lines)
    assert trained.steps == [
        "AnalyzingData",
        "TrainingModels",
        "GeneratingExplainabilityReport",
        "GeneratingModelInsightsReport",
    ]

    best = outcome.best_candidate
    assert best is not None
    assert best is outcome.candidates[0]
    assert best["FinalAutoMLJobObjectiveMetric"]["MetricName"] == "AUC"
    values = [candidate["FinalAutoMLJobObjectiveMetric"]["Value"] for candidate in outcome.candidates]
    assert values[0] == max(values)
    assert 0.75 < values[0] < 0.95
    metrics = {one["StandardMetricName"]: one["Value"] for one in best["CandidateProperties"]["CandidateMetrics"]}
    assert metrics["AUC"] == pytest.approx(values[0])
    assert 0.7 < metrics["Accuracy"] < 0.9
    assert all(candidate["EndTime"] > candidate["CreationTime"] for candidate in outcome.candidates)

    places = best["CandidateProperties"]["CandidateArtifactLocations"]
    below = bucket.uri("")
    analysis = json.loads(bucket.get(places["Explainability"].removeprefix(below) + "/analysis.json"))
    (explained,) = analysis["explanations"]["kernel_shap"].values()
    assert set(explained["global_shap_values"]) == {*NUMBERS, "contract", "internetservice"}
    assert max(explained["global_shap_values"], key=explained["global_shap_values"].get) in ("contract", "tenure")
    assert 0.2 < explained["expected_value"] < 0.35
    statistics = json.loads(bucket.get(places["ModelInsights"].removeprefix(below) + "/statistics.json"))
    assert statistics["binary_classification_metrics"]["auc"]["value"] == pytest.approx(values[0])
    assert statistics["dataset"]["item_count"] == 1500

    definition = best["InferenceContainers"][0]
    assert "autogluon-inference" in definition["Image"]
    assert definition["Environment"]["SAGEMAKER_INFERENCE_OUTPUT"] == "predicted_label"
    assert definition["ModelDataUrl"].startswith(bucket.uri("automl/automl-test/sagemaker-automl-candidates/model/"))
    assert "automl/automl-test/sagemaker-automl-candidates/leaderboard.csv" in bucket.keys("automl/")

    held_out = [{**row, "target": churn["churn"]} for row, churn in zip(customers(3000), telco(3000), strict=True)][
        1500:
    ]
    answers = predict(job, outcome, held_out, "predicted_label,probability,probabilities,labels")
    assert {answer[0] for answer in answers} == {"Yes", "No"}
    for label, probability, probabilities, labels in answers:
        listed = json.loads(probabilities)
        assert labels == "['No', 'Yes']"
        assert float(probability) == listed[["No", "Yes"].index(label)] == max(listed)
        assert sum(listed) == pytest.approx(1, abs=1e-5)
    right = sum(answer[0] == row["target"] for answer, row in zip(answers, held_out, strict=True))
    assert right / len(held_out) > 0.74


def test_an_answer_does_not_depend_on_the_rows_beside_it(trained: Trained, tmp_path: Path) -> None:
    outcome, job = trained.outcome, Job(trained.job.s3, tmp_path)
    rows = customers(1525)[1500:]
    together = predict(job, outcome, rows, "predicted_label,probability")
    assert outcome.best_candidate is not None
    definition = dict(outcome.best_candidate["InferenceContainers"][0])
    definition["Environment"] = {
        **definition["Environment"],
        "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probability",
    }
    bodies = [to_csv([{name: value for name, value in row.items() if name != "target"}], header=False) for row in rows]
    with ContainerChain([definition], s3=job.s3, workdir=job.workdir / "single", log=job.lines.append) as chain:
        chain.start()
        single = [chain.invoke(body.encode(), "text/csv").body.decode().strip().split(",") for body in bodies]
        assert single == together
        # As strict as Autopilot's own program: every problem is a 500, a character set beside the type is one.
        assert chain.invoke(b"1,2\n", "text/csv").status == 500
        assert chain.invoke(b"\n", "text/csv").status == 500
        assert chain.invoke(bodies[0].encode(), "image/png").status == 500
        assert chain.invoke(bodies[0].encode(), "text/csv; charset=utf-8").status == 500
        assert chain.invoke(bodies[0].encode(), "text/csv", "image/png").status == 500
        missing = chain.invoke(b",,,,\n", "text/csv")
        assert (missing.status, missing.body[:1] in b"YN") == (200, True)
        unseen = chain.invoke(b"1,50.5,0,Never seen,\n", "text/csv")
        assert unseen.status == 200


@pytest.mark.parametrize(
    ("labels", "answered"),
    [
        (("0", "1"), {"0", "1"}),
        (("1.0", "2.0"), {"1.0", "2.0"}),
        (("01", "02"), {"1", "2"}),
        (("false", "true"), {"False", "True"}),
        (("None", "x"), {"None", "x"}),
    ],
)
def test_labels_come_back_as_a_reader_that_infers_types_spells_them(
    bucket: Bucket, job: Job, labels: tuple[str, str], answered: set[str]
) -> None:
    rows = customers(700, lambda row: labels[row["churn"] == "Yes"])
    outcome = run(job, request(bucket, rows, ONE, "F1"))
    assert [candidate["CandidateName"] for candidate in outcome.candidates] == ["LightGBM-BAG-L1-t1"]
    assert {answer[0] for answer in predict(job, outcome, rows)} == answered


def test_multiclass_predicts_every_class(bucket: Bucket, job: Job) -> None:
    def label(row: Row) -> str:
        return {"No": "0", "DSL": "1", "Fiber optic": "2"}[row["internetservice"]]

    rows = [{**row, "internetservice": "?"} for row in customers(900, label)]
    config = {"ProblemType": "MulticlassClassification", "CompletionCriteria": {"MaxCandidates": 2}}
    outcome = run(job, request(bucket, rows, config, "Accuracy"))
    assert len(outcome.candidates) == 2
    answers = predict(job, outcome, rows, "predicted_label,probability,probabilities,labels")
    assert {answer[0] for answer in answers} == {"0", "1", "2"}
    assert answers[0][3] == "['0', '1', '2']"


def test_regression_answers_with_the_value_alone(bucket: Bucket, job: Job) -> None:
    rows = [{**row, "monthlycharges": "0"} for row in customers(900, lambda row: row["monthlycharges"])]
    config = {"ProblemType": "Regression", "CompletionCriteria": {"MaxCandidates": 3}}
    outcome = run(job, request(bucket, rows, config, "RMSE"))
    assert outcome.best_candidate is not None, (outcome.failure_reason, job.lines)
    assert outcome.best_candidate["FinalAutoMLJobObjectiveMetric"]["Value"] > 0
    assert "SAGEMAKER_INFERENCE_OUTPUT" not in outcome.best_candidate["InferenceContainers"][0]["Environment"]
    answers = predict(job, outcome, rows, "predicted_label,probability")
    assert {len(answer) for answer in answers} == {1}
    errors = [abs(float(answer[0]) - float(row["target"])) for answer, row in zip(answers, rows, strict=True)]
    assert sum(errors) / len(errors) < 10


def weighed(rows: list[Row], weight: Callable[[Row], str]) -> list[Row]:
    return [{**row, "w": weight(row)} for row in rows]


def test_weights_count_in_training_and_are_no_feature(bucket: Bucket, job: Job) -> None:
    rows = customers(900)
    shares = {}
    for more in ("1", "20"):
        heavy = weighed(rows, lambda row, more=more: more if row["target"] == "Yes" else "1")
        outcome = run(
            Job(job.s3, job.workdir / more), request(bucket, heavy, {**ONE, "SampleWeightAttributeName": "w"}, "AUC")
        )
        assert outcome.best_candidate is not None, outcome.failure_reason
        answers = predict(Job(job.s3, job.workdir / more), outcome, rows)  # which have no column of weights
        shares[more] = sum(answer == ["Yes"] for answer in answers) / len(answers)
    assert shares["1"] < 0.35
    assert shares["20"] > 0.5


def accuracy_of(outcome: AutoMLOutcome) -> float:
    assert outcome.best_candidate is not None, outcome.failure_reason
    metrics = outcome.best_candidate["CandidateProperties"]["CandidateMetrics"]
    return next(one["Value"] for one in metrics if one["StandardMetricName"] == "Accuracy")


@pytest.mark.parametrize("with_channel", [False, True])
def test_weights_count_in_scores(bucket: Bucket, job: Job, with_channel: bool) -> None:
    """Rows of weight 0 are noise, and would halve the accuracy if they counted."""

    rows = customers(1800, lambda row: "Yes" if row["contract"] == "Two year" else "No")
    flip = random.Random(2)
    noisy = [
        {**row, "target": flip.choice(["Yes", "No"]), "w": "0"} if place % 2 else {**row, "w": "1"}
        for place, row in enumerate(rows)
    ]
    given = request(bucket, noisy, {**ONE, "SampleWeightAttributeName": "w"}, "Accuracy")
    if with_channel:
        bucket.put("check/check.csv", to_csv(noisy[:600]))
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": bucket.uri("check/")}}
        given["AutoMLJobInputDataConfig"].append({"ChannelType": "validation", "DataSource": source})
    outcome = run(job, given)
    assert accuracy_of(outcome) > 0.97
    assert outcome.candidates[0]["FinalAutoMLJobObjectiveMetric"]["Value"] == pytest.approx(accuracy_of(outcome))


def test_rows_without_a_valid_weight_do_not_count(bucket: Bucket, job: Job) -> None:
    rows = weighed(customers(510), lambda _: "1")
    for place, wrong in enumerate(["", "-1", "much", "inf"] * 5):
        rows[place]["w"] = wrong
    given = request(bucket, rows, {"SampleWeightAttributeName": "w"})
    assert "has 490 rows with a target" in (run(job, given).failure_reason or "")


def test_regression_takes_weights(bucket: Bucket, job: Job) -> None:
    rows = weighed(customers(600, lambda row: row["monthlycharges"]), lambda row: row["tenure"] or "0")
    config = {**ONE, "ProblemType": "Regression", "SampleWeightAttributeName": "w"}
    assert run(job, request(bucket, rows, config, "MAE")).status == "Completed"


def metric_of(problem_type: str, objective: str) -> str:
    """What a run's settings ask Autopilot for."""
    given = {"problem_type": problem_type, "objective_metric_name": objective}
    return settings.resolve(given, {"bucket": "bucket"}).objective_metric_name


ASKED = [(kind, name) for name, kinds in OBJECTIVES.items() for kind in kinds]


@pytest.mark.parametrize(("problem_type", "objective"), ASKED)
def test_of_several_classes_the_mean_over_the_classes_is_asked_for(problem_type: str, objective: str) -> None:
    assert metric_of(problem_type, objective).endswith("acro") == (
        objective not in ("Accuracy", "BalancedAccuracy") and problem_type.startswith("Multi")
    )


@pytest.mark.parametrize(
    ("problem_type", "metric"), sorted({(problem_type, metric_of(problem_type, name)) for problem_type, name in ASKED})
)
def test_every_objective_of_the_settings_trains(bucket: Bucket, job: Job, problem_type: str, metric: str) -> None:
    columns = {
        "BinaryClassification": "churn",
        "MulticlassClassification": "contract",
        "Regression": "monthlycharges",
    }
    rows = customers(600, lambda row: row[columns[problem_type]])
    given = request(bucket, rows, {**ONE, "ProblemType": problem_type}, metric)
    assert not api_model.problems("sagemaker", "CreateAutoMLJobV2", given)
    outcome = run(job, given)
    assert outcome.best_candidate is not None, (outcome.failure_reason, job.lines)
    assert outcome.best_candidate["FinalAutoMLJobObjectiveMetric"]["MetricName"] == metric


def test_problem_type_and_objective_are_found_if_not_given(bucket: Bucket, job: Job) -> None:
    config = {"CompletionCriteria": {"MaxCandidates": 1}}
    outcome = run(job, request(bucket, customers(600), config))
    assert outcome.best_candidate is not None, outcome.failure_reason
    assert outcome.best_candidate["FinalAutoMLJobObjectiveMetric"]["MetricName"] == "F1"


def test_validation_channel_is_what_scores_are_from(bucket: Bucket, job: Job) -> None:
    given = request(bucket, customers(700), {"CompletionCriteria": {"MaxCandidates": 1}})
    wrong = customers(900, lambda row: "No" if row["churn"] == "Yes" else "Yes")[700:]
    bucket.put("check/check.csv", to_csv(wrong))
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": bucket.uri("check/")}}
    given["AutoMLJobInputDataConfig"].append({"ChannelType": "validation", "DataSource": source})
    assert accuracy_of(run(job, given)) < 0.5


@pytest.mark.parametrize(
    ("rows", "config", "sentence"),
    [
        (customers(499), {}, "The dataset has 499 rows with a target; Autopilot needs at least 500."),
        (customers(600), {"TargetAttributeName": "gone"}, "The target attribute 'gone' is not a column of train.csv"),
        (customers(600, lambda _: "No"), {}, "The target attribute 'target' has only one value: 'No'."),
        (
            customers(600, lambda row: row["contract"]),
            {"ProblemType": "BinaryClassification"},
            "BinaryClassification needs two classes; 'target' has 3.",
        ),
        (customers(600), {"ProblemType": "Regression"}, "Regression needs numbers; 'target' has 'No'."),
        ([{"a": "1", "target": row["target"]} for row in customers(600)], {}, "there is nothing to learn from"),
        (to_csv(customers(600), header=False), {}, "The first line must be a header."),
        (customers(600), {"Mode": "HYPERPARAMETER_TUNING"}, "Only the modes ENSEMBLING and AUTO"),
        (customers(600), {"SampleWeightAttributeName": "w"}, "The sample weight attribute 'w' is not a column of"),
    ],
)
def test_data_that_autopilot_would_refuse_are_refused(
    bucket: Bucket, job: Job, rows: list[Row], config: dict[str, Any], sentence: str
) -> None:
    outcome = run(job, request(bucket, rows, config))
    assert outcome.status == "Failed"
    assert (outcome.failure_reason or "").startswith("ClientError: ")
    assert sentence in (outcome.failure_reason or "")
    assert bucket.keys("automl/") == []


def test_other_content_types_are_refused(bucket: Bucket, job: Job) -> None:
    given = request(bucket, customers(600))
    given["AutoMLJobInputDataConfig"][0]["ContentType"] = "x-application/vnd.amazon+parquet"
    assert "x-application/vnd.amazon+parquet is not supported" in (run(job, given).failure_reason or "")


def test_rows_without_a_target_do_not_count(bucket: Bucket, job: Job) -> None:
    rows = customers(510)
    rows[:20] = [{**row, "target": ""} for row in rows[:20]]
    assert "has 490 rows with a target" in (run(job, request(bucket, rows)).failure_reason or "")


def test_time_limit_yields_what_was_ready(bucket: Bucket, job: Job) -> None:
    many = customers(3000) * 20
    random.Random(1).shuffle(many)
    config = {"CompletionCriteria": {"MaxAutoMLJobRuntimeInSeconds": 6}}
    outcome = run(job, request(bucket, many, config))
    assert outcome.status == "Completed", (outcome.failure_reason, job.lines)
    assert outcome.candidates


def test_stop_ends_training(bucket: Bucket, job: Job) -> None:
    class StopWhenTraining(list[str]):
        def append(self, step: str) -> None:
            if step == "TrainingModels":
                job.stop.set()

    outcome = run(job, request(bucket, customers(3000)), StopWhenTraining())
    assert outcome.status == "Stopped"
    assert bucket.keys("automl/") == []


def test_without_a_standby_process_the_program_is_started_anew(
    bucket: Bucket, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How it works where forking after imports is not sound."""
    monkeypatch.setattr(standby, "AVAILABLE", False)
    outcome = run(job, request(bucket, customers(600), ONE, "F1"))
    assert predict(job, outcome, customers(3))


def test_threads_that_wait_for_one_another_leave_the_cores_to_others() -> None:
    if not standby.AVAILABLE:
        pytest.skip("no standby process on this system")
    # Read when the libraries are loaded: what a container's own environment says comes too late after the fork.
    assert psutil.Process(standby._get()._process.pid).environ()["OMP_WAIT_POLICY"] == "PASSIVE"


def test_a_standby_process_that_died_is_replaced(bucket: Bucket, job: Job) -> None:
    if not standby.AVAILABLE:
        pytest.skip("no standby process on this system")
    dead = standby._get()._process
    dead.kill()
    dead.wait()
    outcome = run(job, request(bucket, customers(600), ONE, "F1"))
    assert outcome.status == "Completed", outcome.failure_reason
