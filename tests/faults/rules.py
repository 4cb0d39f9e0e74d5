"""Which Retry and Catch rules there are, and which of them an execution met, according to its history."""

from __future__ import annotations

from typing import Any

from tests.contract import machines

Event = dict[str, Any]


def of(machine: str) -> set[str]:
    """Every rule for the errors of a Task state."""
    return {
        f"{machine}.{name} {rule}"
        for name, state in machines.states(machine).items()
        if state["Type"] == "Task"
        for key, listed in (("Retry", state["Retry"]), ("Catch", machines.catch(machine, name)))
        for rule in (_name(key, one) for one in listed)
    }


def met(machine: str, history: list[Event]) -> set[str]:
    """The rules by which an execution went on after an error of a Task state."""
    events = {event["id"]: event for event in history}
    attempts = [
        (event["id"], entered["id"])
        for event in history
        if event["type"] == "TaskScheduled" and (entered := _entered(events, event))
    ]
    found = set()
    for event in history:
        entered = _entered(events, event)
        error = _error(event)
        if error is None or entered is None:
            continue
        name = entered["stateEnteredEventDetails"]["name"]
        state = machines.states(machine)[name]
        again = any(number > event["id"] and where == entered["id"] for number, where in attempts)
        key, listed = ("Retry", state.get("Retry", [])) if again else ("Catch", machines.catch(machine, name))
        rule = next((one for one in listed if _matches(one, error)), None)
        if state["Type"] == "Task" and rule:
            found.add(f"{machine}.{name} {_name(key, rule)}")
    return found


def _name(key: str, rule: dict[str, Any]) -> str:
    return f"{key}: {', '.join(rule['ErrorEquals'])}"


def _entered(events: dict[int, Event], event: Event | None) -> Event | None:
    """The entry of the state that an event belongs to."""
    while event is not None and "stateEnteredEventDetails" not in event:
        event = events.get(event.get("previousEventId", 0))
    return event


def _error(event: Event) -> str | None:
    kinds = ("taskFailed", "taskTimedOut", "taskSubmitFailed", "taskStartFailed", "evaluationFailed")
    return next((event[f"{kind}EventDetails"].get("error") for kind in kinds if f"{kind}EventDetails" in event), None)


def _matches(rule: dict[str, Any], error: str) -> bool:
    names = rule["ErrorEquals"]
    return error in names or "States.ALL" in names or ("States.TaskFailed" in names and error != "States.Timeout")
