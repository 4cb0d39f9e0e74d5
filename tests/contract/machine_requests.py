"""The requests that the machines make: their Arguments with the expressions replaced by what executions answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local.aws import api_model
from local.aws.machine_states import states_of
from local.aws.stepfunctions import sdk_shapes
from tests.contract import machines, recordings
from tests.contract.expression_reads import called


def requests(machine: str, definition: dict[str, Any] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each task with its Arguments, as often as they were recorded. `definition` is the deployed one if none is given."""
    recording = recordings.read(machine)
    states = states_of(definition or recordings.deployed(machine))
    for name, state in states.items():
        if state["Type"] == "Task":
            for number in range(recordings.MOST_CONTEXTS):
                yield name, _evaluated(state["Arguments"], recording, name, number)


def _evaluated(value: Any, recording: recordings.Recording, state: str, number: int) -> Any:
    if (text := machines.expression(value)) is not None:
        answers = recording.of(state, text)
        return answers[min(number, len(answers) - 1)].result
    if isinstance(value, dict):
        return {key: _evaluated(inner, recording, state, number) for key, inner in value.items()}
    if isinstance(value, list):
        return [_evaluated(inner, recording, state, number) for inner in value]
    return value


def problems(machine: str, definition: dict[str, Any] | None = None) -> list[str]:
    """Everything in the requests that the API's model does not allow: `training.RegisterModel: …`."""
    states = states_of(definition or recordings.deployed(machine))
    found = []
    for name, arguments in requests(machine, definition):
        service, action, _ = called(states[name])
        operation = sdk_shapes.operation(service, action)
        try:
            request = sdk_shapes.to_request(arguments, operation.input_shape)
        except sdk_shapes.UnsupportedFieldError as error:
            found.append(f"{machine}.{name}: {error}")
            continue
        refused = api_model.problems(sdk_shapes.service_named(service), operation.name, request)
        found += [f"{machine}.{name}: {operation.name}: {problem}" for problem in refused]
    return sorted(set(found))
