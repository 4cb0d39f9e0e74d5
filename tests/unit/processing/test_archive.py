"""The preprocess container's archive: the same bytes from the same rows, and nothing in it that runs when it is read."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tarfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from automl_pipeline import container_code

from local.data import telco
from local.server import paths

from .athena import IMAGE_PYTHON, write


def prepared(folder: Path, python: Path, seed: str) -> Path:
    """Runs the processing job as SageMaker starts it, its code and data copied to `folder` just now."""
    code = folder / "code"
    code.mkdir(parents=True)
    for name, content in container_code.read()[1].items():
        (code / name).write_bytes(content)
        os.utime(code / name, (time.time(), len(seed) * 10_000_000))
    write(folder, telco.load().head(1000))
    command = [str(python), str(code / "preprocess.py"), "--root", str(folder), "--target", telco.TARGET]
    command += ["--problem-type", "BinaryClassification"]
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": seed, "TZ": f"X{seed}"}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder / "processing/output"


@pytest.fixture(scope="module")
def prepared_by(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """What a job under a Python left, run once for the module."""
    return cache(lambda python: prepared(tmp_path_factory.mktemp("prepared"), python, "1"))


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as packed:
        return {member.name: packed.extractfile(member).read() for member in packed}  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize("python", [IMAGE_PYTHON, Path(sys.executable)], ids=["image", "this Python"])
def test_two_runs_in_different_places_and_times_write_the_same_bytes(
    python: Path, prepared_by: Callable[[Path], Path], tmp_path: Path
) -> None:
    if not python.exists():
        warnings.warn("There is no Python 3.9 here: the image's own versions were NOT tested.", stacklevel=1)
        pytest.skip("no Python 3.9")
    first = prepared_by(python)
    second = prepared(tmp_path / "there/and further", python, "12")
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert Path("preprocessing/model.tar.gz") in names
    assert names == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    names.remove(Path("preprocessing/resources.json"))  # the time and memory that each took
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.skipif(
    not IMAGE_PYTHON.exists(), reason="no Python 3.9: the versions of SageMaker's image were NOT tested"
)
def test_archive_of_the_image_holds_what_this_python_writes(prepared_by: Callable[[Path], Path]) -> None:
    pythons = (IMAGE_PYTHON, Path(sys.executable))
    archives = [prepared_by(python) / "preprocessing/model.tar.gz" for python in pythons]
    assert members(archives[0]) == members(archives[1])
    code = {f"code/{name}.py" for name in ("encoding", "inference", "names", "reading", "request", "words")}
    assert set(members(archives[0])) == {"preprocessing.json", *code}


PICKLERS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "_pickle"}
SOURCES = [
    path for folder in ("processing", "functions", "layers", "cli", "local") for path in (paths.PROJECT / folder).rglob("*.py")
]  # fmt: skip


def picklers_in(source: str) -> list[str]:
    """What in this source reads or writes pickles: imports, and calls such as to_pickle or allow_pickle=True."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in PICKLERS]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PICKLERS:
            found.append(str(node.module))
        elif isinstance(node, ast.Attribute) and node.attr in ("to_pickle", "read_pickle"):
            found.append(node.attr)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found.append(node.arg)
    return found


def test_no_source_of_ours_reads_or_writes_a_pickle() -> None:
    assert len(SOURCES) > 80
    assert {str(path): found for path in SOURCES if (found := picklers_in(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    ["import joblib", "from pickle import dumps", "frame.to_pickle('x')", "numpy.load('x', allow_pickle=True)"],
)
def test_a_pickle_would_be_noticed(source: str) -> None:
    assert picklers_in(source)
