"""A server's state directory: one owner at a time, clean when a server starts, readable after it has stopped."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

LOCK_NAME = "server.lock"
MINIMUM_FREE_BYTES = 1_000_000_000
_KEPT_AFTER_STOP = {LOCK_NAME, "s3", "outbox", "logs"}


class StateError(Exception):
    """The state directory cannot be used; the message says why and what to do."""


@dataclass
class StateDirectory:
    """A state directory held by this process until `release`."""

    path: Path
    _lock: IO[str]

    @classmethod
    def acquire(cls, path: Path, port: int) -> StateDirectory:
        """Take the directory for this process and empty it.

        What a killed server left (files and processes) is removed first. Raises StateError when another server holds
        the directory, when it holds files that no server wrote, or when the disk is nearly full.
        """
        path = path.resolve()
        path.mkdir(parents=True, exist_ok=True)
        lock_path = path / LOCK_NAME
        if not lock_path.exists() and any(path.iterdir()):
            raise StateError(f"{path} holds files that no local cloud wrote. Choose an empty or new directory.")
        lock = lock_path.open("a+", encoding="utf-8")  # open as long as the lock is held
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = _owner_text(lock.read())
            lock.close()
            raise StateError(
                f"State directory {path} is in use by {owner}. Stop it, or choose another directory with --state."
            ) from None
        end_processes_of(path)
        _remove(path, keep={LOCK_NAME})
        free = shutil.disk_usage(path).free
        if free < MINIMUM_FREE_BYTES:
            lock.close()
            raise StateError(
                f"Only {free / 1e6:.0f} MB free on the disk of {path}; a run needs {MINIMUM_FREE_BYTES / 1e9:.0f} GB. "
                "Free some space, or choose a directory on another disk with --state."
            )
        lock.truncate(0)
        lock.write(json.dumps({"pid": os.getpid(), "port": port}))
        lock.flush()
        return cls(path, lock)

    def folder(self, name: str) -> Path:
        """A subdirectory, created on first use."""
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def release(self) -> None:
        """Remove what nobody reads afterwards and let go of the lock. Objects, emails and logs stay."""
        _remove(self.path, keep=_KEPT_AFTER_STOP)
        self._lock.close()


def end_processes_of(path: Path) -> None:
    """End processes that work inside the directory: children that outlived a killed server."""
    leftover = []
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(path)
        except (psutil.Error, OSError):
            continue
        # Someone looking around in the directory has a terminal; what a server started has none.
        if inside and process.pid != os.getpid() and process.terminal() is None:
            leftover.append(process)
    end_processes(leftover)


def end_processes(processes: list[psutil.Process], grace_seconds: float = 2.0) -> None:
    """Ask the processes to end, wait, and kill those that remain."""
    for process in processes:
        try:
            process.terminate()
        except psutil.Error:
            continue
    _, alive = psutil.wait_procs(processes, timeout=grace_seconds)
    for process in alive:
        try:
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(alive, timeout=grace_seconds)


def _owner_text(lock_content: str) -> str:
    try:
        owner = json.loads(lock_content)
        return f"the local cloud on port {owner['port']} (process {owner['pid']})"
    except (ValueError, KeyError, TypeError):
        return "another local cloud that is just starting"


def _remove(path: Path, keep: set[str]) -> None:
    for entry in path.iterdir():
        if entry.name in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
