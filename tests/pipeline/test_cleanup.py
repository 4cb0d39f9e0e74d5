"""`automl cleanup` on a cloud of its own: what is needed stays, what is asked for goes, and it says which is which."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import local_cloud
from local.server import paths, process

from .conftest import Cloud

Cleanup = Callable[..., subprocess.CompletedProcess[str]]
ENDPOINT, GROUP = "automl-pipeline", "automl-pipeline"
PREFIX = "automl-pipeline/"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with process.running(
        state=tmp_path_factory.mktemp("cleanup") / "state", wait_scale=local_cloud.WAIT_SCALE, reuse=paths.REUSE
    ) as server:
        ready = local_cloud.deploy_stack(server, lambda _: None)
        local_cloud.load_telco(ready)
        yield Cloud(ready)


@pytest.fixture(scope="module")
def served(own: Cloud) -> str:
    """The run whose model serves."""
    described = own.run(customer_id_end=1000)
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])["run_id"]


@pytest.fixture(scope="module")
def failed(own: Cloud, served: str) -> list[str]:
    """Two runs that left data and no model."""
    for _ in range(2):
        assert own.run(customer_id_end=100)["error"] == "PreprocessDataFailed"
    return [run for run in runs(own) if run != served]


@pytest.fixture(scope="module")
def cleanup(own: Cloud) -> Cleanup:
    """The command in a process of its own, with no terminal."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, **own.deployed.server.environment()}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.main", "cleanup", *map(str, arguments)]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL
        )

    return run


def runs(cloud: Cloud) -> list[str]:
    listed = cloud.client("s3").list_objects_v2(
        Bucket=cloud.deployed.outputs["BucketName"], Prefix=f"{PREFIX}runs/", Delimiter="/"
    )
    return [item["Prefix"].split("/")[-2] for item in listed.get("CommonPrefixes", [])]


def names(cloud: Cloud, kind: str) -> list[str]:
    """The names of every `Models`, `EndpointConfigs` or `Endpoints` there is."""
    operation = {"Models": "list_models", "EndpointConfigs": "list_endpoint_configs", "Endpoints": "list_endpoints"}
    rows = getattr(cloud.client("sagemaker"), operation[kind])()[kind]
    return [row[f"{kind.removesuffix('s')}Name"] for row in rows]


def test_nothing_is_removed_without_a_yes(own: Cloud, cleanup: Cleanup, failed: list[str]) -> None:
    before = runs(own)
    shown = cleanup("--all")
    assert shown.returncode == 0, shown.stderr
    assert f"  remove  endpoint {ENDPOINT}\n" in shown.stdout
    assert f"  remove  model package group {GROUP}\n" in shown.stdout
    assert "Nothing was removed. To remove it: the same command with --yes." in shown.stdout
    assert runs(own) == before
    assert names(own, "Endpoints") == [ENDPOINT]


def test_newest_runs_stay_where_they_are_asked_to(cleanup: Cleanup, served: str, failed: list[str]) -> None:
    shown = cleanup("--runs", "--keep", 1).stdout
    assert f"  remove  run {min(failed)}: " in shown
    assert f"  keep    run {max(failed)}: one of the newest 1" in shown
    young = cleanup("--runs", "--older-than", 30).stdout
    assert "There is nothing to remove." in young
    assert f"  keep    run {max(failed)}: not older than 30 days" in young


def test_runs_go_except_the_one_that_serves(own: Cloud, cleanup: Cleanup, served: str, failed: list[str]) -> None:
    done = cleanup("--runs", "--yes")
    assert done.returncode == 0, done.stderr
    assert runs(own) == [served]
    assert f"  keep    run {served}: version 1 of {GROUP} is its model" in done.stdout
    for run in failed:
        assert f"Removed run {run}: " in done.stdout
        versions = own.client("s3").list_object_versions(
            Bucket=own.deployed.outputs["BucketName"], Prefix=f"{PREFIX}runs/{run}/"
        )
        assert not versions.get("Versions")
        assert not versions.get("DeleteMarkers")


def test_version_that_serves_stays_and_so_its_group(own: Cloud, cleanup: Cleanup, served: str) -> None:
    done = cleanup("--registry", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"version 1 of {GROUP}, and so the group: it serves" in done.stdout
    assert len(own.packages()) == 1


def test_endpoint_is_not_removed_under_a_run(own: Cloud, cleanup: Cleanup, served: str) -> None:
    execution = own.start(customer_id_end=1000)
    refused = cleanup("--endpoint", "--yes")
    own.client("stepfunctions").stop_execution(executionArn=execution)
    own.interruption_of(execution)
    assert refused.returncode == 1
    assert execution in refused.stderr
    assert names(own, "Endpoints") == [ENDPOINT]


def test_endpoint_goes_with_its_autoscaling_configurations_and_models(
    own: Cloud, cleanup: Cleanup, served: str
) -> None:
    done = cleanup("--endpoint", "--yes")
    assert done.returncode == 0, done.stderr
    reported = [line for line in done.stdout.splitlines() if line.startswith("Removed ")]
    assert reported[:2] == [f"Removed autoscaling of endpoint {ENDPOINT}", f"Removed endpoint {ENDPOINT}"]
    assert names(own, "Endpoints") == names(own, "EndpointConfigs") == []
    assert all(not name.startswith(f"{ENDPOINT}-v") for name in names(own, "Models"))
    targets = own.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    assert targets["ScalableTargets"] == []
    assert "There is nothing to remove." in cleanup("--endpoint", "--yes").stdout


def test_registered_run_stays_without_an_endpoint(cleanup: Cleanup, served: str) -> None:
    assert f"  keep    run {served}: version 1 of {GROUP} is its model" in cleanup("--runs").stdout


def test_all_leaves_an_empty_bucket_and_says_what_it_left(own: Cloud, cleanup: Cleanup, served: str) -> None:
    done = cleanup("--all", "--yes")
    assert done.returncode == 0, done.stderr
    bucket = own.deployed.outputs["BucketName"]
    assert f"  keep    bucket {bucket} itself: aws s3 rb s3://{bucket}" in done.stdout
    versions: dict[str, Any] = own.client("s3").list_object_versions(Bucket=bucket, Prefix=PREFIX)
    assert not versions.get("Versions")
    assert not versions.get("DeleteMarkers")
    assert names(own, "Models") == []
    with pytest.raises(ClientError, match="does not exist"):
        own.client("sagemaker").describe_model_package_group(ModelPackageGroupName=GROUP)
    assert "There is nothing to remove." in cleanup("--all", "--yes").stdout
