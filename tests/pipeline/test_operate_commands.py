"""The commands that operate a stack, typed against a running local cloud."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import Result

from .conftest import Cloud

Automl = Callable[..., Result]


@pytest.fixture(scope="module")
def automl(cloud: Cloud) -> Automl:
    return cloud.automl


@pytest.fixture(scope="module")
def answer_of(automl: Automl) -> Callable[..., Any]:
    """What a command answers as JSON."""

    def run(*arguments: object) -> Any:
        result = automl(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


@pytest.fixture
def running(cloud: Cloud) -> Iterator[str]:
    """A run that has named its jobs and is at work."""
    execution = cloud.start(max_candidates=2)
    cloud.wait_for_state(execution, "PreprocessData")
    yield execution
    cloud.ended(execution)


def test_run_is_found_by_the_id_that_it_gave_itself(answer_of: Callable[..., Any], deployed: dict[str, Any]) -> None:
    shown = answer_of("show", deployed["run_id"])
    assert shown["output"]["run_id"] == deployed["run_id"] == shown["run_id"]
    listed = {run["run_id"]: run for run in answer_of("runs", "--limit", 200)}
    assert listed[deployed["run_id"]]["outcome"] == "Deployed"
    assert listed[deployed["run_id"]]["metric"] == {"accuracy": deployed["metrics"]["accuracy"]}


def test_report_is_found_by_the_name_of_the_execution(answer_of: Callable[..., Any], deployed: dict[str, Any]) -> None:
    name = answer_of("show", deployed["run_id"])["execution_arn"].rsplit(":", 1)[1]
    shown = answer_of("report", name)
    assert shown["run_id"] == deployed["run_id"]
    assert shown["evaluation"]["accuracy"] == deployed["metrics"]["accuracy"]


def test_status_and_versions_agree_on_what_serves(answer_of: Callable[..., Any], deployed: dict[str, Any]) -> None:
    status, versions = answer_of("status"), answer_of("versions")
    assert status["endpoint"]["status"] == "InService"
    assert [row["version"] for row in versions if row["serves"]] == [status["endpoint"]["version"]]
    assert {alarm["state"] for alarm in status["alarms"]} <= {"OK", "ALARM", "INSUFFICIENT_DATA"}
    assert status["last_run"]["run_id"] >= deployed["run_id"]


def test_logs_are_those_of_the_run_and_of_the_step(automl: Automl, cloud: Cloud, deployed: dict[str, Any]) -> None:
    shown = automl("logs", deployed["run_id"], "--json")
    assert shown.exit_code == 0, shown.output
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    assert {"PrepareRun", "PreprocessData", "EvaluateModel"} <= {line["step"] for line in lines}
    prepared = [line for line in lines if "Run prepared" in line["message"]]
    assert [deployed["run_id"] in line["message"] for line in prepared] == [True]
    step = automl("logs", deployed["run_id"], "--step", "PreprocessData").stdout
    assert "rows to train on" in step
    assert "PrepareRun" not in step


def test_stop_ends_the_run_and_retry_repeats_its_input(
    automl: Automl, answer_of: Callable[..., Any], cloud: Cloud, running: str
) -> None:
    stopped = answer_of("stop", running.rsplit(":", 1)[1])
    assert stopped["execution_arn"] == running
    assert cloud.ended(running)["status"] == "ABORTED"
    again = automl("stop", stopped["run_id"])
    assert (again.exit_code, "has ended already (ABORTED)" in again.stderr) == (1, True)
    retried = answer_of("retry", stopped["run_id"])["execution_arn"]
    try:
        assert json.loads(cloud.client("stepfunctions").describe_execution(executionArn=retried)["input"]) == {
            "max_candidates": 2
        }
    finally:
        automl("stop", retried)
        cloud.ended(retried)


def test_schedule_keeps_its_target_whatever_is_changed(answer_of: Callable[..., Any], cloud: Cloud) -> None:
    before = answer_of("schedule", "show")
    scheduler = cloud.client("scheduler")
    target = scheduler.get_schedule(Name=before["name"])["Target"]
    try:
        # In 2050, so that nothing starts while other tests use this cloud.
        changed = answer_of("schedule", "set", "at(2050-01-31T06:00:00)", "--timezone", "Europe/Berlin")
        assert (changed["expression"], changed["timezone"]) == ("at(2050-01-31T06:00:00)", "Europe/Berlin")
        with pytest.raises(ClientError, match="time zone Mars/Base"):
            scheduler.update_schedule(
                Name=before["name"],
                ScheduleExpression="rate(7 days)",
                ScheduleExpressionTimezone="Mars/Base",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target=target,
            )
        assert answer_of("schedule", "on")["state"] == "ENABLED"
        assert answer_of("schedule", "off")["state"] == "DISABLED"
        assert scheduler.get_schedule(Name=before["name"])["Target"] == target
    finally:
        answer_of("schedule", "set", before["expression"], "--timezone", before["timezone"])
    assert answer_of("schedule", "show") == before


def test_doctor_finds_no_problem_in_the_stack_that_serves(answer_of: Callable[..., Any]) -> None:
    found = {one["check"]: one for one in answer_of("doctor")["findings"]}
    assert {one["status"] for one in found.values()} == {"ok", "could not check"}
    assert [name for name, one in found.items() if one["status"] == "could not check"] == ["Quotas"]
    assert {"Rows", "Classes", "Role: TrainingRole", "Notification"} <= found.keys()


def test_table_is_loaded_into_a_feature_group_that_athena_counts(
    cloud: Cloud, answer_of: Callable[..., Any], tmp_path: Path
) -> None:
    lines = [f"{n},2026-01-{1 + n % 28:02}T00:00:00Z,{n / 4},{n % 3},{'yes' if n % 2 else 'no'}" for n in range(640)]
    file = tmp_path / "sales.csv"
    file.write_text("\n".join(["id,sold_at,price,rooms,sold", *lines]), encoding="utf-8")
    options = ("--target", "sold", "--id-column", "id", "--feature-group", "sales", "--event-time-column", "sold_at")
    loaded = answer_of("features", "load", "--csv", file, *options)
    assert (loaded["rows"], loaded["counted"], loaded["refused"]) == (640, 640, [])
    store = cloud.client("sagemaker-featurestore-runtime")
    record = {"id": "1", "sold_at": "2026-01-02T00:00:00Z", "rooms": "two"}
    with pytest.raises(store.exceptions.ValidationError, match="rooms 'two' is not Integral"):
        store.put_record(
            FeatureGroupName="sales",
            Record=[{"FeatureName": name, "ValueAsString": value} for name, value in record.items()],
        )


def test_cost_of_a_run_is_what_its_jobs_took(
    cloud: Cloud, answer_of: Callable[..., Any], deployed: dict[str, Any]
) -> None:
    found = answer_of("cost", deployed["run_id"], "--prices-of", "eu-west-1")
    items = {item["usage"]: item for item in found["run"]["items"]}
    sagemaker = cloud.client("sagemaker")
    [summary] = sagemaker.list_processing_jobs(NameContains=deployed["run_id"])["ProcessingJobSummaries"]
    job = sagemaker.describe_processing_job(ProcessingJobName=summary["ProcessingJobName"])
    hours = (job["ProcessingEndTime"] - job["ProcessingStartTime"]).total_seconds() / 3600
    assert items["Processing:ml.m5.xlarge"]["usd"] == pytest.approx(hours * 0.257)
    assert items["Train:ml.m5.4xlarge"]["quantity"] > 0
    assert found["run"]["unpriced"] == ["DataScannedInTB", "Request-ARM", "Train:ml.m5.4xlarge"]
    [endpoint] = [item for item in found["idle_month"]["items"] if item["step"] == "endpoint"]
    assert endpoint["usd"] == pytest.approx(730 * 0.257)


def test_cheaper_type_is_suggested_from_what_the_job_used(
    answer_of: Callable[..., Any], deployed: dict[str, Any]
) -> None:
    # The local cloud's endpoint has no metrics of its instance.
    [job] = answer_of("cost", deployed["run_id"], "--prices-of", "us-east-1")["suggestions"]
    assert (job["setting"], job["instance_type"], job["instead_of"]) == (
        "processing_instance_type", "ml.m5.large", "ml.m5.xlarge")  # fmt: skip
    assert 0 < job["usd"] < job["instead_of_usd"]


def test_estimate_takes_the_times_of_the_newest_whole_run(
    answer_of: Callable[..., Any], deployed: dict[str, Any]
) -> None:
    items = answer_of("cost")["run"]["items"]
    assert all(item["basis"].startswith("measured in run ") for item in items)


def test_refreshed_prices_are_those_of_the_price_list(cloud: Cloud, answer_of: Callable[..., Any]) -> None:
    before = answer_of("cost")["prices"]
    refreshed = answer_of("cost", "--refresh")["prices"]
    assert {row["usagetype"]: row["usd"] for row in refreshed} == {row["usagetype"]: row["usd"] for row in before}
    assert {row["source"] for row in refreshed} == {"AWS Price List API"}
    assert answer_of("cost")["prices"] == refreshed
