"""The file of predictions while it is made: a partial file beside it, and how far that one is.

`FILE.partial` grows; `FILE.progress.json` says up to where its rows are sure. Only when all are there does the partial
file take FILE's place, in one step.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from cli.stack import RefusedError

FORMAT = 1


@dataclass(frozen=True)
class Identity:
    """What must be the same for an unfinished file to be continued; `model_name` is the model for a person."""

    input_sha256: str
    endpoint: str
    model: str
    model_name: str
    columns: list[str]
    for_spreadsheet: bool = False

    def differences(self, now: Identity) -> list[str]:
        """What is not as it was, in words."""
        said = []
        if self.input_sha256 != now.input_sha256:
            said.append("the input file is another one, or the rows that are done have changed in it")
        if self.endpoint != now.endpoint:
            said.append(f"the endpoint was {self.endpoint} and is {now.endpoint}")
        elif self.model != now.model:
            said.append(f"the endpoint served {self.model_name} and serves {now.model_name}")
        if not said and self.columns != now.columns:
            said.append("the columns to add are others")
        if self.for_spreadsheet != now.for_spreadsheet:
            said.append(
                "--spreadsheet was given then and is not now" if self.for_spreadsheet else "--spreadsheet is new"
            )
        return said


@dataclass
class Progress:
    """How far the file is: rows that are sure, the bytes they take, and what was counted over them.

    `rows_sha256`: of the header and these rows as the input had them. `labels`: how often each class was predicted; `least`, `most`, `total`: of a regression's values.
    """

    rows: int = 0
    bytes: int = 0
    rows_sha256: str = ""
    labels: dict[str, int] = field(default_factory=dict)
    least: float | None = None
    most: float | None = None
    total: float = 0.0

    def copy(self) -> Progress:
        return Progress(**{**asdict(self), "labels": dict(self.labels)})


class Output:
    """The file that is being made. Use as a context manager; leaving it without `finish` keeps what is sure."""

    def __init__(self, path: Path):
        """Raises RefusedError if the file cannot be written, or another process is making it."""
        self.path = path
        self.partial = path.with_name(f"{path.name}.partial")
        self._notes = path.with_name(f"{path.name}.progress.json")
        if path.is_dir():
            raise RefusedError(f"{path} is a folder; name a file.")
        self.sure = Progress()
        self._identity: Identity | None = None
        try:
            self._file: BinaryIO = open(self.partial, "a+b", buffering=0)  # noqa: PTH123, SIM115 (closed in __exit__)
        except OSError as error:
            raise RefusedError(f"Cannot write to {self.partial}: {error.strerror}.") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = self._is_partial()  # another process may have finished in between and given the file its name
        except OSError:
            mine = False
        if not mine:
            self._file.close()
            raise RefusedError(f"Another `automl predict` is writing {path}. Wait for it, or choose another --output.")

    def earlier(self, now: Identity, unchanged: Callable[[Progress], bool]) -> tuple[Progress, list[str]]:
        """What an unfinished attempt has left, and why it cannot be continued (nothing if it can).

        `unchanged`: whether the rows that are done are still those of an input that has changed.
        """
        notes = self._read()
        if notes is None:
            return Progress(), []
        identity, progress = notes
        if identity.input_sha256 != now.input_sha256 and unchanged(progress):
            identity = replace(identity, input_sha256=now.input_sha256)
        return progress, identity.differences(now)

    def begin(self, identity: Identity, progress: Progress | None = None) -> None:
        """Continue after what is sure, or, without `progress`, begin with an empty file."""
        self._identity, self.sure = identity, progress.copy() if progress else Progress()
        self._file.truncate(self.sure.bytes)
        if progress is None:
            self._notes.unlink(missing_ok=True)

    def write(self, content: bytes) -> None:
        """Append. It counts only after the next `keep`. Raises RefusedError if the disk is full."""
        view = memoryview(content)
        try:
            while view:
                view = view[self._file.write(view) or 0 :]
        except OSError as error:
            raise RefusedError(f"Cannot write to {self.partial}: {error.strerror}.") from None

    def keep(self, progress: Progress) -> None:
        """What was written is sure: a later attempt goes on after it, also if this one is killed."""
        if self._identity is None:
            raise ValueError("begin comes first")
        progress.bytes = self._file.seek(0, os.SEEK_END)
        content = {"format": FORMAT, "identity": asdict(self._identity), "progress": asdict(progress)}
        new = self._notes.with_name(f"{self._notes.name}.new")
        try:
            os.fsync(self._file.fileno())
            new.write_text(json.dumps(content) + "\n", encoding="utf-8")
            new.replace(self._notes)
        except OSError as error:
            raise RefusedError(f"Cannot write to {self._notes}: {error.strerror}.") from None
        self.sure = progress.copy()

    def discard(self) -> None:
        """Nothing that was written is sure."""
        self.sure = Progress()
        self._notes.unlink(missing_ok=True)

    def finish(self) -> None:
        """The partial file becomes the output."""
        self.partial.replace(self.path)
        self._notes.unlink(missing_ok=True)

    def _read(self) -> tuple[Identity, Progress] | None:
        """The notes of an earlier attempt; None if there are none that fit the partial file."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            notes: dict[str, Any] = json.loads(self._notes.read_text(encoding="utf-8"))
            identity, progress = Identity(**notes["identity"]), Progress(**notes["progress"])
            if notes["format"] == FORMAT and 0 < progress.bytes <= self._file.seek(0, os.SEEK_END):
                return identity, progress
        return None

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            if not self._notes.exists() and self._is_partial():  # nothing is sure, so nothing is left
                self.partial.unlink()
        self._file.close()

    def _is_partial(self) -> bool:
        return os.path.samestat(os.fstat(self._file.fileno()), self.partial.stat())
