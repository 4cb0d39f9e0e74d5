"""The machines call, send and catch only what the table step_functions.yaml has from a published source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.aws.stepfunctions import integrations, sdk_shapes
from tests.contract import machines, recordings
from tests.contract.expression_reads import called

TABLE: dict[str, Any] = yaml.load(
    (Path(__file__).parent / "step_functions.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader
)
OPTIMISED: dict[str, Any] = TABLE["optimised"]
PREFIXES: dict[str, str] = TABLE["aws_sdk"]["prefixes"]


def tasks() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Every Task: its machine, its name, what it calls, and the state."""
    for machine in machines.NAMES:
        for name, state in machines.states(machine).items():
            if state["Type"] == "Task":
                yield machine, name, state["Resource"].split(":states:::")[1], state


def errors_of(resource: str, state: dict[str, Any]) -> set[str]:
    """The names that a call's error can have."""
    if not resource.startswith("aws-sdk:"):
        return set(OPTIMISED[resource]["errors"])
    service, action, _ = called(state)
    prefix = PREFIXES[service]
    modelled = sdk_shapes.operation(service, action).error_shapes
    names = {shape.name.removesuffix("Exception") for shape in modelled}
    return {f"{prefix}.{name}Exception" for name in (*names, prefix)} | {f"{prefix}.SdkClientException"}


def test_every_call_is_in_the_table() -> None:
    used = {resource for _, _, resource, _ in tasks()}
    assert {one for one in used if not one.startswith("aws-sdk:")} <= set(OPTIMISED)
    assert {one.split(":")[1] for one in used if one.startswith("aws-sdk:")} <= set(PREFIXES)


def test_every_row_has_its_source() -> None:
    rows = [(name, row["source"]) for name, row in OPTIMISED.items()]
    rows += [(error, source) for row in OPTIMISED.values() for error, source in row["errors"].items()]
    assert [name for name, source in rows if not re.search(r"\w", str(source))] == []


def test_actions_are_camel_case_names_of_operations() -> None:
    wrong = []
    for machine, name, resource, state in tasks():
        service, action, _ = called(state)
        operation = sdk_shapes.operation(service, action).name
        if action != operation[0].lower() + operation[1:]:
            wrong.append(f"{machine}.{name}: {resource}, and the operation is {operation}")
    assert wrong == []


def test_optimised_calls_send_only_fields_that_they_take() -> None:
    wrong = []
    for machine, name, resource, state in tasks():
        if resource.startswith("aws-sdk:"):
            continue
        given = state["Arguments"]
        if (text := machines.expression(given)) is not None:
            answers = recordings.read(machine).of(name, text)
            given = {key: None for answer in answers for key in answer.result}
        wrong += [f"{machine}.{name}: {key}" for key in given if key not in OPTIMISED[resource]["parameters"]]
    assert wrong == []


def test_only_errors_are_caught_that_the_call_can_raise() -> None:
    wrong = []
    for machine, name, resource, state in tasks():
        known = errors_of(resource, state) | set(TABLE["states"]["errors"])
        rules = [*state.get("Retry", []), *state.get("Catch", [])]
        wrong += [f"{machine}.{name}: {one}" for rule in rules for one in rule["ErrorEquals"] if one not in known]
    assert wrong == []


def test_errors_that_pass_by_themselves_are_retried() -> None:
    wrong = []
    for machine, name, resource, state in tasks():
        retried = {error for rule in state.get("Retry", []) for error in rule["ErrorEquals"]}
        passing = OPTIMISED[resource].get("retry", []) if resource in OPTIMISED else []
        wrong += [f"{machine}.{name}: {error}" for error in passing if error not in retried]
    assert wrong == []


@pytest.mark.parametrize("machine", machines.NAMES)
def test_expressions_name_only_errors_that_a_call_of_the_machines_raises(machine: str) -> None:
    known = {one for _, _, resource, state in tasks() for one in errors_of(resource, state)} | set(
        TABLE["states"]["errors"]
    )
    texts = [one.text for one in machines.expressions(machine, machines.source(machine))]
    named = {name for text in texts for name in re.findall(r'"([A-Z]\w+\.[A-Z]\w+)"', text)}
    assert named - known == set()


def test_the_local_cloud_takes_and_raises_what_the_table_says() -> None:
    fields = integrations.SAGEMAKER_FIELDS | integrations.ATHENA_FIELDS
    for resource, row in OPTIMISED.items():
        action = resource.split(":")[1].partition(".")[0].lower()
        if action in fields:
            assert set(fields[action].split()) <= set(row["parameters"]), resource
    assert {name: integrations.ERROR_PREFIXES[name] for name in PREFIXES if name != "sfn"} == {
        name: prefix for name, prefix in PREFIXES.items() if name != "sfn"
    }
    source = json.dumps(Path(integrations.__file__).read_text(encoding="utf-8"))
    raised = set(re.findall(r'\\"((?:SageMaker|Athena|SNS|StepFunctions|Lambda)\.\w+Exception)', source))
    assert raised <= {error for row in OPTIMISED.values() for error in row["errors"]}
