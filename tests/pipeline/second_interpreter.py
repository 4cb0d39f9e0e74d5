"""MiniStack's own interpreter of the States Language, fed with the answers that a real execution was given.

The local cloud runs the machines with moto's interpreter. This is another one, by other authors: given the same answers, it
must make the same calls with the same arguments, and come to the same end. Both evaluate JSONata with the same library, whose
results the contract tests compare with AWS's own.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import pytest
from ministack.services import stepfunctions as ministack_states

Call = tuple[str, str]


def _call(resource: str, arguments: Any) -> Call:
    """What a call is recognised by."""
    payload = arguments.get("Payload")
    if isinstance(payload, dict):  # when each step began is not the same again
        arguments = {**arguments, "Payload": {name: value for name, value in payload.items() if name != "began"}}
    return resource.rpartition(":::")[2], json.dumps(arguments, sort_keys=True)


@dataclass
class Recorded:
    """An execution of the local cloud: its calls with what each was answered, and how it ended."""

    described: dict[str, Any]
    definition: str
    answers: dict[Call, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, states: Any, execution: str) -> Recorded:
        """Read from the execution's history."""
        machine = states.describe_state_machine_for_execution(executionArn=execution)
        found = cls(states.describe_execution(executionArn=execution), machine["definition"])
        pages = states.get_paginator("get_execution_history").paginate(executionArn=execution)
        events = {event["id"]: event for page in pages for event in page["events"]}
        for event in events.values():
            kind = event["type"]
            if kind not in ("TaskSucceeded", "TaskFailed", "TaskSubmitFailed", "TaskTimedOut"):
                continue
            scheduled = event
            while scheduled["type"] != "TaskScheduled":
                scheduled = events[scheduled["previousEventId"]]
            asked = scheduled["taskScheduledEventDetails"]
            resource = f"{asked['resourceType']}:{asked['resource']}"
            details = event[kind[0].lower() + kind[1:] + "EventDetails"]
            found.answers[_call(resource, json.loads(asked["parameters"]))].append(details)
        return found


@dataclass
class Replayed:
    """What MiniStack's interpreter made of it. `unexpected`: calls that the local cloud did not make."""

    execution: dict[str, Any]
    unexpected: list[Call]
    left: list[Call]


def replay(recorded: Recorded) -> Replayed:
    """The same machine with the same input, each call answered as it was then."""
    described = recorded.described
    arn, machine = described["executionArn"], described["stateMachineArn"]
    execution = {
        **{name: described[name] for name in ("executionArn", "name", "stateMachineArn", "input")},
        "startDate": f"{described['startDate'].astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "status": "RUNNING",
        "events": [],
    }
    answers = {call: list(given) for call, given in recorded.answers.items()}
    unexpected: list[Call] = []
    lock = threading.Lock()

    def invoke(resource: str, arguments: Any) -> Any:
        call = _call(resource, arguments)
        with lock:
            given = answers.get(call)
            if not given:
                unexpected.append(call)
                raise ministack_states._ExecutionError("Unexpected", f"{call} was not called then")
            details = given.pop(0)
        if "output" in details:
            return json.loads(details["output"])
        raise ministack_states._ExecutionError(details["error"], details.get("cause", ""))

    definition = {"name": machine.rpartition(":")[2], "definition": recorded.definition, "stateMachineArn": machine}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ministack_states, "_invoke_resource", invoke)
        patched.setattr(ministack_states, "_scaled_sleep", lambda _: None)
        patched.setattr(ministack_states, "_emit_execution_status_event", lambda _: None)
        patched.setattr(ministack_states, "_executions", {arn: execution})
        patched.setattr(ministack_states, "_state_machines", {machine: definition})
        patched.setattr(
            ministack_states, "_run_parallel_branches", _with_assign(ministack_states._run_parallel_branches)
        )
        patched.setattr(ministack_states, "_apply_output_path", _with_output(ministack_states._apply_output_path))
        ministack_states._run_execution(arn)
    return Replayed(execution, unexpected, [call for call, given in answers.items() if given])


def _with_assign(run_branches: Any) -> Any:
    """MiniStack 1.5.33 leaves out Assign and Output of a Parallel state in JSONata, though it has both for other states."""

    def run(state: dict[str, Any], given: Any, execution: Any, context: dict[str, Any]) -> Any:
        results, following = run_branches({**state, "Output": None}, given, execution, context)
        ministack_states._apply_state_assign(state, given, context, result=results)
        return ministack_states._apply_jsonata_output(state, given, context, result=results, default=results), following

    return run


def _with_output(output_path: Any) -> Any:
    """Likewise of a Succeed state."""

    def output(state: dict[str, Any], value: Any, context: Any = None) -> Any:
        if state["Type"] == "Succeed":
            return ministack_states._apply_jsonata_output(state, value, context, default=value)
        return output_path(state, value, context)

    return output
