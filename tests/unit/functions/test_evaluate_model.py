"""EvaluateModel: answers are matched with labels, metrics are scikit-learn's, and the report shows any name as text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import boto3
import numpy
import pytest
from botocore.stub import Stubber
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from tests.examples import examples

from .conftest import BUCKET, Context, load

RUN = f"s3://{BUCKET}/mlops/automl_training/runs/r1/"
EVENT = {
    "run_id": "r1",
    "uris": {
        "train": f"{RUN}data/train/",
        "test": f"{RUN}data/test/",
        "predictions": f"{RUN}evaluation/predictions/",
        "preprocessing": f"{RUN}preprocessing/",
        "evaluation_input": f"{RUN}evaluation/input/",
        "evaluation": f"{RUN}evaluation/evaluation.json",
        "report": f"{RUN}evaluation/report.html",
        "deployment": f"{RUN}registration/deployment.json",
    },
    "deployment": {"autoscaling": "switched off"},
    "model_archives": [f"{RUN}preprocessing/model.tar.gz"],
    "target_attribute_name": "churn",
    "settings": {
        "problem_type": "BinaryClassification",
        "objective_metric_name": "Accuracy",
        "accuracy_threshold": 0.5,
    },
}
HOSTILE = ["<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "&lt;b&gt;", "=1+1", "$run ${run} %s {0}", "a\n\x1b[31m",
           "\u202egnp.exe", "x" * 5000, "</table><h1>", "é, \"q\""]  # fmt: skip
NAMES = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8
)

Evaluate = Callable[..., dict[str, Any]]


def as_csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue()


@pytest.fixture(scope="module")
def evaluate(s3: Any) -> Iterator[Evaluate]:
    """The function, on true labels and the model's answers (lists of cells) in the rows' order."""
    app = load("evaluate_model")

    def run(
        truth: list[Any],
        answers: list[list[Any]],
        labels: list[str],
        *,
        serving: Sequence[list[Any]] = (),
        prepared: dict[str, Any] | None = None,
        **event: Any,
    ) -> dict[str, Any]:
        for place, body in (
            ("preprocessing/preprocessing.json", json.dumps({"labels": labels, **(prepared or {})})),
            ("preprocessing/model.tar.gz", "the archive"),
            ("data/test/test.csv", as_csv([["age", "churn"], *([1, label] for label in truth)])),
            ("evaluation/input/part-00000.jsonl", "".join(f'{{"age": {number}}}\n' for number in range(len(truth)))),
            ("evaluation/predictions/part-00000.jsonl.out", as_csv(answers)),
            *([("evaluation/champion/part-00000.jsonl.out", as_csv([*serving]))] if serving else []),
        ):
            s3.put_object(Bucket=BUCKET, Key=f"mlops/automl_training/runs/r1/{place}", Body=body.encode())
        laid_over = {name: {**EVENT[name], **event.pop(name, {})} for name in ("settings", "uris")}
        answer = app.handler({**EVENT, **event, **laid_over}, Context())
        json.dumps(answer, allow_nan=False)  # what Lambda answers must be JSON
        return answer

    run.UnusablePredictionsError = app.UnusablePredictionsError  # pyright: ignore[reportFunctionMemberAccess]
    run.app = app  # pyright: ignore[reportFunctionMemberAccess]
    yield run


def written(s3: Any, name: str) -> str:
    folder = "registration" if name == "deployment.json" else "evaluation"
    key = f"mlops/automl_training/runs/r1/{folder}/{name}"
    return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()


class Reader(HTMLParser):
    """What a browser makes of a page: its elements, their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_metrics_are_those_of_scikit_learn(evaluate: Evaluate, s3: Any) -> None:
    generator = numpy.random.default_rng(0)
    truth = generator.choice(["No", "Yes"], 300).tolist()
    score = generator.random(300)
    answers = [["Yes", p] if p >= 0.5 else ["No", 1 - p] for p in score]
    answer = evaluate(truth, answers, ["No", "Yes"])
    positive, predicted = numpy.array(truth) == "Yes", score >= 0.5
    expected = {
        "accuracy": reference.accuracy_score(positive, predicted),
        "precision": reference.precision_score(positive, predicted),
        "recall": reference.recall_score(positive, predicted),
        "f1_score": reference.f1_score(positive, predicted),
        "auc": reference.roc_auc_score(positive, score),
    }
    assert {name: answer["metrics"][name] for name in expected} == pytest.approx(expected)
    document = json.loads(written(s3, "evaluation.json"))
    assert {name: document[name] for name in expected} == pytest.approx(expected)
    assert (answer["gate_value"], answer["rows"]) == (answer["metrics"]["accuracy"], 300)


