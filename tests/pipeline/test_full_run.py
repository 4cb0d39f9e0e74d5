"""The promise: `{}` takes real customers from the Feature Store to an endpoint that answers raw rows."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from local.aws.cloudwatch import embedded
from local.data import telco
from tests.contract.test_migration import table as migration_table

from .conftest import Cloud


def rows_of(cloud: Cloud, uri: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(cloud.object(uri).decode())))


def test_model_is_better_than_always_answering_no(deployed: dict[str, Any]) -> None:
    assert deployed["outcome"] == "Deployed"
    assert deployed["metrics"]["accuracy"] >= 0.76 > deployed["metrics"]["baseline_accuracy"]


def test_raw_data_are_the_customers_in_range(cloud: Cloud, deployed: dict[str, Any]) -> None:
    bucket, _, prefix = deployed["run_prefix"].removeprefix("s3://").partition("/")
    listed = cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/data/raw/")["Contents"]
    key = next(item["Key"] for item in listed if item["Key"].endswith(".csv"))
    ids = [row["customer_id"] for row in rows_of(cloud, f"s3://{bucket}/{key}")]
    assert ids == [f"CUST_{number:06d}" for number in range(1, 4001)]


def test_training_and_test_rows_are_split_and_stripped(cloud: Cloud, deployed: dict[str, Any]) -> None:
    train = rows_of(cloud, f"{deployed['run_prefix']}/data/train/train.csv")
    test = rows_of(cloud, f"{deployed['run_prefix']}/data/test/test.csv")
    assert (len(train), len(test)) == (3200, 800)
    assert not {"customer_id", "event_time", "write_time", "api_invocation_time", "is_deleted"} & set(train[0])
    shares = [sum(row["churn"] == "Yes" for row in rows) / len(rows) for rows in (train, test)]
    assert abs(shares[0] - shares[1]) < 0.002


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("model/model_info.json", {"model_name", "model_arn", "best_candidate"}),
        ("evaluation/evaluation.json", {"accuracy", "precision", "recall", "f1_score"}),
        ("registration/registration.json", {"model_package_arn", "metrics"}),
        ("preprocessing/preprocessing.json", {"features", "target"}),
    ],
)
def test_outputs_lie_where_they_were_promised(
    cloud: Cloud, deployed: dict[str, Any], name: str, keys: set[str]
) -> None:
    assert keys <= set(json.loads(cloud.object(f"{deployed['run_prefix']}/{name}")))


def test_outputs_lie_where_the_migration_guide_says(cloud: Cloud, deployed: dict[str, Any]) -> None:
    bucket, _, key = deployed["run_prefix"].removeprefix("s3://").partition("/")
    for _, here in migration_table("Outputs"):
        for place in re.findall(r"`([\w.]+/[\w./]*)`", here):
            found = cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{key}/{place}")
            assert found["KeyCount"] > 0, place


def test_run_published_its_gate_and_how_long_its_steps_took(cloud: Cloud, deployed: dict[str, Any]) -> None:
    group = "/aws/lambda/automl-pipeline-evaluate-model"
    pages = cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    lines = [event["message"] for page in pages for event in page["events"] if deployed["run_id"] in event["message"]]
    found = [
        (datum["MetricName"], {dimension["Name"]: dimension["Value"] for dimension in datum["Dimensions"]})
        for _, datum in embedded.data("\n".join(lines))
    ]
    assert ("ModelsPassed", {"service": "automl-pipeline"}) in found
    steps = [dimensions["Step"] for name, dimensions in found if name == "StepSeconds"]
    assert steps == ["PrepareRun", "DataSource", "PreprocessData", "AutoMLTraining", "CreateModel", "EvaluateModel"]


def test_report_is_one_page_with_pictures(cloud: Cloud, deployed: dict[str, Any]) -> None:
    page = cloud.object(f"{deployed['run_prefix']}/evaluation/report.html").decode()
    assert f"{deployed['metrics']['accuracy']:.4f}" in page
    assert "ROC curve" in page
    assert "default-src 'none'" in unescape(page)  # nothing is loaded from anywhere; tests/browser watches one do so


def test_every_held_out_row_was_answered(cloud: Cloud, deployed: dict[str, Any]) -> None:
    answers = (
        cloud.object(f"{deployed['run_prefix']}/evaluation/predictions/part-00000.jsonl.out").decode().splitlines()
    )
    assert len(answers) == 800
    assert {answer.split(",")[0] for answer in answers} == {"No", "Yes"}


def test_version_is_registered_as_approved_with_its_metrics(cloud: Cloud, deployed: dict[str, Any]) -> None:
    package = cloud.client("sagemaker").describe_model_package(ModelPackageName=deployed["model_package_arn"])
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("evaluation/evaluation.json")
    assert float(package["CustomerMetadataProperties"]["accuracy"]) == pytest.approx(deployed["metrics"]["accuracy"])


def test_endpoint_serves_and_scales(cloud: Cloud, deployed: dict[str, Any]) -> None:
    endpoint = cloud.client("sagemaker").describe_endpoint(EndpointName="automl-pipeline")
    assert endpoint["EndpointStatus"] == "InService"
    scaling = cloud.client("application-autoscaling")
    [target] = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 5)
    [policy] = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert policy["PolicyType"] == "TargetTrackingScaling"


def test_endpoint_answers_raw_rows_as_batch_transform_did(cloud: Cloud, deployed: dict[str, Any]) -> None:
    rows = cloud.object(f"{deployed['run_prefix']}/evaluation/input/part-00000.jsonl").decode().splitlines()[:50]
    answers = (
        cloud.object(f"{deployed['run_prefix']}/evaluation/predictions/part-00000.jsonl.out").decode().splitlines()[:50]
    )
    body = "\n".join(rows).encode()
    said = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="automl-pipeline", ContentType="application/jsonlines", Body=body
    )
    assert said["Body"].read().decode().splitlines() == answers


def test_header_and_order_of_columns_do_not_matter(cloud: Cloud, deployed: dict[str, Any]) -> None:
    customers = telco.load().iloc[4000:4020].drop(columns="churn")
    turned = customers[customers.columns[::-1]]
    answers = []
    for table, header in ((customers, True), (turned, True), (customers.drop(columns="customer_id"), False)):
        said = cloud.client("sagemaker-runtime").invoke_endpoint(
            EndpointName="automl-pipeline",
            ContentType="text/csv",
            Body=table.to_csv(index=False, header=header),
        )
        answers.append(said["Body"].read())
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0].splitlines()) == 20


def test_row_that_does_not_fit_its_header_is_refused_in_words(cloud: Cloud, deployed: dict[str, Any]) -> None:
    body = "age,tenure_months,contract_type\n35,12"
    runtime = cloud.client("sagemaker-runtime")
    with pytest.raises(runtime.exceptions.ModelError) as error:
        runtime.invoke_endpoint(EndpointName="automl-pipeline", ContentType="text/csv", Body=body)
    assert error.value.response["OriginalStatusCode"] == 400


SEED_ROW = (
    "age,tenure_months,monthly_charges,total_charges,contract_type,payment_method,internet_service,phone_service,"
    "multiple_lines,online_security,tech_support,device_protection\n"
    "35,12,70.5,840.0,Month-to-month,Electronic check,DSL,Yes,No,Yes,No,No"
)


def test_commands_of_the_aws_cli(cloud: Cloud, deployed: dict[str, Any], tmp_path: Path) -> None:
    run = deployed["run_id"]
    (tmp_path / "row.csv").write_text(SEED_ROW)
    commands = [
        "sagemaker describe-feature-group --feature-group-name mlops_poc_churn_classification_feature",
        f"stepfunctions list-executions --state-machine-arn {cloud.deployed.outputs['TrainingStateMachineArn']}",
        "sagemaker list-model-packages --model-package-group-name automl-pipeline",
        "sagemaker describe-endpoint --endpoint-name automl-pipeline",
        f"sagemaker describe-auto-ml-job-v2 --auto-ml-job-name automl-{run}",
        "sagemaker-runtime invoke-endpoint --endpoint-name automl-pipeline --content-type text/csv "
        f"--body fileb://{tmp_path}/row.csv {tmp_path}/answer.csv",
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **cloud.deployed.server.environment()}
    aws = Path(sys.executable).with_name("aws")
    for command in commands:
        made = subprocess.run(
            [sys.executable, str(aws), *command.split(), "--endpoint-url", cloud.deployed.server.endpoint_url],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, f"{command}\n{made.stderr}"
        assert json.loads(made.stdout)
    assert (tmp_path / "answer.csv").read_text().split(",")[0] in ("Yes", "No")
