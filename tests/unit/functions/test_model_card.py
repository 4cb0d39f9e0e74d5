"""The model card follows AWS's schema, whatever the data are called; a card that cannot be created is a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import evaluation
import jsonschema
import model_card
import numpy
import pytest
from botocore.stub import Stubber
from predictions import Answers

from tests.evaluations import PREPROCESSING, binary, whole

HOSTILE = "</script> \u202e \"quoted\", 'x'\nand a second line " + "long " * 900
EVENT: dict[str, Any] = {
    "run_id": "20261120-101500-1a2b3c4d",
    "target_attribute_name": "churn",
    "uris": {
        "train": "s3://b/p/runs/r/data/train/",
        "evaluation_input": "s3://b/p/runs/r/evaluation/input/",
        "evaluation": "s3://b/p/runs/r/evaluation/evaluation.json",
        "report": "s3://b/p/runs/r/evaluation/report.html",
    },
    "deployment": {"tags": [{"Key": "automl:stack", "Value": "automl"}]},
    "settings": {
        "project_name": "classification-model-automl",
        "pipeline_name": "classification-model-automl-pipeline",
        "feature_group_name": "customers",
        "exclude_columns": [],
        "kms_key_arn": None,
        "column_names": {"a": HOSTILE},
        "customer_id_start": 1,
        "customer_id_end": 4000,
    },
}
OF_AUTOPILOT = {
    "autopilot": {"job_name": "automl-r", "candidate": "best"},
    "leaderboard": {
        "candidates": [
            {"chosen": False, "metrics": {"F1": 0.5}},
            {"chosen": True, "metrics": {"F1": 0.6, "LogLoss": 0.4}},
        ]
    },
    "explanation": {
        "report_uri": "s3://b/analysis.json",
        "columns": [{"column": HOSTILE, "value": 0.2, "share": 0.7}, {"column": "age", "value": 0.1, "share": 0.3}],
    },
}


def evaluated(document: dict[str, Any], **more: Any) -> dict[str, Any]:
    said = {"summary": "Finds 3 of 5.", "verdict": "Passes.", "warnings": [], "versions": {"numpy": "2"}}
    return {**said, **document, **OF_AUTOPILOT, **more}


def as_cloudformation_spells_it(content: Any) -> Any:
    """The API's snake_case as the PascalCase of the published schema; the names that people choose stay."""
    if isinstance(content, list):
        return [as_cloudformation_spells_it(part) for part in content]
    if not isinstance(content, dict):
        return content
    return {
        name.title().replace("_", ""): part
        if name in ("custom_details", "metadata")
        else as_cloudformation_spells_it(part)
        for name, part in content.items()
    }


def check(content: dict[str, Any]) -> None:
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::SageMaker::ModelCard").schema
    wanted = {"$ref": "#/definitions/Content", "definitions": schema["definitions"]}
    jsonschema.Draft7Validator(wanted).validate(as_cloudformation_spells_it(json.loads(json.dumps(content))))


def several(classes: int) -> dict[str, Any]:
    generator = numpy.random.default_rng(1)
    probabilities = generator.dirichlet(numpy.ones(classes), 600)
    predicted = probabilities.argmax(axis=1)
    truth = numpy.where(generator.random(600) < 0.7, predicted, generator.integers(classes, size=600))
    labels = [f"class {number}" for number in range(classes)]
    answers = Answers(predicted, probabilities.max(axis=1), probabilities)
    return whole(evaluation.of_classes(truth, answers, labels, 0), labels, 600)


def regression() -> dict[str, Any]:
    generator = numpy.random.default_rng(1)
    truth = generator.normal(size=300)
    return whole(evaluation.of_numbers(truth, truth + generator.normal(size=300)), [], 300)


DOCUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "two classes": binary,
    "classes called anything": lambda: binary(("", HOSTILE)),
    "three classes": lambda: several(3),
    "thirty classes": lambda: several(30),
    "a number": regression,
}


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("warnings", [[], [HOSTILE, HOSTILE]])
def test_content_follows_the_published_schema(document: str, warnings: list[str]) -> None:
    found = model_card.content(
        EVENT, evaluated(DOCUMENTS[document](), warnings=warnings, summary=HOSTILE, verdict=HOSTILE), PREPROCESSING
    )
    check(found)
    assert len(json.dumps(found)) < 100_000


def test_the_check_notices_what_the_schema_does_not_have() -> None:
    found = model_card.content(EVENT, evaluated(binary()), PREPROCESSING)
    with pytest.raises(jsonschema.ValidationError):
        check({**found, "model_overview": {"colour": "blue"}})


def test_numbers_are_those_of_the_evaluation() -> None:
    document = evaluated(binary())
    found = model_card.content(EVENT, document, PREPROCESSING)
    groups = {group["name"]: group["metric_data"] for group in found["evaluation_details"][0]["metric_groups"]}
    metrics = {metric["name"]: metric for metric in groups["Metrics"]}
    assert metrics["Accuracy"]["value"] == document["accuracy"]
    bounds = [float(bound) for bound in metrics["Accuracy"]["notes"].split(" to ")]
    interval = document["intervals"]["accuracy"]
    assert bounds == pytest.approx([interval["lower"], interval["upper"]], rel=1e-4)
    assert {metric["name"]: metric["value"] for metric in groups["Baseline"]}["Accuracy"] == document[
        "baseline_accuracy"
    ]
    assert numpy.sum(groups["Confusion matrix"][0]["value"]) == document["rows"]
    assert groups["What drives the answers"][0]["value"] == [0.2, 0.1]
    training = found["training_details"]["training_job_details"]
    assert {metric["name"]: metric["value"] for metric in training["user_provided_training_metrics"]} == {
        "F1": 0.6,
        "LogLoss": 0.4,
    }
    assert found["additional_information"]["custom_details"]["data_fingerprint_sha256"] == PREPROCESSING["data_sha256"]


def created(*, code: str | None = None, **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer of `create`, and the request that it made."""
    client = boto3.client("sagemaker", region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")
    requests: list[dict[str, Any]] = []
    client.meta.events.register(
        "provide-client-params.sagemaker.CreateModelCard", lambda params, **_: requests.append(params)
    )
    event = {**EVENT, "settings": {**EVENT["settings"], **settings}}
    with Stubber(client) as stubber:
        if code:
            stubber.add_client_error("create_model_card", code, "not today")
        else:
            stubber.add_response("create_model_card", {"ModelCardArn": "arn:aws:sagemaker:us-west-2:1:model-card/x"})
        return model_card.create(client, event, evaluated(binary()), PREPROCESSING), requests[0]


def test_a_draft_is_created_under_the_runs_name_and_tags() -> None:
    answer, request = created()
    assert answer == {"name": "classification-model-automl-20261120-101500-1a2b3c4d", "error": None}
    assert request["ModelCardStatus"] == "Draft"
    assert "SecurityConfig" not in request
    assert "\n" not in request["Content"]  # the API's pattern
    assert {tag["Key"]: tag["Value"] for tag in request["Tags"]} == {
        "automl:stack": "automl",
        "automl:run": "20261120-101500-1a2b3c4d",
    }


def test_a_customers_key_encrypts_the_card() -> None:
    assert created(kms_key_arn="arn:aws:kms:us-west-2:1:key/k")[1]["SecurityConfig"] == {
        "KmsKeyId": "arn:aws:kms:us-west-2:1:key/k"
    }


def test_a_card_of_an_earlier_attempt_is_the_runs_own() -> None:
    answer, request = created(code="ConflictException")
    assert answer == {"name": request["ModelCardName"], "error": None}


def test_a_refused_card_is_a_sentence() -> None:
    answer, _ = created(code="AccessDeniedException")
    assert answer["name"] is None
    assert answer["error"].startswith("The model card could not be created: ")
