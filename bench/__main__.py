"""Measures what users wait for, each beside a named baseline in the same run: make bench, or make bench ARGS=serving."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.table import Table

from bench import cold_start, endpoint_load, preprocessing, quality, serving

Row = tuple[str, str, str, str]


def _in_seconds(measured: Iterable[tuple[str, float, str, float]]) -> list[Row]:
    return [
        (name, f"{ours:.2f} s", f"{baseline} {seconds:.2f} s", f"{ours / seconds:.2f}")
        for name, ours, baseline, seconds in measured
    ]


# Each gives rows of the table: what, ours, the baseline's, ours / baseline.
PARTS: dict[str, Callable[[Console], Iterable[Row]]] = {
    "cold_start": lambda console: _in_seconds(cold_start.measure(console)),
    "preprocessing": lambda console: _in_seconds([preprocessing.measure(console)]),
    "serving": serving.measure,
}
# What has a table of its own: a minute of load, which has no baseline, and training for a quarter of an hour, only if asked for.
REPORTS: dict[str, Callable[[Console], None]] = {"endpoint_load": endpoint_load.report, "quality": quality.report}


def main() -> None:
    console = Console()
    wanted = sys.argv[1:] or [name for name in (*PARTS, *REPORTS) if name != "quality"]
    unknown = set(wanted) - {*PARTS, *REPORTS}
    if unknown:
        raise SystemExit(f"There is no {', '.join(sorted(unknown))}; the parts are: {', '.join([*PARTS, *REPORTS])}")
    table = Table("what", "ours", "baseline", "ours / baseline")
    for part in [one for one in wanted if one in PARTS]:
        for row in PARTS[part](console):
            table.add_row(*row)
    if table.rows:
        console.print(table)
    for name in [one for one in wanted if one in REPORTS]:
        REPORTS[name](console)


if __name__ == "__main__":
    main()