SERVING = {"version": 4, "model_name": "m", "endpoint_name": "e", "predictions_uri": f"{RUN}evaluation/champion/"}


def test_what_serves_is_judged_by_its_answers_to_the_same_rows(evaluate: Evaluate, s3: Any) -> None:
    truth = ["No", "Yes"] * 100
    wrong, right = [[label, 0.9] for label in ["No", "No"] * 100], [[label, 0.9] for label in truth]
    answer = evaluate(truth, wrong, ["No", "Yes"], serving=right, champion=SERVING, settings={"champion": "Require"})
    assert answer["passed"] is False
    assert answer["champion"] == {
        "version": 4, "metric": "accuracy", "champion_value": 1.0, "passed": False, "error": None,
        "sentence": answer["verdict"].removeprefix("Does not pass the gate: ").removesuffix("."),
    }  # fmt: skip
    assert answer["verdict"].startswith("Does not pass the gate: the model loses 0.5000 in accuracy (95 % interval 0.")
    document = json.loads(written(s3, "evaluation.json"))
    assert document["champion"]["difference"]["accuracy"]["value"] == -0.5
    assert document["champion"]["endpoint_name"] == "e"


@pytest.mark.parametrize(
    ("serving", "given", "said"),
    [
        ([["Yes", 0.9]] * 3, {}, "It gave 3 answers for 4 rows."),
        ([["Maybe", 0.9]] * 4, {}, "It answers 'Maybe', and none of 'No', 'Yes'."),
        ([["Yes", "high"]] * 4, {}, 'Line 1 of the model\'s answers cannot be read: \'"Yes","high"\'.'),
        (
            [],
            {"predictions_uri": f"{RUN}evaluation/nothing/"},
            f"Batch transform left no answers under {RUN}evaluation/nothing/.",
        ),
    ],
)
def test_what_serves_and_cannot_be_judged_is_said(
    evaluate: Evaluate, serving: list[list[Any]], given: dict[str, Any], said: str
) -> None:
    truth = ["No", "Yes", "No", "Yes"]
    answer = evaluate(
        truth, [[label, 0.9] for label in truth], ["No", "Yes"], serving=serving, champion=SERVING | given
    )
    assert answer["passed"] is True
    assert answer["champion"]["error"] == f"Version 4, which serves now, could not be evaluated: {said}"
    assert answer["champion"]["error"] in answer["warnings"]


def test_champions_answers_that_cannot_be_read_are_a_reason_and_no_failure(evaluate: Evaluate, s3: Any) -> None:
    key = "mlops/automl_training/runs/r1/evaluation/garbage/part-00000.jsonl.out"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"\x00\xff\xfe<html>")
    champion = {**SERVING, "predictions_uri": f"{RUN}evaluation/garbage/"}
    answer = evaluate(["Yes", "No"], [["Yes"], ["No"]], ["No", "Yes"], champion=champion)
    assert "cannot be read" in answer["champion"]["error"]


