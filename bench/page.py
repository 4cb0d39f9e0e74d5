"""The measured parts of docs/benchmarks.md and its picture, from docs/benchmarks.json: python -m bench.page."""

from __future__ import annotations

import json
import re
from typing import Any

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import large_run, profiling, quality
from bench.__main__ import PARTS, cells, figures
from bench.measuring import Row
from local.server import paths

DOCS = paths.PROJECT / "docs"
MARKED = re.compile(r"(<!-- measured: (\w+), by python -m bench\.page -->\n)(?:.*?\n)??(<!-- end -->)", re.S)
COLORS = {10: "#1b7f8c", 100: "#c06a1d", 1000: "#6b4fa0"}
WAYS = (("ours", "-o"), ("pandas + LabelEncoder", ":s"), ("pandas + scikit-learn", ":s"), ("DuckDB (bound)", "--^"))
# Stages of which growth is measured by rows alone: the key in the JSON, and what is counted.
STAGES = {"requests": "Encoding: rows of a request", "predictions": "Evaluation: predictions"}


def main() -> None:
    """Writes page and pictures."""
    measured = json.loads((DOCS / "benchmarks.json").read_text())
    path = DOCS / "benchmarks.md"
    path.write_text(page(path.read_text(), measured))
    for name, figure in _pictures(measured).items():
        figure.savefig(DOCS / "images" / f"{name}.svg", metadata={"Date": None})


def page(text: str, measured: dict[str, Any]) -> str:
    """The page with its measured parts from the JSON's content; what was not measured leaves its part empty."""
    parts = {
        "results": _table(measured),
        "stages": _stages(measured),
        "profile": _profile(measured),
        "quality": _quality(measured),
        "large_run": _large_run(measured),
    }
    return MARKED.sub(lambda found: found[1] + "".join(f"{line}\n" for line in parts[found[2]]) + found[3], text)


def _table(measured: dict[str, Any]) -> list[str]:
    lines = [
        "| What | Ours | Baseline | Ours / baseline | Peak memory | Load |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for part in (measured[name] for name in measured if name in PARTS):
        for row in part["rows"]:
            lines.append("| " + " | ".join([*cells(Row(**row)), f"{part['load'][0]:.0f}"]) + " |")
    return lines


def _quality(measured: dict[str, Any]) -> list[str]:
    if "quality" not in measured:
        return []
    part = measured["quality"]
    tables = part["tables"]
    rows = [(table, metric, row) for table in tables for metric, row in table["metrics"].items()]
    behind = [f"{metric} of {table['table']}" for table, metric, row in rows if row["behind"] > row["standard_error"]]
    return [
        f"{len(tables)} tables, {len(tables[0]['seeds'])} splits each, {part['measured'][:10]}, on {part['machine']['processors']} processors "
        f"that did other work at the same time (load {part['load'][2]:.0f} to {part['load'][0]:.0f} at the end), which all contenders bore alike. "
        + (f"Behind by more than the standard error: {', '.join(behind)}." if behind else "")
        + (
            ""
            if behind
            else "Nowhere is the local Autopilot behind the best of the others by more than the standard error."
        ),
        "",
        f"| Table | Metric | {' | '.join(quality.CONTENDERS)} | Behind the best of the others |",
        "| --- | --- |" + " --- |" * (len(quality.CONTENDERS) + 1),
        *(
            f"| {table['table']} | {metric} | {' | '.join(quality.spread(row['values'][one]) for one in quality.CONTENDERS)} | "
            f"{row['behind']:.4f} ± {row['standard_error']:.4f} |"
            for table, metric, row in rows
        ),
    ]


def _large_run(measured: dict[str, Any]) -> list[str]:
    if "large_run" not in measured:
        return []
    part = measured["large_run"]
    runs = part["runs"]
    heads = [f"{run['rows']:,} rows" for run in runs]
    return [
        f"{part['measured'][:10]}, on {part['machine']['processors']} processors (load {part['load'][2]:.0f} to {part['load'][0]:.0f} at the end):",
        "",
        f"| | {' | '.join(heads)} |",
        "| --- |" + " --- |" * len(runs),
        *(f"| {' | '.join(line)} |" for line in large_run.lines(runs)),
    ]


def _stages(measured: dict[str, Any]) -> list[str]:
    if not any(measured.get("growth", {}).get(key) for key in STAGES):
        return []
    return [
        "![Processor seconds of encoding over the rows of a request, and of evaluation over the number of predictions, beside "
        "pandas](images/growth-stages.svg)"
    ]


def _profile(measured: dict[str, Any]) -> list[str]:
    if "profile" not in measured:
        return []
    profile = measured["profile"]
    return [
        f"Processor seconds for {profile['rows']:,} rows (before: all rows in memory):",
        "",
        "| Path | Before | Now | What changed |",
        "| --- | --- | --- | --- |",
        *(
            f"| {path[0].upper()}{path[1:]} | {profiling.BEFORE[path]:.2f} | {figures(seconds, 's')} | {profiling.CHANGES[path]} |"
            for path, seconds in profile["paths"].items()
        ),
    ]


def _pictures(measured: dict[str, Any]) -> dict[str, Figure]:
    pyplot.switch_backend("svg")
    pyplot.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.family": "sans-serif"})
    growth = measured.get("growth", {})
    drawn = {"growth": _preprocessing(growth["sizes"])} if "sizes" in growth else {}
    stages = {title: growth[key] for key, title in STAGES.items() if growth.get(key)}
    return {**drawn, **({"growth-stages": _by_rows(stages)} if stages else {})}


def _preprocessing(sizes: list[dict[str, Any]]) -> Figure:
    """Processor seconds and peak memory over the number of rows, a line for each number of columns and way."""
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4.8), layout="constrained")
    for axis, measure, label in zip(
        axes, ("processor_seconds", "megabytes"), ("Seconds of processors", "Peak memory (MB)"), strict=True
    ):
        for columns, color in COLORS.items():
            of = [size for size in sizes if size["columns"] == columns]
            _lines(axis, of, measure, f", {columns:,} columns", color)
        _scaled(axis, "Rows", label)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def _by_rows(stages: dict[str, list[dict[str, Any]]]) -> Figure:
    """Processor seconds over rows, a panel for each stage."""
    figure, axes = pyplot.subplots(1, len(stages), figsize=(5 * len(stages), 4), layout="constrained", squeeze=False)
    for axis, (title, sizes) in zip(axes[0], stages.items(), strict=True):
        _lines(axis, sizes, "processor_seconds", "", COLORS[10])
        _scaled(axis, title, "Seconds of processors")
        axis.legend(fontsize=8, frameon=False)
    return figure


def _lines(axis: Axes, sizes: list[dict[str, Any]], measure: str, suffix: str, color: str) -> None:
    for way, style in WAYS:
        points = [(size["rows"], size["ways"][way][measure]) for size in sizes if way in size["ways"]]
        if points:
            axis.plot(*zip(*points, strict=True), style, color=color, markersize=4, label=f"{way}{suffix}")


def _scaled(axis: Axes, across: str, up: str) -> None:
    axis.set(xscale="log", yscale="log", xlabel=across, ylabel=up)
    axis.grid(visible=True, alpha=0.3)


if __name__ == "__main__":
    main()
