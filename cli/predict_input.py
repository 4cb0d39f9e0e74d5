"""A person's CSV file: checked as a whole before anything is sent, then read row by row with each row's own text."""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.stack import RefusedError

MOST_VALUE_CHARACTERS = 6 * 1024 * 1024
"""A longer value fits no request; it is most often a quote that was never closed."""

MOST_PROBLEMS = 5
_BOM = "\ufeff"
_LINE_ENDS = ("\r\n", "\n", "\r")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Row:
    """A row as it stands in the file: `number` from 1 without the header, `line` where it begins, `text` without its end."""

    number: int
    line: int
    text: str
    end: str
    cells: list[str]


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

    def after(self, done: int) -> Iterator[Row]:
        """The rows after the first `done`. Raises ChangedError if they are no longer those that were checked."""
        count = 0
        try:
            for row in _rows(self.path):
                if len(row.cells) != len(self.columns):
                    raise ChangedError
                count = row.number
                if count > done:
                    yield row
        except (OSError, RefusedError):
            raise ChangedError from None
        if count != self.rows:
            raise ChangedError


class ChangedError(Exception):
    """The file was changed since it was checked."""


def check(path: Path) -> Table:
    """The table in a file. Raises RefusedError if it is no UTF-8 CSV with a header and rows of the header's width."""
    try:
        stamp = _stamp(path)
        _refuse_utf16(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        rows = _rows(path)
        first = next(rows, None)
        if first is None:
            raise RefusedError(f"{path} is empty.")
        problems: list[str] = []
        count = 0
        for row in rows:
            count = row.number
            if len(problem := _problem(row, len(first.cells))) > 0:
                problems.append(problem)
                if len(problems) == MOST_PROBLEMS:
                    break
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}.") from None
    if problems:
        raise RefusedError("\n".join([f"{path} cannot be sent as it is:", *problems]))
    if count == 0:
        raise RefusedError(f"{path} has a header and no row.")
    return Table(path, first.cells, first.text, first.end or "\n", count, digest, stamp)


def _problem(row: Row, width: int) -> str:
    if len(row.cells) != width:
        return f"Row {row.number:,} has {len(row.cells)} values and the header names {width} (line {row.line:,})."
    if "\0" in row.text:
        return f"Row {row.number:,} holds a NUL character (line {row.line:,}), at which readers of CSV stop."
    return ""


def _rows(path: Path) -> Iterator[Row]:
    """The header as row 0, then the rows; empty lines are none. Raises RefusedError, OSError."""
    csv.field_size_limit(MOST_VALUE_CHARACTERS)
    with path.open(encoding="utf-8", newline="") as file:
        read: list[str] = []

        def lines() -> Iterator[str]:
            while line := file.readline(MOST_VALUE_CHARACTERS + 1):
                if len(line) > MOST_VALUE_CHARACTERS:
                    raise RefusedError(f"Line {reader.line_num + 1:,} of {path} is longer than 6 MB: is it a CSV file?")
                read.append(line)
                yield line.removeprefix(_BOM) if reader.line_num == 0 else line

        reader = csv.reader(lines(), strict=True)
        number = 0
        try:
            for cells in reader:
                if cells:
                    text = "".join(read)
                    end = next((end for end in _LINE_ENDS if text.endswith(end)), "")
                    begins = reader.line_num - len(read) + 1
                    yield Row(number, begins, text.removesuffix(end), end, cells)
                    number += 1
                read.clear()
        except csv.Error as error:
            begins = reader.line_num - len(read) + 1
            where = f"the row that begins at line {begins:,}"
            if "field larger" in str(error) or "unexpected end" in str(error):
                raise RefusedError(f"{path} cannot be read: in {where} a quote is not closed.") from None
            raise RefusedError(f"{path} cannot be read at {where}: {error}.") from None
        except UnicodeDecodeError:
            raise RefusedError(_not_utf8(path)) from None


def _refuse_utf16(path: Path) -> None:
    with path.open("rb") as file:
        begins = file.read(2)
    if begins in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise RefusedError(f"{path} is UTF-16, not UTF-8. Save it as UTF-8, or: iconv -f UTF-16 -t UTF-8 OLD > NEW")


def _not_utf8(path: Path) -> str:
    """Where the file stops being UTF-8: the reader decodes in blocks and cannot tell."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            try:
                line += decoder.decode(block, final=not block).count("\n")
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                return (
                    f"{path} is not UTF-8 at line {line:,}. Save it as UTF-8 (in Excel: CSV UTF-8), or, if it is "
                    "Windows' Latin: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW"
                )
            if not block:
                return f"{path} is not UTF-8."


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
