"""Each part of `make bench` runs, with sizes that say nothing about speed; and its page is what the JSON says.

Each test imports its part alone: some of them import AutoGluon, which takes every process of the suite a second.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from typing import Any

import pytest
from rich.console import Console

from bench.measuring import Row

CONSOLE = Console(quiet=True)


def is_measured(rows: Iterable[Row], *baselines: str) -> None:
    """Each row has figures, and each baseline was measured beside ours."""
    found = [*rows]
    assert found
    for row in found:
        assert all(figure > 0 for figure in [*row.ours, *row.theirs]), row
        assert row.ratio is None or row.ratio > 0
    assert {row.baseline for row in found} == {*baselines}


def test_preprocessing() -> None:
    from bench import preprocessing

    rows = preprocessing.measure(CONSOLE, rows=1000, repeats=1)
    is_measured(rows, preprocessing.PANDAS, preprocessing.DUCKDB)
    assert all(memory > 10 for row in rows for memory in row.memory)


def test_evaluation() -> None:
    from bench import evaluation

    is_measured(evaluation.measure(CONSOLE, rows=1000, repeats=1, most=2000), evaluation.BASELINE, "")


@pytest.mark.exhaustive
def test_local_cloud() -> None:
    from bench import local_cloud_load

    is_measured(local_cloud_load.measure(CONSOLE, transitions=5, at_once=2, repeats=1), "")


@pytest.mark.exhaustive
def test_growth() -> None:
    from bench import evaluation, preprocessing, serving

    for found in (preprocessing.growth(CONSOLE, 100_000), evaluation.growth(CONSOLE, 200_000)):
        [size] = found
        assert size["rows"] == 10_000
        assert all(way["processor_seconds"] > 0 and way["megabytes"] > 10 for way in size["ways"].values())
    requests = serving.growth(CONSOLE, rows=200)
    assert [size["rows"] for size in requests] == [1, 10, 100]
    assert all({*size["ways"]} == {"ours", serving.BASELINE} for size in requests)


def test_profile() -> None:
    from bench import profiling

    found = profiling.measure(CONSOLE, rows=1000, repeats=1)
    assert {*found["paths"]} == {*profiling.BEFORE} == {*profiling.CHANGES}
    assert all(statistics.median(seconds) > 0 for seconds in found["paths"].values())


@pytest.mark.exhaustive
def test_serving() -> None:
    from bench import serving

    is_measured(serving.measure(CONSOLE, rows=1000, repeats=1), serving.BASELINE)


@pytest.mark.exhaustive
def test_cold_start() -> None:
    from bench import cold_start

    rows = [*cold_start.measure(CONSOLE, repeats=1)]
    is_measured(rows, "layers without bytecode", "Lambda's limit")
    sizes = {row.what: row.ratio for row in rows if row.baseline == "Lambda's limit"}
    assert len(sizes) == 2
    assert all(ratio is not None and ratio < 0.8 for ratio in sizes.values()), sizes


@pytest.mark.exhaustive
def test_orchestration() -> None:
    from bench import orchestration

    is_measured(orchestration.measure(CONSOLE, repeats=1), orchestration.BASELINE, "")


@pytest.mark.exhaustive
def test_endpoint_load() -> None:
    from bench import endpoint_load

    endpoint_load.report(CONSOLE, seconds=1)


@pytest.mark.exhaustive
def test_large_run() -> None:
    from bench import large_run
    from cli.steps import STEPS

    kept: list[Any] = []
    large_run.report(CONSOLE, kept.append, rows=6_000)
    [[small, large]] = kept
    assert (small["rows_trained"], small["rows_tested"]) == (3_200, 800)
    assert (large["rows_trained"], large["rows_tested"]) == (4_800, 1_200)
    assert {*small["settings"]} == {*large["settings"]}
    assert [step["step"] for step in small["steps"]] == [step["step"] for step in large["steps"]] == [*STEPS]


@pytest.mark.exhaustive
def test_quality() -> None:
    from bench import quality

    kept: list[Any] = []
    quality.report(CONSOLE, kept.append, seeds=(1, 2), problems=quality.PROBLEMS[2:3])
    [[table]] = kept
    for row in table["metrics"].values():
        assert {name: len(values) for name, values in row["values"].items()} == dict.fromkeys(quality.CONTENDERS, 2)


@pytest.mark.parametrize(("metric", "sign"), [("AUC", 1), ("RMSE", -1)])
def test_behind_the_best_is_a_difference_on_the_same_rows(metric: str, sign: int) -> None:
    from bench import quality

    ours, best, other = [0.7, 0.5, 0.6], [0.8, 0.7, 0.6], [0.1, 0.2, 0.3]
    values = {quality.OURS: ours, "best": best, "other": other}
    row = quality.compared(metric, {name: [sign * value for value in found] for name, found in values.items()})
    assert row["best_of_the_others"] == "best"
    assert row["behind"] == pytest.approx(0.1)
    assert row["standard_error"] == pytest.approx(0.1 / 3**0.5)


def test_page_is_what_was_measured() -> None:
    from bench import page

    measured = json.loads((page.DOCS / "benchmarks.json").read_text(encoding="utf-8"))
    text = (page.DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert text == page.page(text, measured), "Write it again: python -m bench.page"


@pytest.mark.parametrize("left_out", ["growth", "profile", "quality", "large_run", "serving"])
def test_page_of_a_part_of_the_measurements(left_out: str) -> None:
    from bench import page

    measured: dict[str, Any] = json.loads((page.DOCS / "benchmarks.json").read_text(encoding="utf-8"))
    measured.pop(left_out, None)
    text = page.page((page.DOCS / "benchmarks.md").read_text(encoding="utf-8"), measured)
    assert text.count("<!-- end -->") == 5
    assert ("encode one row" in text) == (left_out != "serving")
