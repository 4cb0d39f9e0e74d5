"""Every expression of the machines, evaluated twice: by the local cloud's JSONata and by the one that AWS follows.

The local cloud runs jsonata-python, AWS the JavaScript implementation. What executions asked and answered on the local cloud is
kept in recorded/; here the other implementation is asked the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.aws.stepfunctions import expressions, recording
from tests.contract import machines, recordings, second_jsonata
from tests.contract.recordings import Evaluation


@pytest.mark.parametrize("machine", machines.NAMES)
def test_every_expression_was_evaluated_in_a_recorded_execution(machine: str) -> None:
    recording = recordings.read(machine)
    missing = [
        str(one)
        for one in machines.expressions(machine, recordings.deployed(machine))
        if not recording.of(one.state, one.text)
    ]
    assert not missing, f"After a change of the machines, record anew: {recordings.REFRESH}"


@pytest.mark.parametrize("machine", machines.NAMES)
def test_every_expression_parses(machine: str) -> None:
    found = machines.expressions(machine, recordings.deployed(machine))
    parsed = second_jsonata.answers({"expression": one.text} for one in found)
    assert [
        f"{one}: {reported['error']}" for one, reported in zip(found, parsed, strict=True) if "error" in reported
    ] == []


@pytest.mark.parametrize("machine", machines.NAMES)
def test_both_implementations_answer_alike(machine: str) -> None:
    assert second_jsonata.differences(machine, recordings.read(machine).evaluations) == []


@pytest.mark.parametrize("machine", machines.NAMES)
def test_local_cloud_still_answers_as_recorded(machine: str) -> None:
    changed = [
        f"{one.state}: {one.expression}"
        for one in recordings.read(machine).evaluations
        if not second_jsonata.same(expressions.evaluate(one.expression, one.bindings), one.result)
    ]
    assert not changed, f"If that was meant, record anew: {recordings.REFRESH}"


@pytest.mark.parametrize(
    ("expression", "result", "reported"),
    [
        ("$count($run.bounds)", 3, "is 2"),
        ("$run.nothing", None, "returned nothing"),
        ('$sum($run.bounds & "")', 3, "T0412"),
        ('$eval("1 + 1")', 2, "non-function"),
        ("$run.(", 1, "S0203"),
    ],
)
def test_wrong_expression_is_named_with_its_state(expression: str, result: Any, reported: str) -> None:
    wrong = Evaluation("ExtractFeatures", expression, {"run": {"bounds": [1, 2]}}, result)
    right = Evaluation("CheckPrepared", "$visit.prepared", {"visit": {"prepared": True}}, True)
    [found] = second_jsonata.differences("training", [right, wrong])
    assert found.startswith("training.ExtractFeatures: ")
    assert reported in found


# The examples of AWS's documentation, and what it says of the arguments.
@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("$partition([1, 2, 3, 4], 2)", [[1, 2], [3, 4]]),
        ("$partition([1, 2, 3], 2)", [[1, 2], [3]]),
        ("$range(0, 10, 2)", [0, 2, 4, 6, 8, 10]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ('$hash("input data", "SHA-1")', "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ('$parse("{\\"foo\\": [1, null]}").foo', [1, None]),
        ("$random(7) = $random(7)", True),
        ("$length($uuid())", 36),
    ],
)
def test_functions_that_aws_adds_are_there_in_both(expression: str, result: Any) -> None:
    assert expressions.evaluate(expression, {}) == result
    assert second_jsonata.answers([{"expression": expression, "bindings": {}}]) == [{"value": result}]


def test_nothing_is_recorded_unless_a_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(recording.VARIABLE, raising=False)
    assert recording.recorded(expressions.evaluate) is expressions.evaluate
    monkeypatch.setenv(recording.VARIABLE, str(tmp_path / "raw.jsonl"))
    bindings = {"visit": {"looked": 1}}
    assert recording.recorded(expressions.evaluate)("$visit.looked + 1", bindings) == 2
    with pytest.raises(ValueError, match="nothing"):
        recording.recorded(expressions.evaluate)("$visit.nothing", bindings)
    [answered, failed] = map(json.loads, (tmp_path / "raw.jsonl").read_text().splitlines())
    assert answered == {"expression": "$visit.looked + 1", "bindings": bindings, "result": 2}
    assert "nothing" in failed["error"]