def test_archives_that_were_evaluated_are_named_for_the_deployment_and_the_registry(
    evaluate: Evaluate, s3: Any
) -> None:
    answer = evaluate(["Yes", "No"], [["Yes"], ["No"]], ["No", "Yes"])
    key = "mlops/automl_training/runs/r1/preprocessing/model.tar.gz"
    etag = s3.head_object(Bucket=BUCKET, Key=key)["ETag"]
    document = json.loads(written(s3, "deployment.json"))
    assert document["archives"] == [{"bucket": BUCKET, "key": key, "etag": etag}]
    assert document["autoscaling"] == "switched off"
    assert answer["registry"]["archive_etags"] == etag.strip('"')


def test_slices_are_of_the_encoded_columns_that_were_asked_for(evaluate: Evaluate, s3: Any) -> None:
    truth = ["No", "Yes"] * 50
    features = [{"name": "age", "kind": "numeric", "median": 1.0}, {"name": "other", "kind": "numeric", "median": 1.0}]
    evaluate(
        truth, [[label, 0.9] for label in truth], ["No", "Yes"],
        settings={"report_slices": ["Age"]}, prepared={"features": features},
    )  # fmt: skip
    (found,) = json.loads(written(s3, "evaluation.json"))["slices"]
    assert (found["column"], found["metric"]) == ("age", "accuracy")
    assert [(group["name"], group["rows"], group["value"]) for group in found["groups"]] == [("1", 100, 1.0)]


def test_known_row_is_the_one_that_the_model_is_surest_of(evaluate: Evaluate, s3: Any) -> None:
    evaluate(["No", "Yes", "No"], [["No", 0.6], ["Yes", 0.9], ["No", 0.7]], ["No", "Yes"])
    assert json.loads(written(s3, "deployment.json"))["known_row"] == {
        "row": {"age": 1},
        "answer": '"Yes"',
        "value": None,
    }


def test_answers_of_several_files_are_those_of_the_rows_in_the_order_of_the_names(evaluate: Evaluate, s3: Any) -> None:
    run = "mlops/automl_training/runs/several"
    truth = [["No", "Yes"][number % 3 == 0] for number in range(50)]
    lines = [f"{label},{0.5 + number / 100}".encode() for number, label in enumerate(truth)]
    for part, rows in enumerate((range(17), range(17, 34), range(34, 50))):
        asked = "".join(f'{{"age": {row}}}\n' for row in rows)
        s3.put_object(Bucket=BUCKET, Key=f"{run}/evaluation/input/part-{part:05}.jsonl", Body=asked.encode())
        answered = b"\n".join(lines[row] for row in rows)  # without a line break at the end
        s3.put_object(Bucket=BUCKET, Key=f"{run}/evaluation/predictions/part-{part:05}.jsonl.out", Body=answered)
    places = {"predictions": "evaluation/predictions/", "evaluation_input": "evaluation/input/"}
    places = {name: f"s3://{BUCKET}/{run}/{place}" for name, place in places.items()}
    assert evaluate(truth, [], ["No", "Yes"], uris=places)["metrics"]["accuracy"] == 1
    assert json.loads(written(s3, "deployment.json"))["known_row"]["row"] == {"age": 49}


def test_known_row_of_a_regression_is_a_number(evaluate: Evaluate, s3: Any) -> None:
    evaluate(["1.5", "2.5"], [["1.25"], ["2.5"]], [], settings={"problem_type": "Regression"})
    assert json.loads(written(s3, "deployment.json"))["known_row"] == {
        "row": {"age": 0},
        "answer": '"1.25"',
        "value": 1.25,
    }


@pytest.mark.parametrize("label", ["a,b", 'a "b"', "two\nlines", "two\r\nlines", "\x85 and \u2028", ""])
def test_known_row_keeps_the_answer_as_it_is_written(label: str) -> None:
    import predictions

    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        text = io.StringIO()
        csv.writer(text, quoting=quoting, lineterminator="\n").writerows([["x", 0.5], [label, 0.9], ["y", 0.5]])
        answer = predictions.answer_at(io.BytesIO(text.getvalue().encode()), 1)
        assert f"\n{answer}," in text.getvalue()
        assert next(csv.reader(io.StringIO(answer, newline="")), [""]) == [label]


