"""Requests and answers of AWS's APIs against botocore's models: in the machines, the functions and the command line."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local.aws.machine_states import states_of
from tests.contract import expression_reads, machine_requests, machines, python_calls, recordings
from tests.contract.shapes import Shape

# Step Functions spells keys as the AWS SDK for Java does; how that spells AutoML is not documented, so both are read.
BOTH_SPELLINGS = {"training.DescribeAutoMLJob": ("AutoMlJobStatus", "FinalAutoMlJobObjectiveMetric")}

ROOT = Path(__file__).parents[2]
SOURCES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in ("functions", "layers", "cli")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
# Which state calls which function.
HANDLERS = {"functions/prepare_run/app.py": "PrepareRun", "functions/evaluate_model/app.py": "EvaluateModel"}


@cache
def services() -> frozenset[str]:
    return python_calls.services(SOURCES.values())


@cache
def clients() -> dict[str, str]:
    return python_calls.clients(SOURCES.values())


@cache
def as_it_is(machine: str) -> list[str]:
    return expression_reads.Machine(machine).problems()


@pytest.mark.parametrize("machine", machines.NAMES)
def test_what_expressions_read_can_be_there(machine: str) -> None:
    found = as_it_is(machine)
    unknown = [
        problem
        for problem in found
        if not any(f"{name}: " in problem for name in BOTH_SPELLINGS.get(problem.split(" ")[0], ()))
    ]
    assert unknown == []


@pytest.mark.parametrize("machine", machines.NAMES)
def test_requests_are_what_the_api_takes(machine: str) -> None:
    assert machine_requests.problems(machine) == []


@pytest.mark.parametrize("machine", machines.NAMES)
def test_every_misspelled_read_is_noticed(machine: str) -> None:
    read = expression_reads.Machine(machine)
    overlooked = []
    for one in machines.expressions(machine, recordings.deployed(machine)):
        reader = read.reader(one)
        for name in [node for node in recordings.nodes(reader.tree) if node.type == "name"]:
            right, name.value = name.value, f"{name.value}Wrong"
            reader.problems.clear()
            reader.shape()
            if not any(f"{name.value}: " in problem for problem in reader.problems):
                overlooked.append(f"{one}: {right}")
            name.value = right
    assert overlooked == []


# The failure machine reads its input and lists of jobs alone, no answer of a task.
@pytest.mark.parametrize("machine", ("training", "deployment"))
def test_misspelled_read_is_named_with_its_state(machine: str) -> None:
    definition = copy.deepcopy(recordings.deployed(machine))
    expressions = machines.expressions(machine, definition)
    one = next(one for one in expressions if one.place.startswith("Assign.") and one.text.startswith("$states.result."))
    for name, value in definition["States"][one.state]["Assign"].items():
        definition["States"][one.state]["Assign"][name] = replaced(value, "$states.result.", "$states.result.Wrong")
    found = [problem for problem in expression_reads.Machine(machine, definition).problems() if "Wrong" in problem]
    assert found
    assert all(problem.startswith(f"{machine}.{one.state} Assign.") for problem in found)


def replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: replaced(inner, old, new) for key, inner in value.items()}
    return value.replace(old, new) if isinstance(value, str) else value


# What these hold is no structure of the API.
FREE = ("Payload", "Input", "Body", "Environment", "CustomerMetadataProperties")


def misspelled(arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Arguments with one key misspelled, at any depth, each in turn."""
    for key, inner in arguments.items():
        yield {(f"{key}Wrong" if other == key else other): value for other, value in arguments.items()}
        parts = [inner] if isinstance(inner, dict) else inner if isinstance(inner, list) else []
        for part in parts if key not in FREE else []:
            for wrong in misspelled(part) if isinstance(part, dict) else []:
                yield {**arguments, key: wrong if isinstance(inner, dict) else [wrong]}


@pytest.mark.parametrize("machine", machines.NAMES)
def test_every_misspelled_key_of_a_request_is_named_with_its_state(machine: str) -> None:
    tasks = {name: state for name, state in states_of(recordings.deployed(machine)).items() if state["Type"] == "Task"}
    for name, state in tasks.items():
        for arguments in misspelled(state["Arguments"]) if isinstance(state["Arguments"], dict) else []:
            found = machine_requests.problems(machine, {"States": {name: {**state, "Arguments": arguments}}})
            assert found, arguments
            assert all(problem.startswith(f"{machine}.{name}: ") for problem in found)


@pytest.mark.parametrize(
    ("machine", "state", "wrong", "said"),
    [
        ("training", "SaveModelInfo", {"ContentType": 5}, "must be a string"),
        ("training", "CreateModelPackageGroup", {"ModelPackageGroupName": None}, "must not be null"),
        ("deployment", "PutScalingPolicy", {"PolicyType": "TargetScaling"}, "enum value set"),
        ("deployment", "CreateEndpoint", {"EndpointName": "my endpoint"}, "regular expression pattern"),
        ("deployment", "FindApprovedPackage", {"MaxResults": 0}, "greater than or equal to 1"),
    ],
)
def test_wrong_value_in_a_request_is_named_with_its_state(
    machine: str, state: str, wrong: dict[str, Any], said: str
) -> None:
    task = recordings.deployed(machine)["States"][state]
    definition = {"States": {state: {**task, "Arguments": task["Arguments"] | wrong}}}
    [found] = machine_requests.problems(machine, definition)
    assert found.startswith(f"{machine}.{state}: ")
    assert said in found


