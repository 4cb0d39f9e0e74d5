"""The measured parts of docs/benchmarks.md and its picture, from docs/benchmarks.json: python -m bench.page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from matplotlib import pyplot

from bench.__main__ import cells
from bench.measuring import Row
from local.server import paths

DOCS = paths.PROJECT / "docs"
MARKED = re.compile(r"(<!-- measured: python -m bench\.page -->\n)(?:.*?\n)??(<!-- end -->)", re.S)
COLORS = {10: "#1b7f8c", 100: "#c06a1d", 1000: "#6b4fa0"}


def main() -> None:
    """Writes both."""
    measured = json.loads((DOCS / "benchmarks.json").read_text())
    page = DOCS / "benchmarks.md"
    page.write_text(MARKED.sub(lambda found: found[1] + _table(measured) + "\n" + found[2], page.read_text()))
    _draw(measured["growth"], DOCS / "images" / "growth.svg")


def _table(measured: dict[str, Any]) -> str:
    lines = [
        "| What | Ours | Baseline | Ours / baseline | Peak memory | Load |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for part in measured.values():
        for row in part.get("rows", []):
            lines.append("| " + " | ".join([*cells(Row(**row)), f"{part['load'][0]:.0f}"]) + " |")
    return "\n".join(lines)


def _draw(growth: dict[str, Any], path: Path) -> None:
    """Processor seconds and peak memory over the number of rows, a line for each number of columns and way."""
    pyplot.switch_backend("svg")
    pyplot.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4.8), layout="constrained")
    for axis, measure, label in zip(
        axes, ("processor_seconds", "megabytes"), ("Seconds of processors", "Peak memory (MB)"), strict=True
    ):
        for columns, color in COLORS.items():
            sizes = [size for size in growth["sizes"] if size["columns"] == columns]
            for way, style in (("ours", "-o"), ("pandas + LabelEncoder", ":s"), ("DuckDB (bound)", "--^")):
                points = [(size["rows"], size["ways"][way][measure]) for size in sizes if way in size["ways"]]
                if points:
                    axis.plot(
                        *zip(*points, strict=True),
                        style,
                        color=color,
                        markersize=4,
                        label=f"{way}, {columns:,} columns",
                    )
        axis.set(xscale="log", yscale="log", xlabel="Rows", ylabel=label)
        axis.grid(visible=True, alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
