"""The preprocessing job on a million rows: Telco's customers drawn again and again, as Athena writes them."""

from __future__ import annotations

import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from local.data import telco
from local.server import paths

ROWS = 1_000_000
REPEATS = 3
IMAGE = paths.PROJECT / ".local" / "images" / "scikit-learn-1.2-1" / "bin" / "python"


def measure(console: Console) -> tuple[str, float, str, float]:
    """Name, our seconds, the baseline's name, its seconds; medians of whole processes run in turns."""
    python = IMAGE if IMAGE.exists() else Path(sys.executable)
    if python != IMAGE:
        console.print("No Python 3.9 here: measured with this Python's pandas and pyarrow, not with the image's.")
    with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
        folder = Path(name)
        raw = folder / "processing/input/raw/rows.csv"
        raw.parent.mkdir(parents=True)
        customers = telco.load().assign(event_time="2026-01-01T00:00:00Z").sample(ROWS, replace=True, random_state=0)
        customers.to_csv(raw, index=False, quoting=csv.QUOTE_ALL)
        console.print(f"{ROWS:,} rows, {raw.stat().st_size / 1e6:.0f} MB")
        job = [str(paths.PROJECT / "processing/preprocess.py"), "--root", name, "--target", "churn"]
        job += [
            "--problem-type",
            "BinaryClassification",
            "--drop-columns",
            "customer_id",
            "--event-time-column",
            "event_time",
        ]
        baseline = [str(Path(__file__).with_name("baseline_pandas.py")), str(raw), name]
        ours, theirs = [], []
        for _ in range(REPEATS):
            ours.append(_seconds([str(python), *job]))
            theirs.append(_seconds([str(python), *baseline]))
    return "preprocess 1,000,000 rows", statistics.median(ours), "pandas + LabelEncoder", statistics.median(theirs)


def _seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began
