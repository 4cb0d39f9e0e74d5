"""The runbook has every error that an email can name, and every case of the SageMaker pipeline's troubleshooting."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cli.steps import STEPS
from local.server import paths
from tests.contract.test_machines import MACHINES

RUNBOOK = (paths.PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")


def _names(value: Any) -> set[str]:
    """The errors that a machine names itself: `error: SomeName` in what a Pass, Choice or Catch assigns to `failure`."""
    if isinstance(value, dict):
        own = value.get("error")
        here = {own} if isinstance(own, str) and re.fullmatch(r"[A-Z]\w+", own) else set()
        return here.union(*map(_names, value.values()))
    return set().union(*map(_names, value)) if isinstance(value, list) else set()


ERRORS = sorted(_names(MACHINES))


def test_the_machines_name_errors() -> None:
    assert {"TargetNotInFeatureGroup", "SmokeTestFailed", "NoApprovedPackage"} <= set(ERRORS)


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_that_a_machine_names_is_in_the_runbook(error: str) -> None:
    assert f"`{error}`" in RUNBOOK


@pytest.mark.parametrize("step", [step for step in STEPS if step != "CheckModelQuality"])
def test_every_step_that_can_fail_has_its_section(step: str) -> None:
    assert f"\n## {step}\n" in RUNBOOK


def _refusals() -> Iterator[str]:
    """The words of each sentence with which the processing job refuses data, without what is filled in."""
    for file in (paths.PROJECT / "processing").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "UnusableDataError":
                words = [part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
                if text := " … ".join(word for word in words if isinstance(word, str)):
                    yield text


def test_every_refusal_of_the_processing_job_is_listed_and_no_other() -> None:
    section = RUNBOOK.split("### What the processing job refuses")[1].split("\n## ")[0]
    phrases = [
        phrase for row in re.findall(r"^\| (.*?) \|", section, re.MULTILINE) for phrase in re.findall(r"\*(.+?)\*", row)
    ]
    refusals = list(_refusals())
    assert len(refusals) > 20
    assert [text for text in refusals if not any(phrase in text for phrase in phrases)] == []
    assert [phrase for phrase in phrases if not any(phrase in text for text in refusals)] == []


@pytest.mark.parametrize("error", ["InvalidInputError", "UnusablePredictionsError"])
def test_every_error_of_a_function_is_in_the_runbook(error: str) -> None:
    assert f"`{error}`" in RUNBOOK
    sources = "".join(file.read_text(encoding="utf-8") for file in (paths.PROJECT / "functions").rglob("*.py"))
    assert set(re.findall(r"^class (\w+Error)\(", sources, re.MULTILINE)) == {
        "InvalidInputError",
        "UnusablePredictionsError",
    }


@pytest.mark.parametrize(
    "case",
    [
        "AutoML launches multiple jobs",
        "Model already exists",
        "Autoscaling not working",
        "Preprocessing artifacts not found",
        "Batch transform fails",
        "Feature Store query errors",
    ],
)
def test_every_case_of_troubleshooting_is_in_the_runbook(case: str) -> None:
    assert f"\n### {case}\n" in RUNBOOK
