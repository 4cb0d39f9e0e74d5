"""The preprocessing job beside pandas + LabelEncoder, and DuckDB as the bound; and how its cost grows."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import measuring, tables
from local.server import paths

ROWS = 1_000_000
REPEATS = 3
IMAGE = paths.PROJECT / ".local" / "images" / "scikit-learn-1.2-1" / "bin" / "python"
OURS, PANDAS, DUCKDB = "ours", "pandas + LabelEncoder", "DuckDB (bound)"
# Rows and columns of the tables that show the growth.
SIZES = [(10_000, 10), (100_000, 10), (1_000_000, 10), (10_000_000, 10), (10_000, 100), (100_000, 100), (1_000_000, 100),
         (10_000, 1000), (100_000, 1000)]  # fmt: skip
# Cells that the baseline takes a minute for.
MOST_BASELINE_CELLS = 10_000_000


def measure(console: Console, rows: int = ROWS, repeats: int = REPEATS) -> list[measuring.Row]:
    """Whole processes in turns."""
    with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
        raw = Path(name) / "processing/input/raw/rows.csv"
        tables.customers(raw, rows)
        console.print(f"{rows:,} rows, {raw.stat().st_size / 1e6:.0f} MB")
        ways = commands(console, Path(name), raw)
        return measuring.rows(f"preprocess {rows:,} rows", measuring.in_turns(ways, repeats))


def growth(console: Console, most_cells: int) -> Iterator[dict[str, Any]]:
    """For each size up to `most_cells` once: rows, columns, megabytes of data, and each way's seconds and megabytes."""
    for rows, columns in SIZES:
        if rows * columns > most_cells:
            continue
        with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
            raw = Path(name) / "processing/input/raw/rows.csv"
            tables.wide(raw, rows, columns)
            ways = commands(console, Path(name), raw)
            if rows * columns > MOST_BASELINE_CELLS:
                ways = {OURS: ways[OURS]}
            found = {
                "rows": rows, "columns": columns, "data_megabytes": raw.stat().st_size / measuring.MEGABYTE,
                "ways": measuring.once_each(ways),
            }  # fmt: skip
            console.print(found)
            yield found


def python(console: Console) -> str:
    """The image's, or this one."""
    if IMAGE.exists():
        return str(IMAGE)
    console.print("No Python 3.9 here: measured with this Python's pandas and pyarrow, not with the image's.")
    return sys.executable


def commands(console: Console, folder: Path, raw: Path) -> dict[str, list[str]]:
    """What runs each way on the CSV `raw` in `folder`."""
    image = python(console)
    job = [image, str(paths.PROJECT / "processing/preprocess.py"), "--root", str(folder), "--target", "churn"]
    job += [
        "--problem-type",
        "BinaryClassification",
        "--drop-columns",
        "customer_id",
        "--event-time-column",
        "event_time",
    ]
    here = Path(__file__).parent
    return {
        OURS: job,
        PANDAS: [image, str(here / "baseline_pandas.py"), str(raw), str(folder)],
        DUCKDB: [sys.executable, str(here / "baseline_duckdb.py"), str(raw), str(folder)],
    }
