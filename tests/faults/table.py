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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """States down, faults, and what came of them."""
    rows = [json.loads(line) for path in _tables() for line in path.read_text(encoding="utf-8").splitlines()]
    if not rows or WORKER:
        return
    terminalreporter.section(f"fault matrix: {len(rows)} cases")
    for row in rows:
        told = f"{row['error']}, emails: {row['emails']}" if row.get("error") else ""
        mark = "  PROBLEM" if row["problems"] else ""
        terminalreporter.line(f"{row['state']:<38} {row['fault']:<26} {row['ends']:<10} {told}{mark}".rstrip())
    terminalreporter.line(", ".join(f"{ends}: {count}" for ends, count in Counter(row["ends"] for row in rows).items()))
