"""The commands that people use after a run: watch, report, reject, approve, deploy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.steps import STEPS

from .conftest import Cloud

Automl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def automl(cloud: Cloud) -> Automl:
    """The command as it is typed in a terminal of its own, with what `automl local up` prints in the environment."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, **cloud.deployed.server.environment()}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli.main", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return run


def serving(cloud: Cloud) -> str:
    return cloud.client("sagemaker").describe_endpoint(EndpointName="automl-pipeline")["EndpointConfigName"]


@pytest.fixture(scope="module")
def first(deployed: dict[str, Any]) -> int:
    """The version of the run that started with `{}`."""
    return int(deployed["model_package_arn"].rsplit("/", 1)[1])


def test_watch_shows_every_step_and_what_came_out(automl: Automl, cloud: Cloud, deployed: dict[str, Any]) -> None:
    prefix = deployed["run_prefix"]
    execution = json.loads(cloud.object(f"{prefix}/registration/registration.json"))["execution_arn"]
    for name in (execution, execution.rsplit(":", 1)[1]):
        shown = automl("watch", name)
        assert shown.returncode == 0, shown.stderr
        done = [line.split()[1] for line in shown.stdout.splitlines() if line.startswith("  done")]
        assert tuple(done) == STEPS
        for part in (deployed["message"], deployed["model_package_arn"], prefix, "\x1b"):
            assert (part in shown.stdout) == (part != "\x1b")


def test_start_and_watch_a_run_that_fails(automl: Automl) -> None:
    shown = automl("start", "--input", '{"feature_group_name": "nobody-made-this-either"}', "--watch")
    assert shown.returncode == 1
    assert "  failed  DataSource" in shown.stdout
    assert "nobody-made-this-either" in shown.stdout.split("Cause:", 1)[1]


def test_report_shows_the_metrics_and_fetches_the_page(
    automl: Automl, deployed: dict[str, Any], tmp_path: Path
) -> None:
    shown = automl("report", deployed["run_id"], "--output", tmp_path / "report")
    assert shown.returncode == 0, shown.stderr
    reported = dict(line.split()[1:] for line in shown.stdout.splitlines() if line.startswith("  metric"))
    assert reported["accuracy"] == f"{deployed['metrics']['accuracy']:.4f}"
    assert set(reported) == set(deployed["metrics"])
    assert f"{deployed['run_prefix']}/evaluation/report.html" in shown.stdout
    assert deployed["run_id"] in (tmp_path / "report" / "report.html").read_text()
    assert json.loads((tmp_path / "report" / "evaluation.json").read_text())["passed"] is True


def test_report_without_a_name_is_of_the_newest_evaluated_run(automl: Automl, deployed: dict[str, Any]) -> None:
    newest = automl("report").stdout.split()[1].rstrip(",")
    assert newest >= deployed["run_id"]


def test_unknown_version_is_refused_with_those_there_are(automl: Automl, deployed: dict[str, Any], first: int) -> None:
    for command in (("approve", 999), ("reject", 999), ("deploy", "--version", 999)):
        refused = automl(*command)
        assert refused.returncode == 1
        assert "There is no version 999." in refused.stderr
        assert f"{first} (Approved)" in refused.stderr


def test_version_is_approved_by_the_run_that_registered_it(automl: Automl, deployed: dict[str, Any]) -> None:
    version = deployed["model_package_arn"].rsplit("/", 1)[1]
    said = automl("approve", deployed["run_id"])
    assert f"Version {version} is approved already." in said.stdout, said.stderr


def test_rejected_version_is_never_deployed_until_it_is_approved(automl: Automl, cloud: Cloud, first: int) -> None:
    newest = max(package["ModelPackageVersion"] for package in cloud.packages())
    assert automl("reject", newest, "--reason", "odd data").returncode == 0
    refused = automl("deploy", "--version", newest)
    assert refused.returncode == 1
    assert f"Version {newest} is Rejected" in refused.stderr
    made = next(row["CreationTime"] for row in cloud.packages() if row["ModelPackageVersion"] == newest)
    while datetime.now(UTC) - made < timedelta(seconds=6):  # an approval within 5 s counts as the registration's own
        time.sleep(0.2)
    before = cloud.deployments()
    approved = automl("approve", newest)
    assert f"Version {newest} is approved." in approved.stdout
    # It may have served all the time: what the approval starts has to end before another test deploys anything.
    cloud.deployed_since(before)
    assert f"-v{newest}-" in serving(cloud)
    assert "is approved already" in automl("approve", newest).stdout


def test_deploy_goes_back_to_an_earlier_version(automl: Automl, cloud: Cloud, first: int) -> None:
    shown = automl("deploy", "--version", first, "--watch")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "  done    DeployEndpoint" in shown.stdout
    assert f"-v{first}-" in serving(cloud)


def test_rejecting_the_serving_version_says_that_it_keeps_serving(automl: Automl, cloud: Cloud, first: int) -> None:
    assert "until another version is deployed" in automl("reject", first).stdout
    newest = max(package["ModelPackageVersion"] for package in cloud.packages())
    before = cloud.deployments()
    said = automl("approve", first).stdout
    cloud.deployed_since(before)
    assert ("Its deployment starts by itself" if newest == first else f"Version {newest} is newer") in said
