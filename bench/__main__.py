"""Measures what users wait for, each beside a named baseline in the same run: make bench, or make bench ARGS=serving."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.table import Table

from bench import cold_start, endpoint_load, preprocessing, serving

# Name, our seconds, the baseline's name, its seconds.
Seconds = tuple[str, float, str, float]


def _in_seconds(rows: Iterable[Seconds]) -> list[tuple[str, str, str, str]]:
    return [
        (name, f"{ours:.2f} s", f"{baseline} {seconds:.2f} s", f"{ours / seconds:.2f}")
        for name, ours, baseline, seconds in rows
    ]


# Each gives rows of the table: what, ours, the baseline's, ours / baseline.
COMPARED: dict[str, Callable[[Console], list[tuple[str, str, str, str]]]] = {
    "cold_start": lambda console: _in_seconds(cold_start.measure(console)),
    "preprocessing": lambda console: _in_seconds([preprocessing.measure(console)]),
    "serving": serving.measure,
}
# Each prints its own table.
REPORTED = {"endpoint_load": endpoint_load.report}


def main() -> None:
    console = Console()
    parts = [*COMPARED, *REPORTED]
    chosen = sys.argv[1:] or parts
    unknown = [name for name in chosen if name not in parts]
    if unknown:
        raise SystemExit(f"There is no part {', '.join(unknown)}; there are: {', '.join(parts)}")
    rows = [row for name, measure in COMPARED.items() if name in chosen for row in measure(console)]
    if rows:
        table = Table("what", "ours", "baseline", "ours / baseline")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for name, report in REPORTED.items():
        if name in chosen:
            report(console)


if __name__ == "__main__":
    main()
