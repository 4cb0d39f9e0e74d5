"""The three hottest paths of the processing job in seconds of processors, beside what they took before they were changed."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import preprocessing, tables
from local.server import paths

REPEATS = 3
BEFORE = {"importing and splitting": 0.88, "reading the columns": 1.44, "writing the tables": 1.15}
"""Measured for 1,000,000 rows on 2026-11-25, when the job held all rows in memory."""
CHANGES = {
    "importing and splitting": "scikit-learn's split and SciPy's ranks are 20 lines of numpy, tested against the originals: "
    "the same rows are chosen",
    "reading the columns": "pieces of 16 MB in place of the whole table, so that memory does not grow with it; pyarrow reads them "
    "in blocks of 4 MB that stay in the processor's cache. It no longer imports pandas. Numbers of which few differ are read as "
    "texts, which shows codes among them without a search. Codes are mapped only where a piece's dictionary differs from the column's",
    "writing the tables": "neighbouring columns of few different texts are joined as one, by a table of the texts that they have "
    "together; repeated numbers are formatted once; nothing is encoded, copied or searched again on the way to the file",
}


def measure(console: Console, rows: int = preprocessing.ROWS, repeats: int = REPEATS) -> dict[str, Any]:
    """The rows, and each path's seconds in each of these processes."""
    found: dict[str, list[float]] = {path: [] for path in BEFORE}
    with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
        raw = Path(name) / "processing/input/raw/rows.csv"
        tables.customers(raw, rows)
        python, _, *arguments = preprocessing.commands(console, Path(name), raw)[preprocessing.OURS]
        script = str(Path(__file__).with_name("profile_times.py"))
        console.print(f"Profiling {rows:,} rows {repeats} times")
        for _ in range(repeats):
            ran = subprocess.run([python, script, *arguments], check=True, stdout=subprocess.PIPE, text=True)
            for path, seconds in json.loads(ran.stdout.splitlines()[-1]).items():
                found[path].append(seconds)
    return {"rows": rows, "paths": found}
