"""EvaluateModel on as many test rows as a run may have, beside pandas + scikit-learn's metrics; processes in turns."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy
from rich.console import Console

from bench import measuring
from local.server import paths

ROWS = (1_000_000, 2_000_000)
REPEATS = 2
FEATURES = 20
BASELINE = "pandas + scikit-learn"


def measure(console: Console) -> list[measuring.Row]:
    """Whole processes in turns, for each number of test rows. The most are processing/limits.py's."""
    found = []
    for rows in ROWS:
        with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
            _write(Path(name), rows)
            console.print(f"Evaluating {rows:,} predictions {REPEATS} times each way")
            script = str(Path(__file__).with_name("evaluation_times.py"))
            baseline = str(Path(__file__).with_name("baseline_evaluation.py"))
            commands = {"ours": [sys.executable, script, name], BASELINE: [sys.executable, baseline, name]}
            found += measuring.rows(f"evaluate {rows:,} predictions", measuring.in_turns(commands, REPEATS))
    return found


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
        for _ in range(0, rows, at_once):
            truth = generator.random(at_once) < 0.27
            score = numpy.clip(truth * 0.3 + generator.random(at_once) * 0.7, 1e-6, 1 - 1e-6)
            features = generator.integers(0, 100, (at_once, FEATURES)).tolist()
            labels = numpy.where(truth, "Yes", "No").tolist()
            for cells, label, yes in zip(features, labels, score.tolist(), strict=True):
                test.write(",".join(map(str, cells)) + f',"{label}"\n')
                raw.write("{" + ", ".join(f'"{name}": {cell}' for name, cell in zip(names, cells, strict=True)) + "}\n")
                said = "Yes" if yes > 0.5 else "No"
                answers.write(f"{said},\"[{1 - yes!r}, {yes!r}]\",\"['No', 'Yes']\"\n")
    features_of = [{"name": name, "kind": "numeric", "median": 50.0} for name in names]
    (folder / "preprocessing.json").write_text(json.dumps({"labels": ["No", "Yes"], "features": features_of}))
