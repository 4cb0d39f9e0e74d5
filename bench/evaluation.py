"""EvaluateModel on as many test rows as a run may have, beside pandas + scikit-learn's metrics; processes in turns."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
from rich.console import Console

from bench import measuring
from local.server import paths

ROWS = 1_000_000
REPEATS = 2
SIZES = (10_000, 100_000, 1_000_000, 2_000_000, 10_000_000)
# Rows that the baseline takes half a minute for.
MOST_BASELINE_ROWS = 1_000_000
FEATURES = 20
BASELINE = "pandas + scikit-learn"


def measure(console: Console, rows: int = ROWS, repeats: int = REPEATS) -> list[measuring.Row]:
    """Whole processes in turns."""
    with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
        _write(Path(name), rows)
        console.print(f"Evaluating {rows:,} predictions {repeats} times each way")
        return measuring.rows(f"evaluate {rows:,} predictions", measuring.in_turns(_commands(name), repeats))


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


def _write(folder: Path, rows: int) -> None:
    """Test rows and answers as the pipeline leaves them."""
    generator = numpy.random.default_rng(0)
    at_once = 100_000
    names = [f"feature_{place}" for place in range(FEATURES)]
    with (
        (folder / "test.csv").open("w") as test,
        (folder / "test.jsonl").open("w") as raw,
        (folder / "predictions.out").open("w") as answers,
    ):
        test.write(",".join(f'"{name}"' for name in [*names, "churn"]) + "\n")
        for begin in range(0, rows, at_once):
            count = min(at_once, rows - begin)
            truth = generator.random(count) < 0.27
            score = numpy.clip(truth * 0.3 + generator.random(count) * 0.7, 1e-6, 1 - 1e-6)
            features = generator.integers(0, 100, (count, FEATURES)).tolist()
            labels = numpy.where(truth, "Yes", "No").tolist()
            for cells, label, yes in zip(features, labels, score.tolist(), strict=True):
                test.write(",".join(map(str, cells)) + f',"{label}"\n')
                raw.write("{" + ", ".join(f'"{name}": {cell}' for name, cell in zip(names, cells, strict=True)) + "}\n")
                said = "Yes" if yes > 0.5 else "No"
                answers.write(f"{said},\"[{1 - yes!r}, {yes!r}]\",\"['No', 'Yes']\"\n")
    features_of = [{"name": name, "kind": "numeric", "median": 50.0} for name in names]
    (folder / "preprocessing.json").write_text(json.dumps({"labels": ["No", "Yes"], "features": features_of}))