def event_of(path: str) -> dict[str, dict[str, Shape]]:
    """What a function's handler is given, as recorded."""
    if path not in HANDLERS:
        return {}
    requests = machine_requests.requests("training")
    payloads = [arguments["Payload"] for state, arguments in requests if state == HANDLERS[path]]
    return {"handler": {"event": python_calls.received(payloads)}}


def module(path: str, source: str | None = None) -> python_calls.Module:
    return python_calls.Module(path, source or SOURCES[path], services(), clients(), event_of(path))


@pytest.mark.parametrize("path", SOURCES)
def test_calls_in_python_are_what_the_api_takes_and_answers(path: str) -> None:
    assert module(path).problems == []


@pytest.mark.parametrize("path", SOURCES)
def test_no_call_in_python_is_overlooked(path: str) -> None:
    operations = {method: name for service in services() for method, name in python_calls.methods(service).items()}
    called = {operations[name] for name in re.findall(r"\.(\w+)\(", SOURCES[path]) if name in operations}
    assert {call.split(":")[1] for call in module(path).calls} >= called


@pytest.mark.parametrize("path", SOURCES)
def test_every_misspelled_key_of_a_call_is_named_with_its_line(path: str) -> None:
    names = set().union(*(python_calls.methods(service) for service in services())) | {"paginate"}
    lines = SOURCES[path].splitlines(keepends=True)
    for node in ast.walk(ast.parse(SOURCES[path])):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            for keyword in node.keywords:
                if keyword.arg:
                    line = lines[keyword.lineno - 1]
                    wrong = line[: keyword.col_offset] + "Wrong" + line[keyword.col_offset :]
                    found = module(path, "".join([*lines[: keyword.lineno - 1], wrong, *lines[keyword.lineno :]]))
                    assert [problem for problem in found.problems if f"'Wrong{keyword.arg}'" in problem], wrong
                    assert all(problem.startswith(f"{path}:{node.lineno}: ") for problem in found.problems)


READS = [
    "def f(sagemaker: Any):\n  reported = sagemaker.describe_model(ModelName='m')\n  return reported['{ModelName}']",
    "def f(sagemaker: Any):\n  reported = sagemaker.list_model_packages()\n  return reported.get('{ModelPackageSummaryList}', [])",
    "def f(sagemaker: Any):\n  reported = sagemaker.list_model_packages()['ModelPackageSummaryList']\n  return reported[0]['{ModelPackageArn}']",
    "def f(s3: Any):\n  pages = s3.get_paginator('list_objects_v2').paginate(Bucket='b')\n  return [row['{Key}'] for page in pages for row in page.get('Contents', [])]",
    "def g(s3: Any):\n  return s3.list_objects_v2(Bucket='b')\ndef f(s3: Any):\n  for row in g(s3)['Contents']:\n    print(row['{Key}'])",
    "def f(sagemaker: Any):\n  for key, ask in (('{ModelName}', lambda: sagemaker.describe_model(ModelName='m')),):\n    if key in ask():\n      print(key)",
    "def f(sagemaker: Any):\n  rows = []\n  for row in sagemaker.list_models()['Models']:\n    rows.append(row)\n  return max(rows)['{ModelName}']",
    "def f(events: list[Event]):\n  return [event.get('stateEnteredEventDetails', {})['{name}'] for event in sorted(events)]",
    "def f():\n  with client('s3').get_object(Bucket='b', Key='k')['{Body}'] as body:\n    return body",
]


@pytest.mark.parametrize("source", READS)
def test_misspelled_key_of_an_answer_is_named_with_its_line(source: str) -> None:
    right = re.sub(r"\{(\w+)\}", r"\1", source)
    wrong = re.sub(r"\{(\w+)\}", r"Wrong\1", source)
    assert python_calls.Module("example.py", right, services(), clients()).problems == []
    [found] = python_calls.Module("example.py", wrong, services(), clients()).problems
    assert re.match(r"example\.py:\d: .* has no 'Wrong", found)


def test_misspelled_method_of_a_client_is_named() -> None:
    wrong = "def f(sagemaker: Any):\n  return sagemaker.describe_automl_job_v2(AutoMLJobName='a')"
    [found] = python_calls.Module("example.py", wrong, services(), clients()).problems
    assert found == "example.py:2: sagemaker has no describe_automl_job_v2"


@pytest.mark.parametrize("path", HANDLERS)
def test_misspelled_key_of_a_functions_event_is_named(path: str) -> None:
    key = re.findall(r'event\["(\w+)"\]', SOURCES[path])[0]
    found = module(path, SOURCES[path].replace(f'event["{key}"]', 'event["wrong"]')).problems
    assert found
    assert all(problem.startswith(f"{path}:") and problem.endswith("has no 'wrong'") for problem in found)
