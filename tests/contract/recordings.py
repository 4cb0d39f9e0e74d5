"""What expressions were asked and answered in executions on the local cloud, kept as test data in recorded/.

A file is JSON Lines: first the substitutions of the deployed machine, then values of its variables, each once, and the
evaluations, which name those values by number.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import jsonata

from tests.contract import machines

FOLDER = Path(__file__).parent / "recorded"
REFRESH = "python -m tests.contract.record"
MOST_CONTEXTS = 3
MOST_FORMS = 8


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: what the expression could see, and its result."""

    state: str
    expression: str
    bindings: dict[str, Any]
    result: Any


@dataclass
class Recording:
    """The evaluations of one machine, and what CloudFormation had put into its definition."""

    substitutions: dict[str, str]
    evaluations: list[Evaluation]
    _by_place: dict[tuple[str, str], list[Evaluation]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for evaluation in self.evaluations:
            self._by_place.setdefault((evaluation.state, evaluation.expression), []).append(evaluation)

    def of(self, state: str, expression: str) -> list[Evaluation]:
        """The evaluations of an expression in a state; none if no execution came there."""
        return self._by_place.get((state, expression), [])

    def variables(self) -> dict[str, list[Any]]:
        """Every value that each of the machine's variables had."""
        seen: dict[str, list[Any]] = {}
        for evaluation in self.evaluations:
            for name, value in evaluation.bindings.items():
                if name != "states" and value not in seen.setdefault(name, []):
                    seen[name].append(value)
        return seen


@cache
def read(machine: str) -> Recording:
    """The recording of a machine."""
    lines = [json.loads(line) for line in _file(machine).read_text(encoding="utf-8").splitlines()]
    values = {(line["variable"], line["number"]): line["value"] for line in lines if "variable" in line}
    evaluations = []
    for line in lines:
        if "expression" in line:
            bindings = {name: values[name, number] for name, number in line["variables"].items()}
            evaluations.append(
                Evaluation(
                    line["state"],
                    line["expression"],
                    {**bindings, **({"states": line["states"]} if "states" in line else {})},
                    line["result"],
                )
            )
    return Recording(lines[0]["substitutions"], evaluations)


def deployed(machine: str) -> dict[str, Any]:
    """A machine as its file holds it now, with the substitutions that were recorded."""
    return machines.deployed(machine, read(machine).substitutions)


def write(machine: str, substitutions: dict[str, str], evaluations: Iterable[Evaluation]) -> None:
    """Keep a few evaluations of each expression, as different ones as there are."""
    lines: list[dict[str, Any]] = [{"substitutions": substitutions}]
    numbers: dict[tuple[str, str], int] = {}
    for evaluation in _chosen(evaluations):
        variables = {}
        for name, value in evaluation.bindings.items():
            if name == "states":
                continue
            key = (name, _text(value))
            if key not in numbers:
                numbers[key] = sum(name == other for other, _ in numbers) + 1
                lines.append({"variable": name, "number": numbers[key], "value": value})
            variables[name] = numbers[key]
        line = {"state": evaluation.state, "expression": evaluation.expression, "variables": variables}
        if "states" in evaluation.bindings:
            line["states"] = evaluation.bindings["states"]
        lines.append(line | {"result": evaluation.result})
    FOLDER.mkdir(exist_ok=True)
    _file(machine).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _file(machine: str) -> Path:
    return FOLDER / f"{machine}.jsonl"


def _chosen(evaluations: Iterable[Evaluation]) -> Iterator[Evaluation]:
    groups: dict[tuple[str, str], list[Evaluation]] = {}
    for evaluation in evaluations:
        seen = used(evaluation.expression, evaluation.bindings)
        narrowed = Evaluation(evaluation.state, evaluation.expression, seen, evaluation.result)
        groups.setdefault((evaluation.state, evaluation.expression), []).append(narrowed)
    for group in groups.values():
        distinct = list({_text(one.bindings): one for one in group}.values())
        # Another form says more than another value: true instead of false, a key that is missing, a list that is empty.
        results = {_text(_form(one.result)): one for one in reversed(distinct)}
        forms = {_text([_form(one.bindings), _form(one.result)]): one for one in reversed(distinct)}
        preferred = {id(one): one for one in chain(results.values(), forms.values(), distinct)}
        # Each form that a result has, so that what only few executions answer is not lost among the newest.
        yield from list(preferred.values())[: max(MOST_CONTEXTS, min(len(results), MOST_FORMS))]


def used(expression: str, bindings: dict[str, Any]) -> dict[str, Any]:
    """Those bindings that an expression mentions; of `states` the parts that it mentions."""
    names: set[str] = set()
    parts: set[str] = set()
    for node in nodes(jsonata.Jsonata.jsonata(expression).ast):
        if node.type == "path" and node.steps[0].type == "variable" and node.steps[0].value == "states":
            parts.add(node.steps[1].value)
        elif node.type == "variable":
            names.add(node.value)
    kept = {name: value for name, value in bindings.items() if name in names - {"states"}}
    states = {part: value for part, value in bindings.get("states", {}).items() if part in parts}
    return kept | ({"states": states} if parts else {})


def nodes(node: Any) -> Iterator[Any]:
    """A node of jsonata-python's syntax tree and all nodes below it."""
    if isinstance(node, (list, tuple)):
        for inner in node:
            yield from nodes(inner)
    elif isinstance(node, jsonata.Parser.Symbol):
        yield node
        for name, inner in vars(node).items():
            if not name.startswith("_outer"):
                yield from nodes(inner)


def _form(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _form(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [_form(inner) for inner in value[:2]]
    return value if isinstance(value, bool) else type(value).__name__


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
