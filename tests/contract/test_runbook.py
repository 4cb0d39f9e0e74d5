"""Whoever gets a mail finds its error in the runbook."""

from __future__ import annotations

import re
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
