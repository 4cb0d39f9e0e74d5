"""What jobs computed before, kept by the content of everything that it came from. Off unless a folder is given.

A key is a digest of what determines a result: code, interpreter, arguments, limits, and the bytes that are read. Names,
times and S3 places are no part of it, so that the result of one job is that of every other with the same content. Of
what is kept only the ids of other runs are names: a restored result has those that its own job was given. The first
computation is always real; change one byte of input, and it is done anew.

Each entry is a tar file named `<key>-<digest of the file>.tar`: one that was damaged does not fit its name, is thrown
away and computed anew. It is written beside its place and renamed, so that any number of processes may share a folder.
Concurrent callers for the same key wait for the first result.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from local.aws.sagemaker.compute.process import Log
from local.server import paths

MOST_BYTES = 2 * 1024**3
"""What a folder may hold; beyond it what was not used for longest goes first."""

_LOG, _RUNS = "log.json", "runs.json"
_RESULT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ENGINE_ID = re.compile(rb"[0-9]{8}_[0-9]{6}_[0-9]{5}_[a-z0-9]{5}")
_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
_USE = "resources.json"
"""What an earlier job measured of its own time and memory, and nobody computes with."""
_folder: Path | None = None
_most_bytes = MOST_BYTES


def configure(folder: Path | None, most_bytes: int = MOST_BYTES) -> None:
    """Keep results in the folder from now on, or nothing more with None."""
    global _folder, _most_bytes
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    _folder, _most_bytes = folder, most_bytes


def enabled() -> bool:
    """Whether results are kept; if not, inputs need not be read for a key."""
    return _folder is not None


def key(kind: str, python: Path, determines: Any, files: Iterable[tuple[str, bytes | Path]] = ()) -> str:
    """The key of a computation of one kind by an interpreter.

    `determines` is all of its input, as JSON; `files` are names and contents of what it reads, in its order.
    """
    digest = hashlib.sha256()
    inputs = {"kind": kind, "programs": _programs(), "interpreter": _interpreter(python), "inputs": determines}
    digest.update(json.dumps(inputs, sort_keys=True).encode())
    for name, content in files:
        body = content.read_bytes() if isinstance(content, Path) else content
        digest.update(json.dumps([name, len(body)]).encode())
        digest.update(body)
    return digest.hexdigest()


def files_below(folder: Path) -> list[tuple[str, bytes | Path]]:
    """The files of a folder as `key` takes them.

    Names count, as programs are imported by them. Ids do not: those that Athena names a result by and writes into the
    metadata beside it, and those of runs in documents that an earlier job wrote.
    """
    found: list[tuple[str, bytes | Path]] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != _USE:
            name = path.relative_to(folder).as_posix()
            content: bytes | Path = path
            if path.suffix == ".json":
                content = _RUN_ID.sub("id", path.read_text("utf-8", "surrogateescape")).encode(
                    "utf-8", "surrogateescape"
                )
            elif path.suffix == ".metadata" and _RESULT_ID.search(name):
                content = _ENGINE_ID.sub(b"id", path.read_bytes())
            found.append((_RESULT_ID.sub("id", name), content))
    return found


def runs_in(words: Iterable[str]) -> list[str]:
    """The ids of runs in a program's arguments, in their order: names that its result may mention."""
    return list(dict.fromkeys(found for word in words for found in _RUN_ID.findall(word)))


def without_runs(words: Iterable[str]) -> list[str]:
    """Arguments as a key takes them: with each run's place among those of `runs_in` instead of its id."""
    words = list(words)
    places = {run: f"run {place}" for place, run in enumerate(runs_in(words))}
    return [_RUN_ID.sub(lambda found: places[found[0]], word) for word in words]


