"""The machines as they are in statemachine/, and every expression in them with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from local.aws.machine_states import states_of

NAMES = ("training", "deployment", "failure")
_FOLDER = Path(__file__).parents[2] / "statemachine"
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Expression:
    """An expression without its `{% %}`. `place` leads to it within the state: `Catch[0].Assign.failure.cause`."""

    machine: str
    state: str
    place: str
    text: str

    def __str__(self) -> str:
        shown = " ".join(self.text.split())
        return f"{self.machine}.{self.state} {self.place}: {shown[:120]}{'…' if len(shown) > 120 else ''}"


@cache
def source(machine: str) -> dict[str, Any]:
    """A machine as its file holds it, with `${Name}` where CloudFormation puts a value."""
    return yaml.load((_FOLDER / f"{machine}.asl.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)


@cache
def states(machine: str) -> dict[str, dict[str, Any]]:
    """Every state of a machine as its file holds it, those in branches of Parallel states, too."""
    return states_of(source(machine))


@cache
def around(machine: str, name: str) -> dict[str, Any] | None:
    """The Parallel state in whose branch a state lies, None for one of the machine itself."""
    parallels = [one for one in states(machine).values() if "Branches" in one]
    return next((one for one in parallels for branch in one["Branches"] if name in branch["States"]), None)


def catch(machine: str, name: str) -> list[dict[str, Any]]:
    """The rules for a state's errors: its own or, where it has none, those of the Parallel state around it."""
    return states(machine)[name].get("Catch") or (around(machine, name) or {}).get("Catch", [])


def targets(state: dict[str, Any]) -> list[str]:
    """The states that may come after a state."""
    rules = [state, *state.get("Catch", []), *state.get("Choices", [])]
    return [rule[key] for rule in rules for key in ("Next", "Default") if key in rule]


def deployed(machine: str, substitutions: dict[str, str]) -> dict[str, Any]:
    """A machine with its placeholders filled in; those without a value stay as they are."""
    return _filled(source(machine), substitutions)


def _filled(value: Any, substitutions: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, substitutions) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, substitutions) for inner in value]
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: substitutions.get(found[1], found[0]), value)
    return value


def substitutions(machine: str, definition: dict[str, Any]) -> dict[str, str]:
    """What CloudFormation put in the places of the placeholders, seen in a definition that was deployed."""
    found: dict[str, str] = {}
    for written, filled in _pairs(source(machine), definition):
        # Texts between the placeholders stay as they are, so each value is what lies between two of them.
        parts = _PLACEHOLDER.split(written)
        names = parts[1::2]
        pattern = "(.*?)".join(map(re.escape, parts[::2]))
        values = re.fullmatch(pattern, filled, re.DOTALL)
        if names and values:
            found |= dict(zip(names, values.groups(), strict=True))
    return found


def _pairs(written: Any, filled: Any) -> Iterator[tuple[str, str]]:
    if isinstance(written, dict) and isinstance(filled, dict):
        for key in written.keys() & filled.keys():
            yield from _pairs(written[key], filled[key])
    elif isinstance(written, list) and isinstance(filled, list):
        for one, other in zip(written, filled, strict=False):
            yield from _pairs(one, other)
    elif isinstance(written, str) and isinstance(filled, str):
        yield written, filled


def expression(value: Any) -> str | None:
    """The expression that a value of a state is, None if it is none."""
    if isinstance(value, str) and value.startswith("{%") and value.endswith("%}"):
        return value[2:-2].strip()
    return None


def expressions(machine: str, definition: dict[str, Any]) -> list[Expression]:
    """Every expression of a machine, in the order of its file."""
    return [
        Expression(machine, name, place, text)
        for name, state in states_of(definition).items()
        for place, text in _places({key: value for key, value in state.items() if key != "Branches"}, "")
    ]


def _places(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(inner, f"{place}[{number}]")
    elif (text := expression(value)) is not None:
        yield place, text
