"""What the machines make of answers in the forms that AWS was seen to give, by the JSONata that AWS runs."""

from __future__ import annotations

from typing import Any

import pytest
from automl_pipeline import jobs
from automl_pipeline.settings import Settings

from local.aws import api_model
from local.build import packaging
from local.server import paths
from tests.contract import machines, recordings, second_jsonata


def evaluate(state: str, place: tuple[str, ...], **bindings: Any) -> Any:
    """An expression of the training machine for these variables."""
    value = machines.deployed("training", {"Region": "us-west-2"})["States"][state]
    for key in place:
        value = value[int(key)] if key.isdigit() else value[key]
    (answer,) = second_jsonata.answers([{"expression": machines.expression(value), "bindings": bindings}])
    return answer["value"]


def test_a_table_that_is_named_in_upper_case_is_the_one_that_glue_has() -> None:
    """DescribeFeatureGroup returns names as they were given; Glue's and the table's columns are lower case."""
    described = {
        "OfflineStoreStatus": {"Status": "Active"},
        "OfflineStoreConfig": {
            "DataCatalogConfig": {"Catalog": "AwsDataCatalog", "Database": "Sagemaker_FeatureStore", "TableName": "Churn_1700000000"}
        },
        "RecordIdentifierFeatureName": "Customer_ID",
        "EventTimeFeatureName": "Event_Time",
        "FeatureDefinitions": [{"FeatureName": "Customer_ID"}, {"FeatureName": "Churn"}],
    }  # fmt: skip
    run = {"settings": {"target_attribute_name": "Churn"}}
    source = evaluate("DescribeFeatureGroup", ("Assign", "source"), run=run, states={"result": described})
    names = {source[key] for key in ("database", "table", "id", "event_time", "target")} | set(source["columns"])
    assert {name for name in names if name != name.lower()} == set()
    assert source["table"] == "churn_1700000000"


@pytest.mark.parametrize("spelled", ["AutoML", "AutoMl"])
def test_autopilots_status_is_read_in_both_spellings_of_its_keys(spelled: str) -> None:
    metric = {"MetricName": "F1", "Value": 0.8}
    candidate = {
        "CandidateName": "c",
        f"Final{spelled}JobObjectiveMetric": metric,
        "InferenceContainers": [{"Image": "i"}],
    }
    described = {f"{spelled}JobStatus": "Completed", "BestCandidate": candidate}
    automl = evaluate("DescribeAutoMLJob", ("Assign", "automl"), states={"result": described})
    assert (automl["status"], automl["objective"]) == ("Completed", {"metric": "F1", "value": 0.8})
    assert automl["containers"] == [{"Image": "i"}]


@pytest.mark.parametrize(
    ("problem_type", "asked"),
    [
        ("BinaryClassification", "predicted_label,probabilities,labels"),
        ("MulticlassClassification", "predicted_label,probabilities,labels"),
        ("Regression", None),
    ],
)
def test_the_last_container_is_asked_for_every_class_and_only_of_classes(problem_type: Any, asked: str | None) -> None:
    """With `probability` alone, that of another class than the predicted one is a guess."""
    given = [{"Image": image, "ModelDataUrl": "s3://b/m", "Environment": {"MODEL_NAME": image}} for image in "ab"]
    objective = "RMSE" if problem_type == "Regression" else "Accuracy"
    settings = Settings(bucket="bucket", problem_type=problem_type, objective_metric_name=objective)
    run = {"containers": jobs.containers(settings, "s3://b/p", "p")}
    place = ("Choices", "0", "Assign", "containers")
    containers = evaluate("AutoMLJobStatus", place, run=run, automl={"containers": given})
    assert [one["Environment"].get("SAGEMAKER_INFERENCE_OUTPUT") for one in containers] == [None, None, asked]
    # What SageMaker hands on, exactly so, to a program that takes nothing else.
    assert containers[0]["Environment"]["SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"] == "text/csv"


def test_the_registry_takes_the_place_of_a_run_under_the_longest_names() -> None:
    """A value of CustomerMetadataProperties holds at most 256 characters, a bucket's name 63."""
    operation = api_model.service_model("sagemaker").operation_model("CreateModelPackage")
    most = operation.input_shape.members["CustomerMetadataProperties"].value.metadata["max"]
    longest = packaging.read_template(paths.PROJECT / "template.yaml")["Parameters"]["Prefix"]["MaxLength"]
    runs = [run for run in recordings.read("training").variables()["run"] if "prefix_uri" in run]  # made by PrepareRun
    assert runs
    for run in runs:
        rest = len(run["prefix_uri"]) - len(run["bucket"]) - len(run["settings"]["prefix"])
        assert rest + 63 + longest <= most
        assert len(run["execution_arn"]) <= most
