"""Measures what users wait for, each beside a named baseline in the same run: make bench."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bench import cold_start, endpoint_load, preprocessing


def main() -> None:
    console = Console()
    table = Table("what", "ours", "baseline", "ours / baseline")
    for name, ours, baseline, seconds in [*cold_start.measure(console), preprocessing.measure(console)]:
        table.add_row(name, f"{ours:.2f} s", f"{baseline} {seconds:.2f} s", f"{ours / seconds:.2f}")
    console.print(table)
    endpoint_load.report(console)


if __name__ == "__main__":
    main()
