"""`make deploy`: what it asks the first time, what it checks, what it keeps, and that later it asks nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import datetime

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws
from moto.sagemaker.exceptions import ResourceNotFound
from moto.sagemaker.models import SageMakerModelBackend

from cli import first_deploy

REGION = "eu-central-1"
KNOWN = {"stack_name": "automl-pipeline-dev"}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account with one feature group, whose offline store lies in a bucket of its own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        boto3.client("sagemaker", region_name=REGION).create_feature_group(
            FeatureGroupName="customers",
            RecordIdentifierFeatureName="id",
            EventTimeFeatureName="event_time",
            FeatureDefinitions=[
                {"FeatureName": name, "FeatureType": "String"} for name in ("id", "event_time", "sold")
            ],
            OfflineStoreConfig={"S3StorageConfig": {"S3Uri": "s3://the-store/features"}},
            RoleArn="arn:aws:iam::123456789012:role/any",
        )
        yield


def answered(*given: str) -> tuple[first_deploy.Answers, str]:
    """What is asked for with these answers ("" takes what is in brackets), and everything that was said."""
    waiting, said = list(given), []
    answers = first_deploy.ask(KNOWN, said.append, lambda text, default: waiting.pop(0) or default)
    assert waiting == []
    return answers, "\n".join(said)


def test_offline_store_of_the_feature_group_is_found(account: None) -> None:
    answers, said = answered(REGION, "customers", "sold", "", "", "me@example.com", "")
    assert answers.region == REGION
    assert answers.parameters == {
        "FeatureGroupName": "customers",
        "TargetAttributeName": "sold",
        "FeatureStoreBucket": "the-store",
        "NotificationEmail": "me@example.com",
    }
    assert "Account 123456789012" in said


def test_what_cannot_be_is_asked_again(account: None) -> None:
    answers, said = answered("eu-north-9", REGION, "customers", "sold", "", "My_Bucket", "", "me", "me@example.com", "")
    assert "is not published there" in said
    assert "'My_Bucket' cannot be used" in said
    assert "'me' cannot be used" in said
    assert answers.parameters["NotificationEmail"] == "me@example.com"


def test_missing_group_is_reported(account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:  # moto itself breaks on a name it does not know
        raise ResourceNotFound("Resource Not Found: nobody")

    monkeypatch.setattr(SageMakerModelBackend, "describe_feature_group", refuse)
    _, said = answered(REGION, "nobody", "nobody", "x", "", "", "", "")
    assert "It cannot be looked up (Resource Not Found: nobody)" in said
    assert "or the same again to deploy all the same" in said


def test_mistyped_group_is_asked_for_again(account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    describe = SageMakerModelBackend.describe_feature_group

    def known_only(self: SageMakerModelBackend, feature_group_name: str) -> object:
        if feature_group_name != "customers":
            raise ResourceNotFound(f"Resource Not Found: {feature_group_name}")
        return describe(self, feature_group_name)

    monkeypatch.setattr(SageMakerModelBackend, "describe_feature_group", known_only)
    answers, _ = answered(REGION, "custmers", "customers", "sold", "", "", "", "")
    assert answers.parameters["FeatureGroupName"] == "customers"


def test_no_answer_is_refused_with_a_pattern(account: None) -> None:
    _, said = answered(REGION, "a b", "customers", "sold", "", "", 'a"b@example.com', "me@example.com", "")
    assert "'a b' cannot be used: 1 to 64 letters, digits, hyphens and underscores." in said
    assert "cannot be used: an email address without quotes." in said


@pytest.mark.parametrize(("status", "is_stuck"), [("ROLLBACK_COMPLETE", True), ("UPDATE_ROLLBACK_COMPLETE", False)])
def test_rolled_back_first_deployment_has_its_remedy(
    monkeypatch: pytest.MonkeyPatch, status: str, is_stuck: bool
) -> None:
    cloudformation = boto3.client("cloudformation", REGION, aws_access_key_id="test", aws_secret_access_key="test")
    found = {"StackName": "new", "CreationTime": datetime(2026, 11, 25), "StackStatus": status}
    with Stubber(cloudformation) as answers:
        answers.add_response("describe_stacks", {"Stacks": [found]}, {"StackName": "new"})
        monkeypatch.setattr(first_deploy.boto3, "client", lambda *_, **__: cloudformation)
        remedy = first_deploy.stuck("new", REGION)
    command = f"aws cloudformation delete-stack --stack-name new --region {REGION}"
    assert (command in (remedy or "")) == is_stuck


def test_name_too_long_for_the_functions_is_refused_before_anything_is_built(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert first_deploy.main(["false", "false", "--stack-name", "s" * 50]) == 1
    assert "may have 49 at most" in capsys.readouterr().err


def test_missing_target_is_reported(account: None) -> None:
    _, said = answered(REGION, "customers", "churn", "", "", "", "")
    assert "customers has no feature churn, but: id, event_time, sold." in said


def test_what_it_creates_and_costs_while_idle_is_said_first(account: None) -> None:
    _, said = answered(REGION, "customers", "sold", "", "", "", "ml.c5.large")
    assert "It creates:" in said
    assert "each ml.c5.large by the hour" in said
    assert "state machines" in said


def test_answers_are_kept_beside_what_was_there() -> None:
    answers = first_deploy.Answers(REGION, {"FeatureGroupName": "customers"})
    before = first_deploy.CONFIG.read_text()
    overrides = tomllib.loads(before)["prod"]["deploy"]["parameters"]["parameter_overrides"]
    changed = tomllib.loads(first_deploy.kept(before, "prod", answers, overrides))
    prod = changed["prod"]["deploy"]["parameters"]
    assert prod["region"] == REGION
    assert prod["parameter_overrides"] == f"{overrides} FeatureGroupName=customers"
    assert changed["default"] == tomllib.loads(before)["default"]
    again = first_deploy.kept(first_deploy.kept(before, "default", answers, ""), "default", answers, "")
    assert (
        tomllib.loads(again)["default"]["deploy"]["parameters"]["parameter_overrides"] == "FeatureGroupName=customers"
    )


def test_without_a_terminal_it_is_sam_deploy_with_its_arguments() -> None:
    echo = shutil.which("echo")
    assert echo
    reported = subprocess.run(
        [sys.executable, "-m", "cli.first_deploy", "true", echo, "--config-env", "prod", "--no-confirm-changeset"],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    tags = "--tags project=automl-pipeline stage=prod"
    assert reported.stdout == f"deploy --config-env prod --no-confirm-changeset {tags}\n"


@pytest.mark.parametrize(
    ("given", "rest", "tags"),
    [
        ("TracingEnabled=true ResourceTags=project=churn,stage=prod", [], ["--tags", "project=churn stage=prod"]),
        ("ResourceTags='cost center=4 b,stage=prod'", [], ["--tags", '"cost center"="4 b" stage=prod']),
        ("ResourceTags=project=churn", ["--tags", "project=other"], []),
        ("TracingEnabled=true", [], []),
    ],
)
def test_tags_of_what_runs_create_are_those_of_the_stack(given: str, rest: list[str], tags: list[str]) -> None:
    assert first_deploy._tags(given, rest) == tags


def test_endpoint_is_priced_by_its_type_and_region_or_not_at_all() -> None:
    assert "ml.m5.xlarge $0.257 an hour, $188 a month" in first_deploy.hourly("ml.m5.xlarge", "eu-west-1")
    assert "ml.m5.large $0.115 an hour" in first_deploy.hourly("ml.m5.large", "us-east-1")
    assert "no price of eu-west-1 ships" in first_deploy.hourly("ml.c5.xlarge", "eu-west-1")
