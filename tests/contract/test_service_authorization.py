"""The template's roles against AWS's Service Authorization Reference: what is granted can be, what is called is granted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.aws.stepfunctions import sdk_shapes
from tests.contract import machines, python_calls
from tests.contract import service_authorization as reference
from tests.contract.expression_reads import called
from tests.contract.service_authorization import Statement

ROOT = Path(__file__).parents[2]
MACHINE_ROLES = {"training": "TrainingRole", "deployment": "DeploymentRole", "failure": "FailureRole"}
# The layer's modules are called by PrepareRun alone, besides those without a call of AWS.
FUNCTIONS = {
    "PrepareRunRole": ("functions/prepare_run", "layers"),
    "EvaluateModelRole": ("functions/evaluate_model",),
    "MeasureDriftRole": ("functions/measure_drift",),
}

# Actions that could be granted on less than everything, and where AWS asks for `*` all the same.
_VPC = "docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html: the validation of a VPC fails with less"
ON_EVERYTHING = {
    "ec2:CreateNetworkInterface": _VPC,
    "ec2:CreateNetworkInterfacePermission": _VPC,
    "ec2:DeleteNetworkInterface": _VPC,
    "ec2:DeleteNetworkInterfacePermission": _VPC,
}
# Granted beyond what the reference has, and who grants it so.
BEYOND = {
    # github.com/aws-samples, model registry policies: on the group as well as on its packages
    ("sagemaker:ListModelPackages", "model-package-group"),
}
# Marked as always there in the reference's table, and not of our kind of request.
NOT_OURS = {
    ("states:DescribeExecution", "express"): "Standard machines have no Express executions",
    ("states:StopExecution", "express"): "likewise",
    ("states:ListExecutions", "maprun"): "it is asked for the executions of a machine, not of a Map Run",
}
# Keys that every request has.
GLOBAL = ("aws:sourceaccount", "aws:sourcearn", "aws:securetransport", "aws:principalarn", "aws:resourceaccount")

STATEMENTS = reference.statements()
NAMES: dict[str, Any] = yaml.load(
    (Path(__file__).parent / "step_functions.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader
)


def everything(kind: str) -> Iterator[tuple[Statement, str]]:
    for statement in STATEMENTS:
        for name in statement.actions:
            if kind == "any" or statement.allows:
                yield statement, name


def test_every_action_of_a_role_exists() -> None:
    assert [f"{one}: {name}" for one, name in everything("any") if reference.action(name) is None] == []


def test_every_action_takes_a_resource_of_its_statement() -> None:
    wrong = []
    for statement, name in everything("any"):
        action = reference.action(name)
        assert action is not None
        taken = [one for one in statement.resources if any(reference.takes(arn, one) for arn in action.arns.values())]
        if not taken and not (statement.resources == ("*",) and not action.arns):
            kinds = ", ".join(action.arns) or "no resource, only *"
            wrong.append(f"{statement}: {name} takes {kinds}, not {', '.join(statement.resources)}")
    assert wrong == []


def test_every_resource_is_taken_by_an_action_of_its_statement() -> None:
    wrong = []
    for statement in STATEMENTS:
        actions = [action for name in statement.actions if (action := reference.action(name))]
        wrong += [
            f"{statement}: none of its actions takes {one}"
            for one in statement.resources
            if one != "*"
            and not any(reference.takes(arn, one) for action in actions for arn in action.arns.values())
            and not any((action.name, one.split(":")[5].partition("/")[0]) in BEYOND for action in actions)
        ]
    assert wrong == []


def test_every_resource_type_of_a_request_is_granted() -> None:
    wrong = []
    for role, name in {(one.role, name) for one, name in everything("allowed")}:
        action = reference.action(name)
        assert action is not None
        granted = [
            arn
            for one in STATEMENTS
            if one.role == role and one.allows and name in one.actions
            for arn in one.resources
        ]
        wrong += [
            f"{role}: {name} also needs a {kind}"
            for kind in action.required
            if (name, kind) not in NOT_OURS and not any(reference.takes(action.arns[kind], one) for one in granted)
        ]
    assert sorted(wrong) == []


def test_a_star_stands_only_where_there_is_no_resource_level() -> None:
    wide = {
        name
        for one, name in everything("allowed")
        if "*" in one.resources and (action := reference.action(name)) and action.arns
    }
    assert wide == set(ON_EVERYTHING)


def test_every_condition_key_is_one_that_requests_of_its_actions_have() -> None:
    wrong = []
    for statement, name in everything("any"):
        action = reference.action(name)
        assert action is not None
        for key in statement.keys:
            known = any(key.lower() == one or key.lower().startswith(f"{one}/") for one in action.keys)
            if not known and key.lower() not in GLOBAL:
                wrong.append(f"{statement}: a request for {name} has no {key}")
    assert wrong == []


def needed(machine: str) -> Iterator[tuple[str, str, str]]:
    """What a machine's role must be allowed: the state, the action, and what for."""
    for name, state in machines.states(machine).items():
        if state["Type"] != "Task":
            continue
        service, action, _ = called(state)
        operation = sdk_shapes.operation(service, action)
        own = reference.of_operation(sdk_shapes.service_named(service), operation.name)
        yield name, own, "its call"
        entry = reference.action(own)
        assert entry is not None, f"{machine}.{name}: the reference has no {own}"
        given = json.dumps(state["Arguments"])
        for dependent in entry.dependent:
            # What else the caller needs depends on what the request holds.
            holds = {"iam:PassRole": r"RoleArn\b", "sagemaker:AddTags": r"\bTags\b"}.get(dependent)
            if holds and re.search(holds, given):
                yield name, dependent, f"it depends on {own}"
        resource = state["Resource"].split(":states:::")[1]
        row = NAMES["optimised"].get(resource) or NAMES["aws_sdk"]["needs"].get(action, {})
        for one in row.get("needs") or row.get("actions") or ():
            yield name, one, row["policy"]