def test_known_row_too_large_for_a_state_machine_is_left_out() -> None:
    import known_row

    assert known_row.describe([b'{"a": "' + b"x" * 200_000 + b'"}'], 0, "Yes", is_regression=False) is None


def as_autopilot_writes(rows: list[tuple[str, list[float]]], labels: list[str]) -> list[bytes]:
    """`predicted_label,probabilities,labels` as Autopilot's program joins them: nothing is quoted but the lists."""
    return [f'{label},"{numbers}","{labels}"\n'.encode() for label, numbers in rows]


@pytest.mark.parametrize(
    "labels", [["No", "Yes"], ["a,b", 'c "d"'], ["it's", 'say "hi"', "plain"], ["[x]", "y]", '","['], ["", " "]]
)
def test_answers_with_all_probabilities_are_read_whatever_the_classes_are_called(labels: list[str]) -> None:
    import predictions

    numbers = numpy.random.default_rng(0).dirichlet([1] * len(labels), 50)
    given = [*reversed(labels)]  # the model's order need not be the training data's
    rows = [(given[row.argmax()], row.tolist()) for row in numbers]
    content = as_autopilot_writes(rows, given)
    answers = predictions.read_classes(content, labels)
    assert [labels[code] for code in answers.predicted] == [label for label, _ in rows]
    assert answers.probabilities is not None
    assert answers.probabilities == pytest.approx(numbers[:, ::-1])
    assert answers.probability == pytest.approx(numbers.max(axis=1))
    assert [predictions.answer_at(content, index) for index in (0, 49)] == [rows[0][0], rows[49][0]]


def test_label_is_the_one_that_the_model_answered_and_not_the_likeliest() -> None:
    import predictions

    answers = predictions.read_classes(as_autopilot_writes([("Yes", [0.6, 0.4])], ["No", "Yes"]), ["No", "Yes"])
    assert answers.predicted.tolist() == [1]
    assert answers.probability == pytest.approx([0.4])


@pytest.mark.parametrize(
    "line",
    [
        b"No,\"[0.9, 0.2, 0.1]\",\"['No', 'Yes']\"\n",
        b"No,\"[0.9, 0.1]\",\"['No', 'Maybe']\"\n",
        b"No,\"[0.9, 0.1]\",\"['Yes', 'No']\"\n",
        b"No,0.9\n",
    ],
)
def test_answer_whose_probabilities_are_for_other_classes_is_refused_by_its_line(line: bytes) -> None:
    import predictions

    good = as_autopilot_writes([("No", [0.9, 0.1])], ["No", "Yes"])
    with pytest.raises(predictions.UnusablePredictionsError, match="Line 2 of the model's answers cannot be read"):
        predictions.read_classes([*good, line, *good], ["No", "Yes"])


@pytest.mark.parametrize(
    ("labels", "spelled"),
    [
        (["false", "true"], {"false": "False", "true": "True"}),
        (["00", "01"], {"00": "0", "01": "1"}),
        (["0", "1"], {"0": "0.0", "1": "1.0"}),
        (["01", "02", "N/A"], {"01": "1", "02": "2", "N/A": "N/A"}),
    ],
)
def test_answer_that_is_spelled_otherwise_is_its_class(
    evaluate: Evaluate, s3: Any, labels: list[str], spelled: dict[str, str]
) -> None:
    truth = labels * 5
    answer = evaluate(truth, [[spelled[label], 0.9] for label in truth], labels)
    assert answer["metrics"]["accuracy"] == 1
    assert json.loads(written(s3, "evaluation.json"))["labels"] == labels


def test_classes_that_differ_in_spelling_alone_stay_apart(evaluate: Evaluate) -> None:
    truth = ["1", "1.0"] * 5
    assert evaluate(truth, [[label, 0.9] for label in truth], ["1", "1.0"])["metrics"]["accuracy"] == 1


