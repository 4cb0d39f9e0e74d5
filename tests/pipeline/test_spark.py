"""Two runs on the same customers, one prepared by one instance in Python, one by two instances with Spark: the same artifacts and model."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from .conftest import Cloud
from .feature_group import Group, customers

ROWS = 1200
# Exhaustive, as most of its time goes to starting Spark; alone with its cloud, as both runs register a version.
pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java on this machine, which Spark needs"),
]
ENGINES: dict[str, dict[str, Any]] = {"Python": {}, "Spark": {"processing_instance_count": 2}}


@pytest.fixture(scope="module")
def runs(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """What the two runs answered, by the engine."""
    frame = customers(ROWS)
    frame.loc[::50, "MonthlyCharges"] = None
    frame.loc[::70, "Contract"] = 'a "quoted",\ntext'
    group = Group(cloud, "customers-for-spark", frame)
    group.put(frame)
    asked = {
        "feature_group_name": group.name,
        "target_attribute_name": "Churn",
        "customer_id_start": 1,
        "customer_id_end": ROWS,
        "accuracy_threshold": 0.6,
        "model_approval_status": "PendingManualApproval",
    }
    started = {engine: cloud.start(**asked, **settings) for engine, settings in ENGINES.items()}
    ended = {engine: cloud.ended(execution) for engine, execution in started.items()}
    failed = {engine: described["cause"] for engine, described in ended.items() if described["status"] != "SUCCEEDED"}
    assert not failed
    return {engine: json.loads(described["output"]) for engine, described in ended.items()}


def below(cloud: Cloud, uri: str) -> dict[str, bytes]:
    """The objects below a folder by their place in it."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    listed = cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())
    return {item["Key"].removeprefix(prefix): cloud.object(f"s3://{bucket}/{item['Key']}") for item in listed}


def test_job_was_a_cluster_that_read_what_athena_unloaded(cloud: Cloud, runs: dict[str, dict[str, Any]]) -> None:
    jobs = cloud.client("sagemaker").list_processing_jobs(NameContains=runs["Spark"]["run_id"])[
        "ProcessingJobSummaries"
    ]
    [job] = [
        cloud.client("sagemaker").describe_processing_job(ProcessingJobName=one["ProcessingJobName"]) for one in jobs
    ]
    assert job["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
    assert "/sagemaker-spark-processing:" in job["AppSpecification"]["ImageUri"]
    unloaded = below(cloud, f"{runs['Spark']['run_prefix']}/data/raw/rows/")
    assert len(unloaded) > 1
    assert {content[:4] for content in unloaded.values()} == {b"PAR1"}


@pytest.mark.parametrize("folder", ["data/train/", "data/test/", "evaluation/input/"])
def test_rows_are_those_of_one_instance_byte_for_byte(
    cloud: Cloud, runs: dict[str, dict[str, Any]], folder: str
) -> None:
    python, spark = (below(cloud, f"{runs[engine]['run_prefix']}/{folder}") for engine in ENGINES)
    assert python
    assert spark == python


def test_preprocessing_is_that_of_one_instance(cloud: Cloud, runs: dict[str, dict[str, Any]]) -> None:
    for name in ("preprocessing.json", "distributions.json"):
        python, spark = (
            json.loads(cloud.object(f"{runs[engine]['run_prefix']}/preprocessing/{name}")) for engine in ENGINES
        )
        assert spark == python


def test_both_are_registered_with_the_same_metrics(cloud: Cloud, runs: dict[str, dict[str, Any]]) -> None:
    assert {run["outcome"] for run in runs.values()} == {"PendingApproval"}
    assert runs["Spark"]["model_package_arn"] != runs["Python"]["model_package_arn"]
    assert runs["Spark"]["metrics"] == runs["Python"]["metrics"]