def run(
    found: str | None,
    results: dict[str, Path],
    log: Log,
    compute: Callable[[Log], int | str],
    runs: Sequence[str] = (),
) -> int | str:
    """Restores what is kept under a key, its log included, or computes it and keeps it.

    `results` are the files and folders that the computation leaves, by a name of their own. `compute` returns how it
    ended: only what ended with 0 is kept, as a failure is cheap to find again and a stopped job has computed nothing.
    `runs` are the ids of `runs_in`: they replace those that the kept log and documents (.json) mention.
    """
    folder = _folder
    if found is None or folder is None:
        return compute(log)
    with _alone(folder / f"{found}.lock"):
        lines = _restore(folder, found, results, runs)
        if lines is not None:
            log(f"[local cloud] Computed before from the same content: {found}")
            for line in lines:
                log(line)
            return 0
        lines = []

        def noted(line: str) -> None:
            lines.append(line)
            log(line)

        end = compute(noted)
        if end == 0:
            _keep(folder, found, results, lines, runs)
        return end


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One after the other, in this process and others. A process that ends, however it ends, lets go.

    Who comes when the file has just gone need not wait: at worst something is computed twice.
    """
    try:
        file = path.open("w")
    except OSError:  # whatever is wrong with the disk, the job computes
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # who waits has it open


def _restore(folder: Path, found: str, results: dict[str, Path], runs: Sequence[str]) -> list[str] | None:
    """Puts what is kept in its places and returns the log's lines; None if nothing whole is there."""
    for entry in sorted(folder.glob(f"{found}-*.tar")):
        try:
            content = entry.read_bytes()
        except OSError:
            continue  # another process made room
        if entry.stem.rpartition("-")[2] != hashlib.sha256(content).hexdigest():
            entry.unlink(missing_ok=True)
            continue
        with contextlib.suppress(OSError):
            os.utime(entry)  # used just now
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            lines, before = _unpack(tar, results)
        return _renamed(dict(zip(before, runs, strict=True)), lines, results)
    return None


def _renamed(runs: dict[str, str], lines: list[str], results: dict[str, Path]) -> list[str]:
    """Writes the ids of these runs into the documents, in place of those that are kept. Returns the log's lines likewise."""

    def renamed(text: str) -> str:
        return _RUN_ID.sub(lambda found: runs.get(found[0], found[0]), text)

    for path in results.values() if runs else ():
        for document in path.rglob("*.json") if path.is_dir() else [path] if path.suffix == ".json" else ():
            document.write_text(renamed(document.read_text("utf-8")), "utf-8")
    return [renamed(line) for line in lines]


def _unpack(tar: tarfile.TarFile, results: dict[str, Path]) -> tuple[list[str], list[str]]:
    """Puts the results in their places. Returns the lines of the log, and the runs that it was computed with."""
    said: dict[str, list[str]] = {}
    for member in tar:
        name, _, below = member.name.partition("/")
        if name in (_LOG, _RUNS):
            document = tar.extractfile(member)
            said[name] = json.load(document) if document else []
        elif not below and member.isfile():
            results[name].parent.mkdir(parents=True, exist_ok=True)
            tar.extract(member.replace(name=results[name].name), results[name].parent, filter="data")
        elif below:
            tar.extract(member.replace(name=below), results[name], filter="data")
        else:
            results[name].mkdir(parents=True, exist_ok=True)
    return said[_LOG], said[_RUNS]


def _keep(folder: Path, found: str, results: dict[str, Path], lines: list[str], runs: Sequence[str]) -> None:
    """Whatever goes wrong with the disk, the job has its result."""
    with contextlib.suppress(OSError):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            for name, document in ((_LOG, lines), (_RUNS, list(runs))):
                said = json.dumps(document).encode()
                entry = tarfile.TarInfo(name)
                entry.size = len(said)
                tar.addfile(entry, io.BytesIO(said))
            for name, path in results.items():
                if path.exists():
                    tar.add(path, arcname=name)
        body = content.getvalue()
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".writing", delete=False) as file:
            file.write(body)
        Path(file.name).rename(folder / f"{found}-{hashlib.sha256(body).hexdigest()}.tar")
        _make_room(folder)


def _make_room(folder: Path) -> None:
    entries = [(entry, entry.stat()) for entry in folder.glob("*.tar")]
    total = sum(status.st_size for _, status in entries)
    for entry, status in sorted(entries, key=lambda one: one[1].st_mtime):
        if total <= _most_bytes:
            return
        entry.unlink(missing_ok=True)
        total -= status.st_size


@cache
def _programs() -> str:
    """A digest of what computes: our programs around and in the containers, and the versions of all libraries."""
    digest = hashlib.sha256()
    for folder, name in (
        (Path(__file__).parent, "*.py"),
        (paths.PROJECT, "*.lock"),
        (paths.PROJECT, "processing/*.txt"),
    ):
        for file in sorted(folder.rglob(name) if name == "*.py" else folder.glob(name)):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _interpreter(python: Path) -> str:
    """Which environment computes; that of the image has other versions than this one."""
    own = python == Path(sys.executable)
    return f"{sys.version} on {os.cpu_count()}" if own else f"image {python.parent.parent.name}"
