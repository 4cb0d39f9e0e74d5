"""What can go missing: each rule of each state, each way to an email, each action of each role's statements."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from local.aws.machine_states import states_of
from tests.contract import machines, permissions
from tests.contract.permissions import Permission
from tests.contract.test_machines import sends_email

Definition = dict[str, Any]


@dataclass(frozen=True)
class MachineMutant:
    """A machine in which something of a state is missing. `change` takes it out of a definition, in place."""

    kind: str
    machine: str
    state: str
    what: str
    change: Callable[[dict[str, Any]], None] = field(compare=False)

    def of(self, definition: Definition) -> Definition:
        """A copy of a definition of this machine, without it."""
        mutated = copy.deepcopy(definition)
        self.change(states_of(mutated))
        return mutated

    def __str__(self) -> str:
        return f"{self.kind} of {self.machine}.{self.state}: {self.what}"


@dataclass(frozen=True)
class PermissionMutant:
    """A role without one of its actions."""

    permission: Permission
    kind: str = "permission"

    def __str__(self) -> str:
        return f"permission {self.permission}"


def permission_mutants() -> list[PermissionMutant]:
    """Every action of every statement of every role."""
    return [PermissionMutant(one) for one in sorted(permissions.granted())]


def machine_mutants() -> Iterator[MachineMutant]:
    """Every Retry rule, every Catch rule, every transition that leads to an email."""
    for machine in machines.NAMES:
        for name, state in machines.states(machine).items():
            for key in ("Retry", "Catch"):
                for number, rule in enumerate(state.get(key, [])):
                    yield MachineMutant(
                        key, machine, name, ", ".join(rule["ErrorEquals"]), _without_rule(name, key, number)
                    )
            yield from _mutants_of_ways_to_emails(machine, name, state)


def _without_rule(name: str, key: str, number: int) -> Callable[[dict[str, Any]], None]:
    def change(states: dict[str, Any]) -> None:
        del states[name][key][number]
        if not states[name][key]:
            del states[name][key]

    return change


def _mutants_of_ways_to_emails(machine: str, name: str, state: dict[str, Any]) -> Iterator[MachineMutant]:
    states = machines.states(machine)
    for place in _transitions(state):
        target = _at(state, place)
        email = _email_after(states, target)
        if email is not None:
            # NotifyFailure is the last state of its machine: a mutant ends well without it.
            behind = states[email].get("Next") or next(end for end, one in states.items() if one["Type"] == "Succeed")
            yield MachineMutant(
                "way to an email", machine, name, f"{place} → {target}", _retargeted(name, place, behind)
            )


Place = tuple[str | int, ...]


def _transitions(state: dict[str, Any]) -> list[Place]:
    places: list[Place] = [(key,) for key in ("Next", "Default") if key in state]
    return places + [(key, number, "Next") for key in ("Catch", "Choices") for number in range(len(state.get(key, [])))]


def _at(value: Any, place: Place) -> Any:
    for key in place:
        value = value[key]
    return value


def _retargeted(name: str, place: Place, target: str) -> Callable[[dict[str, Any]], None]:
    def change(states: dict[str, Any]) -> None:
        _at(states[name], place[:-1])[place[-1]] = target

    return change


def _email_after(states: dict[str, Any], name: str) -> str | None:
    """The email that comes next from a state, before any other call or wait; None if there is none for sure."""
    state = states[name]
    if sends_email(state):
        return name
    if state["Type"] == "Pass":
        return _email_after(states, state["Next"]) if "Next" in state else None
    if state["Type"] == "Choice":
        found = [_email_after(states, _at(state, place)) for place in _transitions(state)]
        return next((one for one in found if one), None) if any(found) and _only_ends(states, state) else None
    return None


def _only_ends(states: dict[str, Any], state: dict[str, Any]) -> bool:
    """Whether each branch of a choice is an email or a Fail state: it only decides which machine reports."""
    branches = [states[_at(state, place)] for place in _transitions(state)]
    return all(sends_email(branch) or branch["Type"] == "Fail" for branch in branches)
