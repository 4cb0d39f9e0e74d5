"""The demo beside a plain script that computes the same: what the pipeline around it costs, split by cause."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import measuring
from bench.preprocessing import python
from local.server import paths

REPEATS = 2
CONTAINERS = paths.PROJECT / "local/aws/sagemaker/compute/containers"
BASELINE = "plain script"


def measure(console: Console, repeats: int = REPEATS) -> list[measuring.Row]:
    """Whole processes in turns, and each cause of the demo's time that is no computation."""
    ours, theirs = [], []
    causes: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as name:
        script = [sys.executable, str(Path(__file__).with_name("baseline_pipeline.py"))]
        environment = {"PYTHONPATH": os.pathsep.join(map(str, (CONTAINERS, paths.PROJECT))), "PYTHONWARNINGS": "ignore"}
        for repeat in range(repeats):
            folder = Path(name) / str(repeat)
            folder.mkdir()
            theirs.append(measuring.once([*script, str(folder), python(console)], environment))
            with (Path(name) / "demo.txt").open("w+") as log:
                ours.append(measuring.once([*_automl(), "demo", "--timing"], log=log.fileno()))
                log.seek(0)
                for cause, seconds in _around(log.read()):
                    causes.setdefault(cause, []).append(seconds)
    rows = measuring.rows("demo, from nothing to an endpoint", {"ours": ours, BASELINE: theirs})
    return rows + [measuring.Row(f"demo, around the computation: {cause}", times) for cause, times in causes.items()]


def _automl() -> list[str]:
    return [str(Path(sys.executable).with_name("automl"))]


def _around(output: str) -> list[tuple[str, float]]:
    """The second line of `automl demo --timing`: causes and their seconds."""
    lines = output.replace("\n      ", " ") + "\n\n"
    [listed] = re.findall(r"and [\d.]+ s around it: (.*?)\n(?=\S|\n)", lines, re.S)[:1]
    return [(cause.strip(), float(seconds)) for cause, seconds in re.findall(r"([A-Za-z][^,\d]*) ([\d.]+)", listed)]
