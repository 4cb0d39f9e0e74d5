"""Runs that end otherwise: below the threshold, waiting for a person, refused, failed. Nothing else changes then."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from .conftest import Cloud, until

# A thousand customers train as the four thousand do, in less time.
FEWER = {"customer_id_end": 1000}


def test_model_below_the_threshold_is_not_registered(cloud: Cloud, deployed: dict[str, Any]) -> None:
    before = (len(cloud.packages()), len(cloud.emails()))
    described = cloud.run(accuracy_threshold=0.99, **FEWER)
    output = json.loads(described["output"])
    assert (described["status"], output["outcome"]) == ("SUCCEEDED", "BelowThreshold")
    assert "0.99" in output["message"]
    assert (len(cloud.packages()), len(cloud.emails())) == before


def test_pending_version_is_deployed_when_someone_approves_it(cloud: Cloud, deployed: dict[str, Any]) -> None:
    emails = len(cloud.emails())
    output = json.loads(cloud.run(model_approval_status="PendingManualApproval", **FEWER)["output"])
    assert output["outcome"] == "PendingApproval"
    [email] = cloud.emails()[emails:]
    assert email["Subject"] == "[SageMaker Pipeline] A model waits for approval"
    sagemaker = cloud.client("sagemaker")
    time.sleep(5)  # the registry counts what changes within seconds of a registration as part of it
    before = cloud.deployments()
    sagemaker.update_model_package(ModelPackageArn=output["model_package_arn"], ModelApprovalStatus="Approved")
    cloud.deployed_since(before)
    endpoint = sagemaker.describe_endpoint(EndpointName="automl-pipeline")
    version = output["model_package_arn"].rsplit("/", 1)[1]
    assert f"-v{version}-" in endpoint["EndpointConfigName"]
    assert endpoint["EndpointStatus"] == "InService"


def test_resumed_run_goes_on_from_the_earlier_automl_job(cloud: Cloud, deployed: dict[str, Any]) -> None:
    execution = cloud.start(resume_from=deployed["run_id"], model_approval_status="PendingManualApproval")
    output = json.loads(cloud.ended(execution)["output"])
    assert output["outcome"] == "PendingApproval"
    assert output["metrics"] == deployed["metrics"]
    history = cloud.client("stepfunctions").get_execution_history(executionArn=execution, maxResults=1000)["events"]
    entered = {event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event}
    assert entered.isdisjoint({"ExtractFeatures", "PreprocessData", "StartAutoMLJob"})


def test_unchanged_rows_and_settings_start_no_paid_job(cloud: Cloud) -> None:
    states, given = cloud.client("stepfunctions"), {"model_approval_status": "PendingManualApproval"}
    first = json.loads(cloud.run(**given)["output"])
    assert first["outcome"] == "PendingApproval"
    execution = cloud.start(**given, skip_if_unchanged=True)
    output = json.loads(cloud.ended(execution)["output"])
    assert output["outcome"] == "Unchanged"
    assert first["run_id"] in output["message"]
    history = states.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    entered = {event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event}
    assert entered.isdisjoint({"PreprocessData", "StartAutoMLJob", "TransformTestData"})


def test_limit_on_costs_that_cannot_be_kept_fails_before_anything_is_paid(cloud: Cloud) -> None:
    described = cloud.run(max_cost_usd=5.0)
    assert described["status"] == "FAILED"
    assert "max_cost_usd: a limit cannot be promised" in described["cause"]


def failure_email(cloud: Cloud, before: int) -> tuple[str, str]:
    [email] = cloud.emails()[before:]
    return email["Subject"], str(email.get_payload())


def _logged(cloud: Cloud, group: str, execution: str, said: str) -> bool:
    """Whether the log group that the email names holds the reason of this execution's failure."""
    events = cloud.client("logs").filter_log_events(logGroupName=group)["events"]
    return any(execution in event["message"] and said in event["message"] for event in events)


def test_unknown_feature_group_fails_with_one_email(cloud: Cloud) -> None:
    before = (len(cloud.emails()), len(cloud.packages()))
    described = cloud.run(feature_group_name="nobody-made-this")
    assert (described["status"], described["error"]) == ("FAILED", "DataSourceFailed")
    subject, body = failure_email(cloud, before[0])
    assert subject == "[SageMaker Pipeline Failed] DataSource"
    for part in ("nobody-made-this", "/aws/vendedlogs/states/", described["executionArn"], "feature_group_name"):
        assert part in body
    assert len(cloud.packages()) == before[1]
    group = body.split("CloudWatch log group ", 1)[1].split()[0]
    assert until(lambda: _logged(cloud, group, described["executionArn"], "nobody-made-this"), 30)


def test_processing_script_that_raises_fails_with_one_email(cloud: Cloud, deployed: dict[str, Any]) -> None:
    s3, bucket = cloud.client("s3"), cloud.deployed.outputs["BucketName"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="automl-pipeline/code/")["Contents"]
    [key] = [item["Key"] for item in listed if item["Key"].endswith("preprocess.py")]
    script = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=b"raise RuntimeError('out of paper')")
    before = len(cloud.emails())
    try:
        described = cloud.run(**FEWER)
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=script)
    assert (described["status"], described["error"]) == ("FAILED", "PreprocessDataFailed")
    subject, body = failure_email(cloud, before)
    assert subject == "[SageMaker Pipeline Failed] PreprocessData"
    assert "/aws/sagemaker/ProcessingJobs" in body
    run_id = body.split("Run: ", 1)[1].split(",", 1)[0].strip()
    listed = cloud.client("sagemaker").list_processing_jobs(NameContains=run_id)["ProcessingJobSummaries"]
    job = listed[0]["ProcessingJobName"]
    logs = cloud.client("logs").filter_log_events(logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix=job)
    assert any("out of paper" in event["message"] for event in logs["events"])


def test_data_that_cannot_be_trained_on_is_refused_in_one_sentence(cloud: Cloud) -> None:
    before = len(cloud.emails())
    described = cloud.run(customer_id_end=100)
    assert described["error"] == "PreprocessDataFailed"
    _, body = failure_email(cloud, before)
    assert "There are 100 rows with a value in target column 'churn' and at least 625 are needed" in body


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"acuracy_threshold": 0.5, "customer_id_start": 5, "customer_id_end": 2, "max_runtime_sec": "60"},
            [
                "Did you mean accuracy_threshold?",
                "no customer lies between them",
                "max_runtime_sec must be a whole number",
            ],
        ),
        ({"bucket": 'x"; DROP/'}, ["bucket"]),
        ({"feature_group_name": "a'/b"}, ["feature_group_name"]),
    ],
)
def test_bad_input_is_refused_with_all_its_problems(cloud: Cloud, given: dict[str, Any], said: list[str]) -> None:
    before = len(cloud.emails())
    described = cloud.run(**given)
    assert (described["status"], described["error"]) == ("FAILED", "PrepareRunFailed")
    subject, body = failure_email(cloud, before)
    assert subject == "[SageMaker Pipeline Failed] PrepareRun"
    for sentence in said:
        assert sentence in described["cause"]
        assert sentence in body
