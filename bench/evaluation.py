"""EvaluateModel on as many test rows as a run may have, beside pandas + scikit-learn's metrics; processes in turns."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pyarrow
import pyarrow.csv
from rich.console import Console

from bench import measuring
from local.server import paths

ROWS = 1_000_000
REPEATS = 2
# As many test rows as a run may have (processing/limits.py). The baseline would take eight minutes, and is left out.
MOST = 10_000_000
SIZES = (10_000, 100_000, 1_000_000, 2_000_000, MOST)
# Rows that the baseline takes half a minute for.
MOST_BASELINE_ROWS = 1_000_000
FEATURES = 10
_AT_ONCE = 100_000
BASELINE = "pandas + scikit-learn"


def measure(console: Console, rows: int = ROWS, repeats: int = REPEATS, most: int = MOST) -> Iterator[measuring.Row]:
    """Whole processes in turns; and once as many predictions as there may be."""
    with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
        _write(Path(name), rows)
        console.print(f"Evaluating {rows:,} predictions {repeats} times each way")
        yield from measuring.rows(f"evaluate {rows:,} predictions", measuring.in_turns(_commands(name), repeats))
    with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
        _write(Path(name), most)
        console.print(f"Evaluating {most:,} predictions")
        cost = measuring.once(_commands(name)["ours"])
    for figure, unit in ((cost.seconds, "s"), (cost.processor, "s of processors")):
        yield measuring.Row(f"evaluate {most:,} predictions", [figure], unit=unit, memory=[cost.megabytes])


def growth(console: Console, most_cells: int) -> Iterator[dict[str, Any]]:
    """For each number of predictions, of which each has `FEATURES` cells, once: each way's seconds and megabytes."""
    for rows in [size for size in SIZES if size * FEATURES <= most_cells]:
        with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
            _write(Path(name), rows)
            console.print(f"Evaluating {rows:,} predictions")
            ways = _commands(name)
            if rows > MOST_BASELINE_ROWS:
                del ways[BASELINE]
            yield {"rows": rows, "ways": measuring.once_each(ways)}


def _commands(folder: str) -> dict[str, list[str]]:
    here = Path(__file__).parent
    return {
        "ours": [sys.executable, str(here / "evaluation_times.py"), folder],
        BASELINE: [sys.executable, str(here / "baseline_evaluation.py"), folder],
    }


def _write(folder: Path, rows: int, classes: int = 2) -> None:
    """Test rows and the answers of two models as the pipeline leaves them; of no classes: numbers."""
    generator = numpy.random.default_rng(0)
    names = [f"feature_{place}" for place in range(FEATURES)]
    labels = ["No", "Yes"] if classes == 2 else [f"class {place}" for place in range(classes)]
    with (
        (folder / "test.csv").open("wb") as test,
        (folder / "part-00000.jsonl").open("w") as raw,
        (folder / "part-00000.jsonl.out").open("w") as answers,
        (folder / "champion.out").open("w") as champion,
    ):
        for begin in range(0, rows, _AT_ONCE):
            count = min(_AT_ONCE, rows - begin)
            features = generator.integers(0, 100, (count, FEATURES))
            truth = (
                generator.normal(0, 10, count) if not labels else generator.choice(classes, count, p=_shares(classes))
            )
            if not begin:  # the known row is one of the first 10,000: no more are read
                for cells in features[:10_000].tolist():
                    raw.write(json.dumps(dict(zip(names, cells, strict=True))) + "\n")
            table = pyarrow.table(
                [*features.T, numpy.array(labels, dtype=object)[truth] if labels else truth], names=[*names, "churn"]
            )
            pyarrow.csv.write_csv(table, test, pyarrow.csv.WriteOptions(include_header=not begin))
            for file, noise in ((answers, 1.0), (champion, 1.2)):
                file.writelines(_answers(truth, labels, noise, generator))
    described = [{"name": name, "kind": "numeric", "median": 50.0} for name in names]
    (folder / "preprocessing.json").write_text(json.dumps({"labels": labels, "features": described}))


def _shares(classes: int) -> list[float]:
    """Of each class: half as many of the last as of each other one."""
    shares = numpy.ones(classes)
    shares[-1] /= 2
    return (shares / shares.sum()).tolist()


def _answers(truth: numpy.ndarray, labels: list[str], noise: float, generator: numpy.random.Generator) -> Iterator[str]:
    """Right more often than not, spelled as Autopilot's program writes them."""
    if not labels:
        for number in (truth + generator.normal(0, noise, len(truth))).tolist():
            yield f"{number!r}\n"
        return
    scores = generator.exponential(noise, (len(truth), len(labels))) + numpy.eye(len(labels))[truth]
    scores /= scores.sum(axis=1, keepdims=True)
    for code, numbers in zip(scores.argmax(axis=1).tolist(), scores.tolist(), strict=True):
        yield f'{labels[code]},"{numbers}","{labels}"\n'
