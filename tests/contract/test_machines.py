"""What must hold for every state of the machines, read from the files that are deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.steps import REPORTING, STEPS, WAITING, states_of
from local.aws.stepfunctions import checks, integrations, sdk_shapes
from tests.contract.machines import catch, source, targets

ROOT = Path(__file__).parents[2]
MACHINES = {name: source(name) for name in (path.name.split(".")[0] for path in (ROOT / "statemachine").iterdir())}
STATES = [(machine, name) for machine, definition in MACHINES.items() for name in states_of(definition)]
TASKS = [(machine, name) for machine, name in STATES if states_of(MACHINES[machine])[name]["Type"] == "Task"]


def state(machine: str, name: str) -> dict[str, Any]:
    return states_of(MACHINES[machine])[name]


@pytest.mark.parametrize("machine", MACHINES)
def test_definition_is_valid_and_every_state_is_reached(machine: str) -> None:
    text = json.dumps(MACHINES[machine]).replace("${Partition}", "aws")
    assert checks.problems(text) == []


@pytest.mark.parametrize(("machine", "name"), STATES)
def test_state_says_which_step_it_belongs_to(machine: str, name: str) -> None:
    step, _, why = state(machine, name)["Comment"].partition(": ")
    assert step in (*STEPS, WAITING, REPORTING)
    assert why


@pytest.mark.parametrize(("machine", "name"), TASKS)
def test_task_has_timeout_retry_and_catch(machine: str, name: str) -> None:
    task = state(machine, name)
    assert task["TimeoutSeconds"] > 0
    assert any("States.ALL" in rule["ErrorEquals"] for rule in catch(machine, name))
    for rule in task["Retry"]:
        assert rule["MaxAttempts"] > 0
        # No option that repeats a default of the language, or that no attempt reaches.
        assert rule.get("BackoffRate") != 2
        longest = rule["IntervalSeconds"] * rule.get("BackoffRate", 2) ** (rule["MaxAttempts"] - 1)
        assert rule["IntervalSeconds"] <= rule.get("MaxDelaySeconds", longest) <= longest
        assert rule["JitterStrategy"] == "FULL"


@pytest.mark.parametrize(("machine", "name"), TASKS)
def test_task_calls_an_operation_with_fields_it_has(machine: str, name: str) -> None:
    task = state(machine, name)
    service, _, action = (
        task["Resource"].removeprefix("arn:${Partition}:states:::").removeprefix("aws-sdk:").partition(":")
    )
    found = sdk_shapes.operation(service, action.split(".")[0])
    if isinstance(task["Arguments"], dict):
        unknown = [problem for problem in unknown_fields(task["Arguments"], found.input_shape) if problem]
        assert not unknown
    documented = {"sagemaker": integrations.SAGEMAKER_FIELDS, "athena": integrations.ATHENA_FIELDS}
    if ":aws-sdk:" not in task["Resource"] and service in documented and isinstance(task["Arguments"], dict):
        assert set(task["Arguments"]) <= set(documented[service][action.split(".")[0].lower()].split())


def unknown_fields(value: Any, shape: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("{%"):
        return
    if shape.type_name == "structure" and isinstance(value, dict):
        members = {member[0].upper() + member[1:]: inner for member, inner in shape.members.items()}
        for key, inner in value.items():
            # What starts an execution and a function takes any JSON.
            if key not in members:
                yield key
            elif key not in ("Input", "Payload", "Body"):
                yield from unknown_fields(inner, members[key])
    elif shape.type_name == "list" and isinstance(value, list):
        for inner in value:
            yield from unknown_fields(inner, shape.member)


def sends_email(found: dict[str, Any]) -> bool:
    """Whether a state sends an email, or starts the machine that does."""
    reports = "FailureStateMachineArn" in str(found.get("Arguments"))
    return found["Type"] == "Task" and (":sns:publish" in found["Resource"] or reports)


def decides_who_reports(states: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether a state only chooses between the email and an end without, as someone else sends one."""
    after = [states[target] for target in targets(found)]
    return (
        found["Type"] == "Choice"
        and any(map(sends_email, after))
        and all(sends_email(one) or one["Type"] == "Fail" for one in after)
    )


@pytest.mark.parametrize("machine", MACHINES)
def test_failed_end_is_reached_through_the_email_only(machine: str) -> None:
    """So is every bad end: before it comes the email or, where someone else may report it, the choice of it."""
    states = states_of(MACHINES[machine])
    for end, found in states.items():
        if found["Type"] not in ("Fail", "Succeed"):
            continue
        before = {name: one for name, one in states.items() if end in targets(one)}
        if found["Type"] == "Fail" or any(map(sends_email, before.values())):
            silent = [
                name for name, one in before.items() if not sends_email(one) and not decides_who_reports(states, one)
            ]
            assert not silent, f"{machine}.{end} comes after {silent} without an email"


def test_error_names_of_fail_states_are_allowed() -> None:
    for machine, name in STATES:
        if state(machine, name)["Type"] == "Fail":
            assert not state(machine, name)["Error"].startswith("States.")


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(inner)


@pytest.mark.parametrize("machine", MACHINES)
def test_what_looks_like_an_expression_is_one(machine: str) -> None:
    """Step Functions takes a text for an expression only if {% and %} are its very ends; others are kept as they are."""
    marked = [text for text in texts(MACHINES[machine]) if "{%" in text or "%}" in text]
    assert marked
    assert not [text for text in marked if not (text.startswith("{%") and text.endswith("%}"))]


def _scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _scalars(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _scalars(value)


@pytest.mark.parametrize("machine", MACHINES)
def test_expressions_have_at_most_twelve_lines(machine: str) -> None:
    root = yaml.compose((ROOT / "statemachine" / f"{machine}.asl.yaml").read_text())
    assert root is not None
    found = [node for node in _scalars(root) if node.value.startswith("{%") and node.style in ("|", ">")]
    assert found
    # A block's mark ends where the next line begins.
    longest = max(found, key=lambda node: node.end_mark.line - node.start_mark.line)
    assert longest.end_mark.line - longest.start_mark.line - 1 <= 12, f"line {longest.start_mark.line + 1}"
