"""The matrix's table: kept as JSON Lines in .local, one file for each process of a test session, and printed at its end."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from local.server import paths

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
STEM = "fault-matrix"
FEWEST_CASES = 100
"""With fewer the session was asked for some of them only."""


def add(row: dict[str, Any]) -> None:
    """Keep a row of this process."""
    paths.ROOT.mkdir(parents=True, exist_ok=True)
    with (paths.ROOT / f"{STEM}{WORKER and f'-{WORKER}'}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _tables() -> list[Path]:
    return sorted(paths.ROOT.glob(f"{STEM}*.jsonl"))


def pytest_sessionstart() -> None:
    """What an earlier session left is none of this one's."""
    if not WORKER:
        for path in _tables():
            path.unlink()


def _rows() -> list[dict[str, Any]]:
    return [json.loads(line) for path in _tables() for line in path.read_text(encoding="utf-8").splitlines()]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """States down, faults, and what came of them; the rules for errors that no execution met."""
    rows = [] if WORKER else _rows()
    if not rows:
        return
    terminalreporter.section(f"fault matrix: {len(rows)} cases")
    for row in rows:
        reported = f"{row['error']}, emails: {row['emails']}" if row.get("error") else ""
        mark = "  PROBLEM" if row["problems"] else ""
        terminalreporter.line(f"{row['state']:<38} {row['fault']:<26} {row['ends']:<10} {reported}{mark}".rstrip())
    terminalreporter.line(", ".join(f"{ends}: {count}" for ends, count in Counter(row["ends"] for row in rows).items()))
    for rule in _not_met(rows):
        terminalreporter.line(f"no execution met {rule}")


def _not_met(rows: list[dict[str, Any]]) -> list[str]:
    """What should have been met when at least the selection of `make test` ran."""
    if len(rows) < FEWEST_CASES:
        return []
    from tests.contract import machines
    from tests.faults import covering, rules

    played = {(row["state"], row["fault"]) for row in rows}
    if not {(str(case.task), case.kind.name) for case in covering.cases()} <= played:
        return []
    there = set().union(*(rules.of(machine) for machine in machines.NAMES))
    return sorted(there - {rule for row in rows for rule in row.get("rules", [])})
