"""The Python that plays Lambda's runtime: the standard library and boto3, nothing else.

A function that imports what only the developer's environment has must fail here as it would on AWS. The interpreter is
a virtual environment without pip whose site-packages links to boto3 and what boto3 requires, taken from the running
environment: no download, and exactly the versions that `requirements.lock` pins.
"""

from __future__ import annotations

import fcntl
import shutil
import sys
import venv
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from local.server import paths

_STAMP = "made-from"
_ROOT_PACKAGE = "boto3"


@cache
def interpreter(folder: Path = paths.LAMBDA_RUNTIME) -> Path:
    """Path of the runtime's Python; makes the environment at `folder` first if it is missing or out of date."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    python = folder / "bin" / "python"
    packages = _with_requirements(_ROOT_PACKAGE)
    wanted = "\n".join([sys.version, sys.base_prefix, *(f"{package.name}=={package.version}" for package in packages)])
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / _STAMP
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted and python.exists():
            return python
        shutil.rmtree(folder, ignore_errors=True)
        venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        site_packages = folder / "lib" / version / "site-packages"
        for package in packages:
            for source in _top_level(package):
                (site_packages / source.name).symlink_to(source)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def _with_requirements(name: str) -> list[metadata.Distribution]:
    """The installed package and everything it requires, sorted by name."""
    found: dict[str, metadata.Distribution] = {}
    pending = [name]
    while pending:
        distribution = metadata.distribution(pending.pop())
        if distribution.name in found:
            continue
        found[distribution.name] = distribution
        for text in distribution.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                pending.append(requirement.name)
    return [found[key] for key in sorted(found)]


def _top_level(distribution: metadata.Distribution) -> list[Path]:
    """The files and folders that the package put directly into site-packages."""
    root = Path(str(distribution.locate_file(""))).resolve()
    names = {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}
    return [root / name for name in sorted(names) if (root / name).exists()]
