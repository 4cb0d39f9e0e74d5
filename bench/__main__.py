"""Measures what users wait for, each beside a named baseline in the same run: make bench, or make bench ARGS=serving."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from bench import (
    cold_start,
    endpoint_load,
    evaluation,
    large_run,
    local_cloud_load,
    orchestration,
    preprocessing,
    profiling,
    quality,
    serving,
)
from bench.measuring import Row

PARTS: dict[str, Callable[[Console], Iterable[Row]]] = {
    "cold_start": cold_start.measure,
    "preprocessing": preprocessing.measure,
    "serving": serving.measure,
    "evaluation": evaluation.measure,
    "orchestration": orchestration.measure,
    "local_cloud": local_cloud_load.measure,
}
GROWTH, PROFILE = "growth", "profile"
# What has a table of its own: a minute of load, which has no baseline, and what takes a quarter of an hour, only if asked for.
ENDPOINT_LOAD, QUALITY, LARGE_RUN = "endpoint_load", "quality", "large_run"
KEPT = Path(".local/bench/measured.json")
PACKAGES = ("duckdb", "pandas", "pyarrow", "numpy", "scikit-learn")


def main() -> None:
    """Command line."""
    names = [*PARTS, GROWTH, PROFILE, ENDPOINT_LOAD, QUALITY, LARGE_RUN]
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description="Measure against named baselines.")
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"{', '.join(names)}; all but the last two if none is named"
    )
    parser.add_argument(
        "--json", type=Path, default=KEPT, help="add what was measured to this file, or replace it there"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=quality.SEEDS, help="of quality: one split for each")
    parser.add_argument("--rows", type=int, default=large_run.LARGE, help="of large_run: of the larger of its two runs")
    parser.add_argument("--most-cells", type=int, default=100_000_000, help="rows times columns of the largest table")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - {*names}:
        parser.error(f"there is no {', '.join(sorted(unknown))}; the parts are: {', '.join(names)}")
    console = Console()
    wanted = asked.parts or [*PARTS, GROWTH, PROFILE, ENDPOINT_LOAD]
    measured: dict[str, Any] = {}
    table = Table("what", "ours", "baseline", "ours / baseline", "peak memory")
    for part in [one for one in wanted if one in PARTS]:
        rows = [*PARTS[part](console)]
        measured[part] = {"rows": [asdict(row) for row in rows], **_machine()}
        for row in rows:
            table.add_row(*cells(row))
    if table.rows:
        console.print(table)
    if GROWTH in wanted:
        measured[GROWTH] = {
            "sizes": [*preprocessing.growth(console, asked.most_cells)],
            "requests": serving.growth(console),
            "predictions": [*evaluation.growth(console, asked.most_cells)],
            **_machine(),
        }
    if PROFILE in wanted:
        measured[PROFILE] = {**profiling.measure(console), **_machine()}
    _keep(asked.json, measured)
    if ENDPOINT_LOAD in wanted:
        endpoint_load.report(console)
    if QUALITY in wanted:
        quality.report(
            console, lambda tables: _keep(asked.json, {QUALITY: {"tables": tables, **_machine()}}), tuple(asked.seeds)
        )
    if LARGE_RUN in wanted:
        large_run.report(console, lambda runs: _keep(asked.json, {LARGE_RUN: {"runs": runs, **_machine()}}), asked.rows)


def _keep(file: Path, measured: dict[str, Any]) -> None:
    """Adds what was measured to the file, or replaces it there."""
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**before, **measured}, indent=1) + "\n", encoding="utf-8")


def cells(row: Row) -> tuple[str, str, str, str, str]:
    """A row as it is shown: medians, and how far the figures lie apart."""
    ours = figures(row.ours, row.unit)
    theirs = f"{row.baseline} {figures(row.theirs, row.unit)}" if row.theirs else row.baseline
    memory = " / ".join(f"{megabytes:,.0f} MB" for megabytes in row.memory)
    what = f"{row.what} ({row.note})" if row.note else row.what
    return what, ours, theirs, f"{row.ratio:.2f}" if row.ratio is not None else "", memory


def figures(values: Iterable[float], unit: str) -> str:
    """Their median, and in parentheses the least and the most."""
    found = [*values]
    middle = _number(statistics.median(found))
    spread = f" ({_number(min(found))} to {_number(max(found))})" if len(found) > 1 else ""
    return f"{middle} {unit}{spread}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _machine() -> dict[str, Any]:
    """Where and when it was measured, and what else the machine did."""
    return {
        "measured": datetime.now(UTC).isoformat(timespec="minutes"),
        "load": [round(load, 1) for load in os.getloadavg()],
        "machine": {
            "processors": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "image": preprocessing.IMAGE.parents[1].name if preprocessing.IMAGE.exists() else None,
        },
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }


if __name__ == "__main__":
    main()
