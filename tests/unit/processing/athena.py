"""Tables as Athena writes them, and what the processing job made of them."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas
from automl_pipeline import container_code

from local.server import paths

IMAGE_PYTHON = paths.PROJECT / ".local/images/scikit-learn-1.2-1/bin/python"


def quoted(value: Any) -> str:
    """A cell: in quotes, what is missing without."""
    return "" if pandas.isna(value) else '"' + str(value).replace('"', '""') + '"'


def write(folder: Path, frame: pandas.DataFrame) -> None:
    """The table as the query leaves it for the job under `folder`."""
    raw = folder / "processing/input/raw"
    raw.mkdir(parents=True)
    rows = [frame.columns, *frame.itertuples(index=False)]
    lines = "".join(",".join(map(quoted, row)) + "\n" for row in rows)
    (raw / "rows.csv").write_text(lines, encoding="utf-8", newline="")


def output(folder: Path, name: str, dtype: type | None = None) -> pandas.DataFrame:
    """train.csv or test.csv of the job under `folder`."""
    file = folder / "processing/output" / name / f"{name}.csv"
    # pandas' own way to read numbers is off by a bit now and then
    return pandas.read_csv(file, keep_default_na=False, dtype=dtype, float_precision="round_trip")  # pyright: ignore[reportCallIssue, reportArgumentType]


def numbers(encoded: bytes) -> list[list[float]]:
    """The preprocess container's answer as numbers."""
    return [[float(cell) for cell in line.split(",")] for line in encoded.decode().splitlines()]


def run_shipped(folder: Path, script: str, *arguments: str) -> str:
    """What `script` prints, run beside the container code that PrepareRun uploads, under the versions of SageMaker's image.

    Without Python 3.9 on this machine it runs under this one, and says so.
    """
    python = IMAGE_PYTHON
    if not python.exists():
        warnings.warn("There is no Python 3.9 here: the image's own versions were NOT tested.", stacklevel=2)
        python = Path(sys.executable)
    code = folder / "code"
    code.mkdir()
    for name, content in {**container_code.read()[1], "script.py": script.encode()}.items():
        (code / name).write_bytes(content)
    command = [str(python), str(code / "script.py"), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