UNUSABLE = {
    "fewer answers": (
        [["Yes", 0.5]],
        {},
        "The model gave 1 answers for 4 rows. See the transform job's log.",
    ),
    "another class": (
        [["Maybe\n", 0.5]] * 4,
        {},
        r"The model answered 'Maybe\n', which is none of the classes 'No', 'Yes'. See the transform job's log.",
    ),
    "no number": ([["Yes", "high"]] * 4, {}, 'Line 1 of the model\'s answers cannot be read: \'"Yes","high"\'.'),
    "no finite number": ([["Yes", "nan"]] * 4, {}, 'Line 1 of the model\'s answers cannot be read: \'"Yes","nan"\'.'),
    "some probabilities": (
        [["Yes", 0.5], ["No"], ["No"], ["No"]],
        {},
        "Line 2 of the model's answers has no probability, and others have one.",
    ),
    "endless regression": (
        [["1e300"]] * 4,
        {"settings": {"problem_type": "Regression"}},
        "The model's answers are so far off that r2, rmse, mse cannot be computed. "
        "Look for outliers in target column 'churn' and in the features.",
    ),
}


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("case", UNUSABLE)
def test_answers_that_do_not_fit_are_refused_in_one_sentence(evaluate: Evaluate, case: str) -> None:
    answers, event, said = UNUSABLE[case]
    regression = bool(event)
    truth = ["1", "2", "3", "4"] if regression else ["No", "Yes", "No", "Yes"]
    with pytest.raises(evaluate.UnusablePredictionsError) as refused:  # pyright: ignore[reportFunctionMemberAccess]
        evaluate(truth, answers, [] if regression else ["No", "Yes"], **event)
    assert str(refused.value) == said


@hypothesis_settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(NAMES, min_size=2, max_size=6, unique_by=lambda name: name.strip()))
def test_class_called_anything_is_text_in_the_report_and_stays_in_its_file(
    evaluate: Evaluate, s3: Any, names: list[str]
) -> None:
    labels = sorted(names)
    harmless = [f"class {number}" for number in range(len(labels))]
    evaluate(harmless * 5, [[label, 0.9] for label in harmless * 5], harmless)
    plain = Reader(written(s3, "report.html"))
    evaluate(labels * 5, [[label, 0.9] for label in labels * 5], labels)
    shown = Reader(written(s3, "report.html"))
    assert json.loads(written(s3, "evaluation.json"))["labels"] == labels
    assert shown.elements <= plain.elements
    assert shown.attributes <= plain.attributes
    for label in labels:
        assert label[:59] in shown.text


def test_regression_is_judged_in_the_targets_unit(evaluate: Evaluate, s3: Any) -> None:
    truth = [float(number) for number in range(20)]
    settings = {"problem_type": "Regression", "objective_metric_name": "RMSE"}
    answer = evaluate(truth, [[value + 0.5] for value in truth], [], settings=settings)
    assert answer["metrics"]["rmse"] == pytest.approx(0.5)
    assert answer["gate_metric"] == "r2"
    summary = json.loads(written(s3, "evaluation.json"))["summary"]
    assert summary.startswith("Predicts churn with a typical error of 0.5000 (root mean squared)")
    assert summary in Reader(written(s3, "report.html")).text
    assert "Predicted and true values" in Reader(written(s3, "report.html")).text


AUTOML = {
    "job_name": "automl-r1",
    "candidate": "WeightedEnsemble-L2-t1",
    "explainability_uri": f"{RUN}automl/documentation/explainability/output",
    "model_insights_uri": None,
}
NAMES_OF_THE_STACK = {"project_name": "p", "pipeline_name": "p-pipeline", "feature_group_name": "customers"}


