"""docs/coverage.md names tests that exist, and every operation that the machines call."""

from __future__ import annotations

import re

from local.server import paths
from tests.contract import machines, pages
from tests.contract.expression_reads import called

FILE = paths.PROJECT / "docs" / "coverage.md"
PAGE = FILE.read_text(encoding="utf-8")
_TASKS = [one for name in machines.NAMES for one in machines.states(name).values() if one["Type"] == "Task"]


def test_every_test_it_names_is_in_its_file() -> None:
    named = re.findall(r"\[(test_\w+)\]\((\S+\.py)\)", PAGE)
    assert len(named) > 40
    missing = [test for test, file in named if f"def {test}(" not in pages.text((FILE.parent / file).resolve())]
    assert missing == []


def test_every_promise_has_a_proof() -> None:
    promises = PAGE.split("## Promises")[1].split("## AWS operations")[0]
    rows = re.findall(r"^\| .* \|$", promises, re.MULTILINE)[2:]
    assert len(rows) > 25
    assert [row for row in rows if "](../tests/" not in row] == []


def test_every_operation_that_the_machines_call_is_listed() -> None:
    calls = {":".join(called(task)[:2]) for task in _TASKS}
    listed = set(re.findall(r"`(\w+:\w+)`", PAGE.split("| Operation |")[1]))
    assert calls == listed
