"""The steps that people see are those of the machines, and follow from Step Functions' history."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import steps


@pytest.mark.parametrize("machine", steps.MACHINES, ids=lambda path: path.stem)
def test_every_state_names_a_step_that_people_know(machine: Path) -> None:
    states = steps.states_of(yaml.safe_load(machine.read_text(encoding="utf-8")))
    for name, state in states.items():
        step, colon, _ = state["Comment"].partition(":")
        assert colon and step in (*steps.STEPS, "Capacity", "Failure"), name
        assert steps.step_of_states()[name] == step, f"{name} is in both machines, as different steps"


def test_run_shows_every_step_once_in_order(deployed: Any) -> None:
    assert tuple(step.name for step in steps.steps_in(deployed.events)) == steps.STEPS


def test_steps_fill_the_time_of_the_run(deployed: Any) -> None:
    shown = steps.steps_in(deployed.events)
    assert all(step.ended == later.began for step, later in itertools.pairwise(shown))
    whole = (deployed.events[-1]["timestamp"] - shown[0].began).total_seconds()
    assert sum(step.seconds(step.ended) for step in shown if step.ended) == pytest.approx(whole)


def test_last_step_is_open_while_the_run_goes_on(deployed: Any) -> None:
    entered = next(
        i
        for i, e in enumerate(deployed.events)
        if e.get("stateEnteredEventDetails", {}).get("name") == "WaitForAutoMLJob"
    )
    so_far = deployed.events[: entered + 1]
    shown = steps.steps_in(so_far)
    assert (shown[-1].name, shown[-1].ended) == ("AutoMLTraining", None)
    assert steps.current_state(so_far) == "WaitForAutoMLJob"


def test_failed_run_ends_with_the_step_that_failed(failed: Any) -> None:
    assert [step.name for step in steps.steps_in(failed.events)] == ["PrepareRun", "DataSource"]
    assert failed.finished().failed_step == "DataSource"


def test_step_counts_as_failed_as_soon_as_the_machine_reports_it(failed: Any) -> None:
    telling = next(
        i for i, e in enumerate(failed.events) if e.get("stateEnteredEventDetails", {}).get("name") == "ReportFailure"
    )
    assert [step.failed for step in steps.steps_in(failed.events[: telling + 1])] == [False, True]


@pytest.mark.parametrize("end", ["ExecutionAborted", "ExecutionTimedOut"])
def test_step_that_ran_when_the_run_was_ended_counts_as_failed(deployed: Any, end: str) -> None:
    event = {**deployed.events[60], "type": end}
    event.pop("stateEnteredEventDetails", None)
    assert [step.failed for step in steps.steps_in([*deployed.events[:60], event])][-1]


def test_redriven_step_is_shown_again_with_what_came_of_it(failed: Any, deployed: Any) -> None:
    source = next(
        i
        for i, e in enumerate(deployed.events)
        if e.get("stateEnteredEventDetails", {}).get("name") == "DescribeFeatureGroup"
    )
    shown = steps.steps_in([*failed.events, *deployed.events[source:]])
    assert [step.name for step in shown[:3]] == ["PrepareRun", "DataSource", "DataSource"]
    assert [step.failed for step in shown[1:3]] == [True, False]
    assert not shown[-1].failed


def test_variables_are_what_the_machine_assigned(deployed: Any) -> None:
    variables = steps.assigned(deployed.events)
    assert variables["run"]["names"]["automl_job"] == f"automl-{variables['run']['id']}"
    assert variables["package"]["version"] == 1


def test_variables_cut_short_by_the_api_are_left_out() -> None:
    details = {"assignedVariables": {"run": '{"id": "2026'}, "assignedVariablesDetails": {"truncated": True}}
    assert steps.assigned([{"type": "TaskStateExited", "stateExitedEventDetails": details}]) == {}