@pytest.fixture
def sagemaker(evaluate: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """What SageMaker answers the function, in the order of its calls."""
    client = boto3.client("sagemaker", region_name="us-west-2")
    monkeypatch.setattr(evaluate.app, "_sagemaker", lambda: client)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_what_autopilot_says_is_in_the_evaluation_and_the_answer(
    evaluate: Evaluate, s3: Any, sagemaker: Stubber
) -> None:
    analysis = {
        "explanations": {"kernel_shap": {"label0": {"global_shap_values": {"age": 0.3}, "expected_value": 0.5}}}
    }
    key = "mlops/automl_training/runs/r1/automl/documentation/explainability/output/best/analysis.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(analysis).encode())
    candidate = {
        "CandidateName": AUTOML["candidate"],
        "FinalAutoMLJobObjectiveMetric": {"MetricName": "Accuracy", "Value": 0.75},
        "ObjectiveStatus": "Succeeded",
        "CandidateSteps": [],
        "CandidateStatus": "Completed",
        "CreationTime": datetime(2026, 11, 20, tzinfo=UTC),
        "LastModifiedTime": datetime(2026, 11, 20, tzinfo=UTC),
    }
    sagemaker.add_response(
        "list_candidates_for_auto_ml_job", {"Candidates": [candidate]}, {"AutoMLJobName": "automl-r1"}
    )
    sagemaker.add_response("create_model_card", {"ModelCardArn": "arn:aws:sagemaker:us-west-2:1:model-card/p-r1"})
    distributions = "mlops/automl_training/runs/r1/preprocessing/distributions.json"
    s3.put_object(Bucket=BUCKET, Key=distributions, Body=b"{}")
    answer = evaluate(["No", "Yes"], [["No"], ["Yes"]], ["No", "Yes"], automl=AUTOML, settings=NAMES_OF_THE_STACK)
    s3.delete_object(Bucket=BUCKET, Key=distributions)
    assert answer["registry_metrics"] == {
        "explainability": f"s3://{BUCKET}/{key}",
        "data_quality": f"s3://{BUCKET}/{distributions}",
    }
    assert answer["registry"]["model_card"] == "p-r1"
    document = json.loads(written(s3, "evaluation.json"))
    assert document["explanation"]["columns"] == [{"column": "age", "value": 0.3, "share": 1.0}]
    assert [(row["value"], row["chosen"]) for row in document["leaderboard"]["candidates"]] == [(0.75, True)]
    assert document["autopilot"] == AUTOML


def test_a_run_goes_on_where_sagemaker_refuses(evaluate: Evaluate, s3: Any, sagemaker: Stubber) -> None:
    sagemaker.add_client_error("list_candidates_for_auto_ml_job", "ThrottlingException", "not now")
    sagemaker.add_client_error("create_model_card", "AccessDeniedException", "not today")
    gone = AUTOML | {"explainability_uri": None}
    answer = evaluate(["No", "Yes"], [["No"], ["Yes"]], ["No", "Yes"], automl=gone, settings=NAMES_OF_THE_STACK)
    assert answer["passed"]
    assert answer["registry_metrics"] == {"explainability": None, "data_quality": None}
    assert "model_card" not in answer["registry"]
    document = json.loads(written(s3, "evaluation.json"))
    assert document["leaderboard"]["error"].startswith("The candidates could not be listed: ")
    assert document["explanation"]["error"] == "Autopilot wrote no explainability report."
    page = written(s3, "report.html")
    assert "The candidates could not be listed" in page
    assert "The model card could not be created" in page


def test_a_model_that_does_not_pass_gets_no_card(evaluate: Evaluate, s3: Any, sagemaker: Stubber) -> None:
    sagemaker.add_response("list_candidates_for_auto_ml_job", {"Candidates": []})
    answer = evaluate(["No", "Yes"], [["Yes"], ["No"]], ["No", "Yes"], automl=AUTOML, settings=NAMES_OF_THE_STACK)
    assert not answer["passed"]
    assert "model_card" not in json.loads(written(s3, "evaluation.json"))
