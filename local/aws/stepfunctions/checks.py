"""What Step Functions refuses at the API and MiniStack accepts: broken definitions, input that is not JSON, bad names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions as ministack_states

from local.aws import ministack_patches
from local.aws.stepfunctions import parsing

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
MOST_INPUT_BYTES = 256 * 1024


def problems(definition: str) -> list[str]:
    """Why Step Functions would not take a machine's definition; empty if it would."""
    try:
        machine = json.loads(definition)
    except ValueError as error:
        return [f"INVALID_JSON_DESCRIPTION: {error}"]
    if not isinstance(machine, dict) or not isinstance(machine.get("States"), dict):
        return ["SCHEMA_VALIDATION_FAILED: The field 'States' is required"]
    found = list(_broken_transitions(machine, "/"))
    try:
        parsing.read(definition)
    except Exception as error:
        found.append(f"SCHEMA_VALIDATION_FAILED: {error}")
    return found


def _broken_transitions(machine: dict[str, Any], place: str) -> Iterator[str]:
    states = machine["States"]
    reached = {machine.get("StartAt")}
    if machine.get("StartAt") not in states:
        yield f"MISSING_TRANSITION_TARGET: StartAt {machine.get('StartAt')!r} at {place} is not a state"
    for name, state in states.items():
        targets = [state[key] for key in ("Next", "Default") if key in state]
        targets += [rule["Next"] for key in ("Catch", "Choices") for rule in state.get(key, []) if "Next" in rule]
        reached.update(targets)
        for target in targets:
            if target not in states:
                yield f"MISSING_TRANSITION_TARGET: {target!r} at {place}States/{name} is not a state"
        for number, branch in enumerate(state.get("Branches", [])):
            yield from _broken_transitions(branch, f"{place}States/{name}/Branches[{number}]/")
        if state.get("Type") in ("Task", "Pass", "Wait", "Parallel") and "Next" not in state and not state.get("End"):
            yield f"MISSING_END_STATE: {place}States/{name} has neither Next nor End"
    for name in states:
        if name not in reached:
            yield f"UNREACHABLE_STATE: {place}States/{name} is never reached"


def install() -> None:
    """Check definitions when machines are made or changed, and requests to start executions."""
    for operation in ("_create_state_machine", "_update_state_machine"):
        ministack_patches.refuse_first(ministack_states, operation, _refuse_definition)
    ministack_patches.replace(ministack_states, "_validate_state_machine_definition", _validate)
    ministack_patches.refuse_first(ministack_states, "_start_execution", _answer_start)


def _refuse_definition(data: dict[str, Any]) -> Any:
    found = problems(data["definition"]) if "definition" in data else []
    if found:
        message = f"Invalid State Machine Definition: '{', '.join(found)}'"
        return error_response_json("InvalidDefinition", message, 400)
    return None


def _validate(data: dict[str, Any]) -> Any:
    from ministack.core.responses import json_response

    found = [problem.split(": ", 1) for problem in problems(data.get("definition", ""))]
    diagnostics = [{"severity": "ERROR", "code": code, "message": message} for code, message in found]
    return json_response({"result": "FAIL" if found else "OK", "diagnostics": diagnostics})


def _answer_start(data: dict[str, Any]) -> Any:
    """The refusal of a request to start, or what an earlier, equal request was answered; None to start."""
    text = data.get("input", "{}")
    try:
        json.loads(text)
    except ValueError as error:
        return error_response_json("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'", 400)
    if len(text.encode()) > MOST_INPUT_BYTES:
        return error_response_json(
            "ValidationException",
            "Value at 'input' failed to satisfy constraint: Member must have length less than or equal to 262144",
            400,
        )
    name = data.get("name")
    if name is None:
        return None
    if not _NAME.fullmatch(name):
        return error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
    # Relies on MiniStack's record of executions, by ARN.
    machine = ministack_states._resolve_state_machine_arn(data.get("stateMachineArn", ""))
    for execution in list(ministack_states._executions.values()):
        same = execution["name"] == name and execution["stateMachineArn"] == machine
        if same and execution["status"] == "RUNNING" and json.loads(execution["input"]) == json.loads(text):
            from ministack.core.responses import json_response

            return json_response({"executionArn": execution["executionArn"], "startDate": execution["startDate"]})
    return None