@pytest.mark.parametrize("machine", MACHINE_ROLES)
def test_every_call_of_a_machine_is_granted_with_what_it_depends_on(machine: str) -> None:
    role = MACHINE_ROLES[machine]
    granted = {name for one, name in everything("allowed") if one.role == role}
    lacking = [f"{state}: {name} ({why})" for state, name, why in needed(machine) if name not in granted]
    assert lacking == []


def test_what_is_evaluated_on_all_resources_is_granted_on_all() -> None:
    for row in NAMES["aws_sdk"]["needs"].values():
        for name, resource in row.get("resources", {}).items():
            granted = [
                one for statement, allowed in everything("allowed") if allowed == name for one in statement.resources
            ]
            assert [one for one in granted if one.endswith(f":{resource}")], f"{name} on {resource}"


def calls(*folders: str) -> set[str]:
    """The actions that the Python source in these folders calls."""
    files = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    services, clients = python_calls.services(files.values()), python_calls.clients(files.values())
    made = (python_calls.Module(path, source, services, clients).calls for path, source in files.items())
    return {reference.of_operation(*one.split(":")) for found in made for one in found}


@pytest.mark.parametrize("role", FUNCTIONS)
def test_every_call_of_a_function_is_granted(role: str) -> None:
    made = calls(*FUNCTIONS[role])
    granted = {name for one, name in everything("allowed") if one.role == role}
    assert made
    assert made - granted == set()


def test_every_call_of_the_command_line_is_an_action_that_can_be_granted() -> None:
    made = calls("cli")
    assert len(made) > 20
    assert {name for name in made if reference.action(name) is None} == set()


def test_the_local_cloud_asks_for_resources_that_the_reference_has() -> None:
    """The resource types that SageMaker's stand-in checks are the reference's, for every call of a machine."""
    from local.aws.sagemaker import authorization

    wrong: list[Any] = []
    for machine in MACHINE_ROLES:
        for name, state in machines.states(machine).items():
            if state["Type"] != "Task":
                continue
            service, action, _ = called(state)
            operation = sdk_shapes.operation(service, action)
            if sdk_shapes.service_named(service) != "sagemaker" or not isinstance(state["Arguments"], dict):
                continue
            request = dict.fromkeys(state["Arguments"], "x")
            headers = {"x-amz-target": f"SageMaker.{operation.name}"}
            body = json.dumps(request).encode()
            arn = authorization._resource("sagemaker", "POST", "/", headers, body, {}, "r", "1")
            entry = reference.action(f"sagemaker:{operation.name}")
            assert entry is not None
            fits = arn == "*" if not entry.arns else any(reference.takes(one, arn) for one in entry.arns.values())
            if not fits:
                wrong.append(f"{machine}.{name}: {operation.name} on {arn}, not on {', '.join(entry.arns)}")
    assert wrong == []
