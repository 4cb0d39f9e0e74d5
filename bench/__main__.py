"""Measures what users wait for, each beside a named baseline in the same run: make bench, or make bench ARGS=serving."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from bench import preprocessing, serving


def _preprocessing(console: Console) -> list[tuple[str, str, str, str]]:
    name, ours, baseline, seconds = preprocessing.measure(console)
    return [(name, f"{ours:.2f} s", f"{baseline} {seconds:.2f} s", f"{ours / seconds:.2f}")]


# Each gives rows of the table: what, ours, the baseline's, ours / baseline.
PARTS = {
    "preprocessing": _preprocessing,
    "serving": serving.measure,
}


def main() -> None:
    console = Console()
    unknown = set(sys.argv[1:]) - set(PARTS)
    if unknown:
        raise SystemExit(f"There is no {', '.join(sorted(unknown))}; the parts are: {', '.join(PARTS)}")
    table = Table("what", "ours", "baseline", "ours / baseline")
    for part in sys.argv[1:] or PARTS:
        for row in PARTS[part](console):
            table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
