"""The preprocess container in front of the model: one row, and as many as a request takes, beside pandas + LabelEncoder.

In-process, in a core's time, under the image's Python where there is one; processes of both ways take turns. The predictor's
own time for one row is that of the local cloud's stand-in for Autopilot's container, trained here as an AutoML job trains it.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.measuring import Row
from bench.preprocessing import IMAGE
from local.data import telco
from local.server import paths

ROWS = 60_000
REPEATS = 3
BASELINE = "pandas + LabelEncoder"


def measure(console: Console, rows: int = ROWS, repeats: int = REPEATS) -> list[Row]:
    """Processes of both ways in turns."""
    python = IMAGE if IMAGE.exists() else Path(sys.executable)
    if python != IMAGE:
        console.print("No Python 3.9 here: measured with this Python's pandas and pyarrow, not with the image's.")
    with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
        output = _prepared(Path(name), python)
        customers = telco.load().drop(columns=telco.TARGET).sample(rows, replace=True, random_state=0)
        table = Path(name) / "customers.csv"
        customers.to_csv(table, index=False)
        ours, theirs = [], []
        for _ in range(repeats):
            ours.append(_times(python, "ours", output, table))
            theirs.append(_times(python, "baseline", output, table))
        if _numbers(ours[0]["answer"]) != _numbers(theirs[0]["answer"]):
            raise AssertionError("Ours and the baseline do not give the same numbers: the comparison says nothing.")
        predictor = _predictor_seconds(output, ours[0]["answer"].splitlines(keepends=True)[:200], Path(name))
    one = statistics.median(times["one"] for times in ours)
    console.print(
        f"One row: preprocessing {one * 1e6:.0f} µs, the predictor itself at least {predictor * 1e6:,.0f} µs "
        f"({one / predictor:.1%} at most on top)."
    )
    return [
        _row("encode one row, p50", "one", ours, theirs, 1e6, "µs"),
        _row("encode requests of 1,000 rows", "thousand", ours, theirs, 1, "rows/s"),
        _row("encode requests of 6 MB", "batch", ours, theirs, 1, "rows/s"),
    ]


def growth(console: Console, rows: int = ROWS) -> list[dict[str, Any]]:
    """For requests of growing numbers of rows: processor seconds of each way to encode one."""
    python = IMAGE if IMAGE.exists() else Path(sys.executable)
    with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
        output, table = _prepared(Path(name), python), Path(name) / "customers.csv"
        customers = telco.load().drop(columns=telco.TARGET).sample(rows, replace=True, random_state=0)
        customers.to_csv(table, index=False)
        console.print("Encoding requests of one row to as many as 6 MB hold")
        found = {
            way: _times(python, argument, output, table)["requests"]
            for way, argument in (("ours", "ours"), (BASELINE, "baseline"))
        }
    return [
        {"rows": int(count), "ways": {way: {"processor_seconds": times[count]} for way, times in found.items()}}
        for count in found["ours"]
    ]


def _row(what: str, key: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], scale: float, unit: str) -> Row:
    return Row(
        what, [times[key] * scale for times in ours], BASELINE, [times[key] * scale for times in theirs], unit,
        note="more is better" if unit == "rows/s" else "",
    )  # fmt: skip


def _prepared(folder: Path, python: Path) -> Path:
    """Runs the processing job on the training range. Returns its output folder."""
    raw = folder / "processing/input/raw/rows.csv"
    raw.parent.mkdir(parents=True)
    telco.load().head(4000).assign(event_time="2026-01-01T00:00:00Z").to_csv(raw, index=False, quoting=csv.QUOTE_ALL)
    job = [str(paths.PROJECT / "processing/preprocess.py"), "--root", str(folder), "--target", telco.TARGET]
    job += ["--problem-type", "BinaryClassification", "--drop-columns", telco.RECORD_IDENTIFIER]
    job += ["--event-time-column", "event_time"]
    subprocess.run([str(python), *job], check=True, stdout=subprocess.DEVNULL)
    return folder / "processing/output"


def _times(python: Path, way: str, output: Path, table: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("serving_times.py")
    arguments = [way, str(paths.PROJECT / "processing"), str(output / "preprocessing"), str(table)]
    ran = subprocess.run([str(python), str(script), *arguments], check=True, stdout=subprocess.PIPE)
    return json.loads(ran.stdout)


def _numbers(encoded: str) -> list[list[float]]:
    return [[float(cell) for cell in line.split(",")] for line in encoded.splitlines()]


def _predictor_seconds(output: Path, rows: list[str], folder: Path) -> float:
    """Least time of the model container's own program for one encoded row, after training as an AutoML job does."""
    job = {
        "training": [str(output / "train/train.csv")], "validation": [], "validation_fraction": 0.2,
        "target": telco.TARGET, "weights": None, "problem_type": "BinaryClassification", "metric": "Accuracy",
        "max_candidates": None, "max_runtime": None, "max_runtime_per_job": None, "output": str(folder),
    }  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": str(paths.PROJECT / "local/aws/sagemaker/compute/containers"),
        "PYTHONWARNINGS": "ignore",
        "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probabilities,labels",
    }
    ran = subprocess.run(
        [sys.executable, "-c", _PREDICTOR], check=True, input=json.dumps({"job": job, "rows": rows}), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    return float(ran.stdout.splitlines()[-1])


_PREDICTOR = """
import json, sys, time
import autopilot_fit, tabular_serve

asked = json.load(sys.stdin)
autopilot_fit.train(asked["job"], time.monotonic())
model = tabular_serve.model_fn(asked["job"]["output"] + "/model")
seconds = []
for row in asked["rows"]:
    began = time.perf_counter()
    tabular_serve.transform_fn(model, row, "text/csv", "text/csv")
    seconds.append(time.perf_counter() - began)
print(min(seconds))
"""
