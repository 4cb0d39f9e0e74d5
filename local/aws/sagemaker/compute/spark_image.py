"""What plays SageMaker's Spark image: an environment with its PySpark, made when it is first used, and this machine's Java."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.aws.sagemaker.compute.outcome import JobFailedError
from local.server import paths

REPOSITORY = "sagemaker-spark-processing"
_REQUIREMENTS = paths.PROJECT / "processing" / "spark-requirements.txt"
_SUBMIT = Path(__file__).parent / "containers" / "smspark_submit.py"
_PYTHON = "3.12"
"""That of the image. PySpark 3.5 has no support for newer ones."""


def interpreter(folder: Path) -> Path:
    """The environment's Python, in `folder`. Raises JobFailedError if it cannot be made."""
    java_home()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = _REQUIREMENTS.read_bytes() + str(_SUBMIT).encode()
    installed, python = folder / ".installed", folder / "bin" / "python"
    # One at a time, as several servers may need it at once.
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.read_bytes() != wanted:
            _install(folder, python)
            installed.write_bytes(wanted)
    return python


def java_home() -> str:
    """Where Java is. Raises JobFailedError if there is none."""
    given = os.environ.get("JAVA_HOME")
    if given and (Path(given) / "bin" / "java").exists():
        return given
    java = shutil.which("java")
    if java is None:
        raise JobFailedError(
            "ClientError: The Spark image needs Java on the local cloud, and there is none on this machine. Install Java 17, or use "
            "processing_engine: Python."
        )
    return str(Path(java).resolve().parent.parent)


def _install(folder: Path, python: Path) -> None:
    uv = [str(Path(sys.executable).with_name("uv"))]
    environment = {
        **os.environ,
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(paths.ROOT / "uv-cache")),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    for command in (
        [*uv, "venv", "--clear", "--python", _python(), str(folder)],
        [*uv, "pip", "install", "--no-deps", "--python", str(python), "-r", str(_REQUIREMENTS)],
    ):
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise JobFailedError(
                f"ClientError: PySpark cannot be installed for the Spark image: {ended.stderr.strip()[-400:]}"
            )
    submit = folder / "bin" / "smspark-submit"
    submit.write_text(f'#!/bin/sh\nexec "{python}" "{_SUBMIT}" "$@"\n', encoding="utf-8")
    submit.chmod(0o755)


def _python() -> str:
    """A Python of the image's version where there is one, otherwise the running one."""
    places = [
        shutil.which(f"python{_PYTHON}"),
        *Path.home().glob(f".pyenv/versions/{_PYTHON}.*/bin/python{_PYTHON}"),
    ]
    for place in places:
        if place and not subprocess.run([str(place), "-c", ""], capture_output=True, check=False).returncode:
            return str(place)
    return sys.executable
