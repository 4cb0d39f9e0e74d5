"""A person's CSV file: checked as a whole before anything is sent, then read row by row with each row's own text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cli.stack import RefusedError
from processing import reading
from processing.reading import Row

MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Table:
    """A file that was checked: `header` is its first row's own text, `rows` how many follow, `stamp` size and time."""

    path: Path
    columns: list[str]
    header: str
    line_end: str
    rows: int
    sha256: str
    stamp: tuple[int, int]

    def changed(self) -> bool:
        """Whether the file was written to, or removed, since it was checked."""
        try:
            return _stamp(self.path) != self.stamp
        except OSError:
            return True

    def digest_of(self, rows: int) -> Any:
        """A SHA-256 over the header and the first `rows` rows, to be continued with `add`. Raises ChangedError."""
        digest = hashlib.sha256()
        try:
            add(digest, islice(reading.read(self.path), rows + 1))
        except (OSError, reading.UnreadableError):
            raise ChangedError from None
        return digest

    def after(self, done: int) -> Iterator[Row]:
        """The rows after the first `done`. Raises ChangedError if they are no longer those that were checked."""
        count = 0
        try:
            for row in reading.read(self.path):
                if len(row.cells) != len(self.columns):
                    raise ChangedError
                count = row.number
                if count > done:
                    yield row
        except (OSError, reading.UnreadableError):
            raise ChangedError from None
        if count != self.rows:
            raise ChangedError


class ChangedError(Exception):
    """The file was changed since it was checked."""


def add(digest: Any, rows: Iterable[Row]) -> None:
    """Add rows to a digest: their text, and not how their lines end."""
    for row in rows:
        digest.update(row.text.encode() + b"\n")


def check(path: Path) -> Table:
    """The table in a file. Raises RefusedError if it is no UTF-8 CSV with a header and rows of the header's width."""
    try:
        stamp = _stamp(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        rows = reading.read(path)
        first = next(rows)
        problems, count, wrong = [], 0, 0
        for row in rows:
            count = row.number
            if problem := reading.row_problem(row, len(first.cells)):
                wrong += 1
                if wrong <= MOST_PROBLEMS:
                    problems.append(f"Row {row.number:,} {problem} (line {row.line:,}).")
    except reading.UnreadableError as error:
        raise RefusedError(f"{path} {error}.") from None
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}.") from None
    if wrong > MOST_PROBLEMS:
        problems.append(f"{wrong - MOST_PROBLEMS:,} more rows are like that.")
    if problems:
        raise RefusedError("\n".join([f"{path} cannot be sent as it is:", *problems]))
    if count == 0:
        raise RefusedError(f"{path} has a header and no row.")
    return Table(path, first.cells, first.text, first.end or "\n", count, digest, stamp)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
