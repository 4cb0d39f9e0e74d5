"""The commands that operate a stack, answered from recorded executions."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from automl_pipeline import prices
from automl_pipeline.costs import Times
from botocore.exceptions import ClientError
from typer.main import get_command
from typer.testing import Result

from cli import config_import, costs, data_note, executions, results, runs, schedule
from cli import stack as stacks
from cli.main import app
from cli.stack import RefusedError, Stack
from cli.terminal import typed

from .conftest import Recording

PROJECT = Path(__file__).parents[3]
Automl = Callable[..., Result]


class States:
    """Step Functions with recorded executions, oldest first."""

    exceptions = boto3.client("stepfunctions", region_name="us-west-2").exceptions

    def __init__(self, *recordings: Recording):
        self._recordings = [self._dated(recording) for recording in recordings]
        self.started: list[dict[str, Any]] = []
        self.stopped: list[str] = []

    @staticmethod
    def _dated(recording: Recording) -> Recording:
        dates = {key: datetime.fromisoformat(recording.described[key]) for key in ("startDate", "stopDate")}
        return Recording(recording.described | dates, recording.events)

    def get_paginator(self, operation: str) -> Any:
        self._operation = operation
        return self

    def paginate(self, **asked: Any) -> Any:
        if self._operation == "list_executions":
            status = asked.get("statusFilter")
            rows = [recording.described for recording in self._recordings[::-1]]
            return [{"executions": [row for row in rows if status in (None, row["status"])]}]
        return [{"events": self._of(asked["executionArn"]).events}]

    def _of(self, arn: str) -> Recording:
        for recording in self._recordings:
            if recording.described["executionArn"] == arn:
                return recording
        raise self.exceptions.ExecutionDoesNotExist({"Error": {"Code": "ExecutionDoesNotExist"}}, "DescribeExecution")

    def describe_execution(self, executionArn: str) -> dict[str, Any]:
        return self._of(executionArn).described

    def start_execution(self, **asked: Any) -> dict[str, Any]:
        if any(recording.described["name"] == asked.get("name") for recording in self._recordings):
            raise self.exceptions.ExecutionAlreadyExists({"Error": {}}, "StartExecution")
        self.started.append(asked)
        return {"executionArn": "arn:new"}

    def stop_execution(self, **asked: Any) -> None:
        self.stopped.append(asked["executionArn"])


@pytest.fixture
def states(deployed: Recording, failed: Recording, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> States:
    """The failed run, and then the deployed one: the newest."""
    recorded = States(failed, deployed)
    for module in (runs, executions, costs):
        monkeypatch.setattr(module, "client", lambda _: recorded)
    monkeypatch.setattr(stacks, "find", lambda _: stack)
    # Jobs as SageMaker would describe them: an hour of processing, and prices of a Region that has all of them.
    times = Times(3600, 0, 0, "ml.m5.xlarge", {}, 0, 0, "measured")
    monkeypatch.setattr(costs, "measured", lambda details, stack: times)
    monkeypatch.setattr(costs, "table_of", lambda stack: prices.shipped("eu-west-1"))
    monkeypatch.setattr(data_note, "of", lambda finished, s3: [])
    return recorded


def test_runs_are_listed_newest_first_with_what_they_came_to(automl: Automl, states: States) -> None:
    reported = json.loads(automl("runs", "--json").stdout)
    assert [(run["status"], run["outcome"], run["version"]) for run in reported] == [
        ("SUCCEEDED", "Deployed", 1),
        ("FAILED", "DataSourceFailed", None),
    ]
    assert reported[0]["metric"] == {"accuracy": pytest.approx(0.7733, abs=1e-4)}
    header, first, second = automl("runs").stdout.splitlines()
    assert header.split() == ["run", "status", "outcome", "metric", "version", "duration"]
    assert "accuracy 0.7733  1" in first
    assert second.split()[1:] == ["FAILED", "DataSourceFailed", "2", "s"]


def test_runs_and_show_say_what_a_run_cost(automl: Automl, states: States) -> None:
    header, first, second = automl("runs", "--cost").stdout.splitlines()
    assert header.split()[-1] == "cost"
    assert first.endswith("at least $0.2570"), "the Athena query has no price there, an hour of ml.m5.xlarge has"
    assert second.endswith("at least $0.2570")
    listed = json.loads(automl("runs", "--cost", "--json").stdout)
    assert [run["cost"]["usd"] for run in listed] == [pytest.approx(0.257)] * 2
    assert ", at least $0.2570 (automl cost " in automl("show").stdout.splitlines()[0]


def test_cost_that_may_not_be_read_leaves_a_run_shown(
    automl: Automl, states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(stack: Stack) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetObject")

    monkeypatch.setattr(costs, "table_of", denied)
    shown = automl("show")
    assert (shown.exit_code, "$" in shown.stdout) == (0, False)


def test_runs_of_one_status(automl: Automl, states: States) -> None:
    assert [run["status"] for run in json.loads(automl("runs", "--status", "FAILED", "--json").stdout)] == ["FAILED"]


def test_run_is_named_by_id_name_or_arn_and_is_the_newest_by_default(
    automl: Automl, states: States, failed: Recording, stack: Stack
) -> None:
    run_id = executions.newest(stack, 2)[1].run_id
    for reference in (run_id, failed.described["name"], failed.described["executionArn"]):
        reported = json.loads(automl("show", reference, "--json").stdout)
        assert (reported["run_id"], reported["steps"][-1]["state"]) == (run_id, "failed")
    assert json.loads(automl("show", "--json").stdout)["status"] == "SUCCEEDED"
    refused = automl("show", "20250101-000000-00000000")
    assert (refused.exit_code, "To list them: automl runs" in refused.stderr) == (1, True)


def test_retry_starts_with_the_input_of_that_run(automl: Automl, states: States, failed: Recording) -> None:
    result = automl("retry", failed.described["name"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(states.started[0]["input"]) == json.loads(failed.described.get("input") or "{}")


def test_run_that_has_ended_is_not_stopped_and_one_that_runs_is(automl: Automl, states: States) -> None:
    refused = automl("stop")
    assert (refused.exit_code, states.stopped) == (1, [])
    assert "has ended already (SUCCEEDED)" in refused.stderr
    newest = states._recordings[-1].described
    newest["status"] = "RUNNING"
    assert automl("stop").exit_code == 0
    assert states.stopped == [newest["executionArn"]]


@pytest.mark.parametrize(("given", "said"), [({}, "the same input"), ({"max_candidates": 3}, "another input")])
def test_name_that_is_taken_is_refused_with_the_truth_about_its_input(
    states: States, stack: Stack, given: dict[str, Any], said: str
) -> None:
    newest = states._recordings[-1].described
    newest["input"] = "{}"
    with pytest.raises(RefusedError, match=f"has ended, with {said}"):
        runs.start(given, stack, newest["name"])


def test_compare_shows_settings_that_differ(automl: Automl, states: States, deployed: Recording) -> None:
    ids = [run["run_id"] for run in json.loads(automl("runs", "--json").stdout)]
    reported = json.loads(automl("compare", *ids, "--json").stdout)
    assert reported["settings"]["feature_group_name"] == ["mlops_poc_churn_classification_feature", "nobody"]
    assert "objective_metric_name" not in reported["settings"]
    assert reported["metrics"]["accuracy"][1] is None


def test_compare_shows_how_far_a_metric_moved(
    automl: Automl, states: States, deployed: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [run["run_id"] for run in json.loads(automl("runs", "--json").stdout)]
    found: Any = executions.Details.metrics.fget  # pyright: ignore[reportAttributeAccessIssue]
    moved = {ids[0]: {"accuracy": 0.75, "auc": 0.8}, ids[1]: {"accuracy": 0.7625}}
    monkeypatch.setattr(executions.Details, "metrics", property(lambda self: moved.get(self.run.run_id) or found(self)))
    lines = [line.split() for line in automl("compare", *ids).stdout.splitlines()]
    assert ["metric", *ids, "change"] in lines
    assert ["accuracy", "0.7500", "0.7625", "+0.0125"] in lines
    assert ["auc", "0.8000", "-"] in lines


def test_dry_run_shows_what_differs_and_starts_nothing(automl: Automl, states: States) -> None:
    result = automl("start", "--dry-run", "--input", '{"accuracy_threshold": 0.8, "max_runtime_sec": 3600}', "--json")
    assert json.loads(result.stdout)["changes"] == {"accuracy_threshold": {"deployed": 0.5, "run": 0.8}}
    assert states.started == []


def test_stack_of_make_deploy_is_remembered_and_the_local_cloud_has_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_text('[default.deploy.parameters]\nstack_name = "mine"\nregion = "eu-west-1"\n')
    monkeypatch.setattr(stacks, "SAMCONFIG", file)
    for name in ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "")
    monkeypatch.delenv("AWS_REGION")
    assert (stacks.remembered(), os.environ["AWS_REGION"]) == ("mine", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert stacks.remembered() == stacks.LOCAL_STACK


def test_region_profile_and_stack_reach_the_stack_and_are_gone_afterwards(
    automl: Automl, monkeypatch: pytest.MonkeyPatch, stack: Stack
) -> None:
    seen: list[Any] = []

    def find(name: str) -> Stack:
        seen.append((name, os.environ.get("AWS_REGION"), os.environ.get("AWS_PROFILE")))
        return stack

    monkeypatch.setattr(stacks, "find", find)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AUTOML_STACK", "from-environment")
    assert automl("config", "show", "--region", "eu-west-1", "--profile", "ops").exit_code == 0
    assert automl("config", "show", "--stack-name", "given").exit_code == 0
    assert seen == [("from-environment", "eu-west-1", "ops"), ("given", "us-east-1", None)]
    assert (os.environ["AWS_REGION"], os.environ.get("AWS_PROFILE")) == ("us-east-1", None)


def test_defect_has_no_traceback_unless_it_is_asked_for(automl: Automl, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(_: str) -> Stack:
        raise RuntimeError("odd")

    monkeypatch.setattr(stacks, "find", find)
    plain, debugged = automl("runs"), automl("runs", "--debug")
    assert (plain.exit_code, debugged.exit_code) == (1, 1)
    assert "Error: RuntimeError: odd" in plain.stderr
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debugged.stderr


def test_version_is_shown(automl: Automl) -> None:
    assert automl("--version").stdout.startswith("automl 0.")


def commands(group: Any, *path: str) -> list[tuple[str, ...]]:
    if not hasattr(group, "commands"):
        return [path]
    return [found for name, command in group.commands.items() for found in commands(command, *path, name)]


OPERATING = [path for path in commands(get_command(app)) if path[0] not in ("demo", "local", "predict")]


@pytest.mark.parametrize("command", OPERATING, ids=" ".join)
def test_help_fits_a_screen_and_has_an_example(automl: Automl, command: tuple[str, ...]) -> None:
    shown = automl(*command, "--help").stdout
    assert f"Example: automl {' '.join(command)}" in " ".join(shown.split())
    assert len(shown.splitlines()) <= 50


def test_import_divides_a_file_into_deployment_and_runs() -> None:
    values = {
        "region": "us-west-2",
        "bucket": "mine",
        "sns_topic_arn": "arn:aws:sns:us-west-2:000000000000:failures",
        "accuracy_threshold": 0.7,
        "enable_autoscaling": False,
        "feature_group_name": "mlops_poc_churn_classification_feature",
        "customer_id_end": None,
    }
    found = config_import.split(values)
    assert found.region == "us-west-2"
    assert found.parameters == {
        "BucketName": "mine",
        "SnsTopicArn": "arn:aws:sns:us-west-2:000000000000:failures",
        "AccuracyThreshold": "0.7",
        "EnableAutoscaling": "false",
    }
    assert found.settings.keys() == {
        "accuracy_threshold",
        "enable_autoscaling",
        "feature_group_name",
        "customer_id_end",
    }


def test_every_setting_of_the_shipped_configuration_has_a_parameter_to_import_it_to() -> None:
    keys = yaml.safe_load((PROJECT / "config" / "pipeline_config.yaml").read_text())
    odd = dict.fromkeys(keys, "no default")
    names = {name.lower() for name in config_import.split(odd).parameters}
    of_rows = {
        "positive_class",
        "exclude_columns",
        "split",
        "split_group_column",
        "report_slices",
        "sample_weight_attribute_name",
        "class_weights",
    }  # of one table, and so of one run
    of_one_run = {"capacity_patience_minutes", "resume_from", "skip_if_unchanged", "processing_volume_gb"}
    of_one_run |= {"transform_instance_count", "processing_instance_count", "processing_engine"}
    assert names == {key.replace("_", "") for key in odd.keys() - of_rows - of_one_run}


def test_schema_lets_every_key_out_and_no_unknown_one_in() -> None:
    schema = config_import.schema()
    assert "required" not in schema
    assert schema["additionalProperties"] is False
    assert set(yaml.safe_load((PROJECT / "config" / "pipeline_config.yaml").read_text())) <= set(schema["properties"])


def test_problems_of_a_file_are_reported_without_aws(automl: Automl, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("acuracy_threshold: 1\nmax_runtime_sec: x\n")
    result = automl("config", "check", tmp_path / "bad.yaml")
    assert result.exit_code == 1
    assert "Did you mean accuracy_threshold?" in result.stderr
    assert "max_runtime_sec" in result.stderr


@pytest.mark.parametrize("expression", ["nonsense", "cron(0 6 * * *)", "rate(0 days)", "rate(1 week)"])
def test_expression_that_is_no_schedule_is_refused_before_aws(stack: Stack, expression: str) -> None:
    with pytest.raises(RefusedError, match="is no schedule"):
        schedule.change(stack, ScheduleExpression=expression)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("passed: No,\"[0.97698, 0.02302]\",\"['No', 'Yes']\"", "passed, answered No, probability 0.977"),
        ("passed: 250.4123456", "passed, answered 250.4"),
        ("passed: gold", "passed, answered gold"),
        ("skipped: the row would not fit", "skipped: the row would not fit"),
        (None, None),
    ],
)
def test_known_row_is_shown_with_label_and_rounded_probability(said: str | None, shown: str | None) -> None:
    assert results._known_row(said) == shown


def test_running_run_counts_until_now(deployed: Recording) -> None:
    described = States(deployed)._recordings[0].described
    assert executions.of(described | {"status": "RUNNING"}).seconds > timedelta(seconds=1).total_seconds()


def test_printed_command_calls_the_program_where_the_person_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / ".venv" / "bin" / "automl"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/usr/bin")
    assert typed("runs", "churn", "eu-central-1") == ".venv/bin/automl runs --stack-name churn --region eu-central-1"
    monkeypatch.setenv("PATH", str(program.parent))
    assert typed("runs") == "automl runs"


@pytest.mark.parametrize("arguments", [[], ["--debug"]])
def test_defect_of_a_command_without_a_stack_is_one_line_unless_debugged(
    automl: Automl, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    def broken() -> None:
        raise ValueError("out of paper")

    monkeypatch.setattr(config_import, "schema", broken)
    shown = automl("config", "schema", *arguments)
    assert (shown.exit_code, "ValueError: out of paper" in shown.stderr) == (1, True)
    assert ("Traceback" in shown.stderr) == bool(arguments)


def test_doubt_about_a_runs_model_is_in_its_document(deployed: Recording) -> None:
    described = States(deployed)._recordings[0].described
    output = json.loads(described["output"]) | {"verdict": "Passes the gate: it does. But it finds nothing."}
    found = executions.of(described | {"output": json.dumps(output)})
    assert found.document()["doubt"] == "it finds nothing."
    assert executions.of(described).document()["doubt"] is None
