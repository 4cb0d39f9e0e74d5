"""What `sam build` and `sam package` do, for the local cloud: build by Makefile, zip, upload, point the template at it.

Everything is named by its content: an unchanged function is neither built, zipped nor uploaded twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import intrinsics_multi_constructor

from local.server import paths

Template = dict[str, Any]
Progress = Callable[[str], None]

_BUILT_FROM = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
_UPLOADED_FILE = {"AWS::Serverless::StateMachine": "DefinitionUri"}
_NOT_SOURCE = {"__pycache__", ".pytest_cache", ".ruff_cache", ".DS_Store"}
_KEPT_SECONDS = 24 * 3600
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say: the archive's bytes depend on its content only
_OUTSIDE_PATH = re.compile(r"(?:\.\./)+[\w./-]*")


class _Reader(yaml.CSafeLoader):
    """SAM's own reader in libyaml, which is ten times as fast."""


_Reader.add_multi_constructor("!", intrinsics_multi_constructor)


class BuildError(Exception):
    """A Makefile target failed; the message has what it said last."""


@dataclass(frozen=True)
class Artifact:
    """An archive of a function or layer."""

    logical_id: str
    archive: Path
    sha256: str


def read_template(path: Path) -> Template:
    """The template as SAM reads it: CloudFormation's short forms (`!Ref`) as their long ones."""
    return yaml.load(path.read_text(encoding="utf-8"), _Reader)


def build(template_path: Path, *, root: Path = paths.BUILD, progress: Progress = lambda _: None) -> dict[str, Artifact]:
    """Archives of all functions and layers by logical id, built for this host where sources changed.

    Raises BuildError.
    """
    template = read_template(template_path)
    sources = {
        logical_id: (resource, (template_path.parent / resource["Properties"][_BUILT_FROM[resource["Type"]]]).resolve())
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] in _BUILT_FROM
    }
    folders = _Folders(template_path.parent.resolve(), root)
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock, ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tasks = [
            pool.submit(_build_one, logical_id, resource, source, folders, progress)
            for logical_id, (resource, source) in sources.items()
        ]
        return {artifact.logical_id: artifact for artifact in (task.result() for task in tasks)}


def package(template_path: Path, artifacts: dict[str, Artifact], s3: Any, bucket: str) -> Template:
    """The template with every code and definition uploaded to the bucket and named by its S3 location."""
    template = read_template(template_path)
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] in _BUILT_FROM:
            artifact = artifacts[logical_id]
            key = f"code/{artifact.sha256}.zip"
            upload(s3, bucket, key, artifact.archive)
            resource["Properties"][_BUILT_FROM[resource["Type"]]] = f"s3://{bucket}/{key}"
        elif resource["Type"] in _UPLOADED_FILE:
            name = _UPLOADED_FILE[resource["Type"]]
            file = template_path.parent / resource["Properties"][name]
            key = f"definitions/{_sha256(file)}{file.suffix}"
            upload(s3, bucket, key, file)
            resource["Properties"][name] = f"s3://{bucket}/{key}"
    return template


# The functions run on this host's Python.
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def upload(s3: Any, bucket: str, key: str, file: Path) -> None:
    """Put the file into the bucket unless an object of that name, hence of that content, is there."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NotFound"):
            raise
        with file.open("rb") as content:
            s3.put_object(Bucket=bucket, Key=key, Body=content)


def write_archive(folder: Path, archive: Path) -> None:
    """Zip the folder's content; equal content gives equal bytes. Level 1: half the size for a fifth of the time."""
    staging = archive.with_suffix(".writing")
    with zipfile.ZipFile(staging, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for file in _files(folder):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _FIXED_DATE)
            entry.external_attr = (0o755 if file.stat().st_mode & 0o100 else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, file.read_bytes())
    staging.rename(archive)


@dataclass(frozen=True)
class _Folders:
    project: Path
    root: Path


def _build_one(logical_id: str, resource: Template, source: Path, folders: _Folders, progress: Progress) -> Artifact:
    fingerprint = _fingerprint(logical_id, source, folders.project)
    folder = folders.root / logical_id
    archive, digest = folder / f"{fingerprint}.zip", folder / f"{fingerprint}.sha256"
    if not digest.exists():
        progress(f"Building {logical_id}")
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{logical_id}-", dir=folders.root) as artifacts:
            _make(logical_id, resource, source, Path(artifacts))
            write_archive(Path(artifacts), archive)
        for older in folder.iterdir():
            # Not the ones of today: another run may be about to upload them.
            if time.time() - older.stat().st_mtime > _KEPT_SECONDS:
                older.unlink()
        digest.write_text(_sha256(archive), encoding="utf-8")
    return Artifact(logical_id, archive, digest.read_text(encoding="utf-8"))


def _make(logical_id: str, resource: Template, source: Path, artifacts: Path) -> None:
    """Fill `artifacts` as SAM would: by the Makefile's target where the template says so, else with the source."""
    if (resource.get("Metadata") or {}).get("BuildMethod") != "makefile":
        shutil.copytree(source, artifacts, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_NOT_SOURCE))
        return
    # An empty PYTHON_PLATFORM asks for packages for this host instead of Lambda's arm64 Linux.
    command = ["make", "--no-print-directory", "-C", str(source), f"build-{logical_id}"]
    command += [f"ARTIFACTS_DIR={artifacts}", "PYTHON_PLATFORM=", f"PYTHON_VERSION={_PYTHON}"]
    made = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if made.returncode:
        tail = "\n".join((made.stdout + made.stderr).strip().splitlines()[-15:])
        raise BuildError(f"{' '.join(command[:5])} failed:\n{tail}")


def _fingerprint(logical_id: str, source: Path, project: Path) -> str:
    """Changes when anything changes that the Makefile reads: its folder, and what it names outside of it."""
    digest = hashlib.sha256(f"{logical_id}\n{os.uname()}\n{_PYTHON}\n".encode())
    for root in [source, *_named_outside(source, project)]:
        for file in _files(root):
            digest.update(f"{file.relative_to(project)}\n{_sha256(file)}\n".encode())
    return digest.hexdigest()[:32]


def _named_outside(source: Path, project: Path) -> list[Path]:
    """Files and folders of the project that the Makefile names by a path that begins with `../`."""
    makefile = source / "Makefile"
    if not makefile.exists():
        return []
    named = {(source / text).resolve() for text in _OUTSIDE_PATH.findall(makefile.read_text(encoding="utf-8"))}
    return sorted(path for path in named if path.exists() and path != project and path.is_relative_to(project))


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for file in sorted(root.rglob("*")):
        if file.is_file() and not _NOT_SOURCE & set(file.relative_to(root).parts):
            yield file


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
