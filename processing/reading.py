"""Reading a CSV file strictly: every row with its place in the file, or one sentence that says what is wrong and where.

The one reader for the demo, `features load` and `automl predict`; the preprocess container takes its words from here. UTF-8
(a byte order mark is allowed), commas, double quotes around whole values, a header as the first line. Standard library
only. Nothing is padded, cut or guessed (RFC 4180).
"""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence

MOST_VALUE_CHARACTERS = 6 * 1024 * 1024
"""A longer value fits no request of an endpoint; it is most often a quote that was never closed."""

_BOM = "\ufeff"
_LINE_ENDS = ("\r\n", "\n", "\r")
_BLOCK = 1 << 20
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_HINT = re.compile(r"sep\s*=\s*(\S?)", re.IGNORECASE)
_OTHER_FILES = {
    b"PK\x03\x04": "is an Excel workbook or another ZIP archive, not CSV: save the sheet as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook, not CSV: save the sheet as CSV UTF-8",
    b"\x1f\x8b": "is compressed (gzip), not CSV: unpack it first",
    b"PAR1": "is Parquet, not CSV: write the table as CSV in UTF-8",
    codecs.BOM_UTF16_LE: "is UTF-16, not UTF-8. Save it as UTF-8, or: iconv -f UTF-16 -t UTF-8 OLD > NEW",
    codecs.BOM_UTF16_BE: "is UTF-16, not UTF-8. Save it as UTF-8, or: iconv -f UTF-16 -t UTF-8 OLD > NEW",
}


class UnreadableError(ValueError):
    """The file cannot be read as it is. The message goes on after the file's name, and names the line."""


@dataclass(frozen=True)
class Row:
    """A row as it stands in the file: `number` from 1 without the header, `line` where it begins, `text` without its end."""

    number: int
    line: int
    text: str
    end: str
    cells: list[str]


def read(path: Path) -> Iterator[Row]:
    """The header as row 0, then the rows; empty lines are none. Rows may have any width (see `row_problem`).

    Raises UnreadableError, and OSError if there is no such file.
    """
    csv.field_size_limit(MOST_VALUE_CHARACTERS)
    with path.open("rb") as raw:
        begins = raw.read(4)
    for magic, what in _OTHER_FILES.items():
        if begins.startswith(magic):
            raise UnreadableError(what)
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise UnreadableError("is empty")
    second = next(rows, None)
    problem = header_problem(first.text, first.cells, second.cells if second else None)
    if problem:
        raise UnreadableError(f"line {first.line:,} {problem}")
    yield first
    if second is not None:
        yield second
    yield from rows


def header_problem(text: str, cells: Sequence[str], following: Sequence[str] | None) -> str:
    """What keeps a file's first row from being a header, as the sentence goes on after the row; "" if nothing.

    `text` is the row as it stands there, `following` the next row's cells.
    """
    hint = _HINT.fullmatch(text.strip().strip('"'))
    if hint:
        other = "" if hint[1] in ("", ",") else ", and save the file with commas between the values"
        return f"is {text.strip()!r}, a hint for Excel and not the header: remove that line{other}"
    if len(cells) == 1:
        for mark, name in _SEPARATORS.items():
            if mark in cells[0]:
                return f"looks separated by {name}: save the file with commas between the values"
    filled = [cell.strip() for cell in cells if cell.strip()]
    if len(filled) <= 1 < len([cell for cell in following or () if cell.strip()]):
        title = repr(filled[0][:40]) if filled else "empty"
        return f"looks like a title ({title}): the header must be the first line, so remove what stands above it"
    return ""


def row_problem(row: Row, width: int) -> str:
    """What is wrong with a row under a header of `width` columns, as the sentence goes on after its place; "" if nothing."""
    if "\0" in row.text:
        return "holds a NUL character, at which readers of CSV stop"
    if len(row.cells) == width:
        return ""
    return f"has {len(row.cells)} {'value' if len(row.cells) == 1 else 'values'} and the header names {width}"


def reason(error: csv.Error) -> str:
    """What Python's strict reader found, for a person."""
    said = str(error)
    if "field larger" in said or "unexpected end" in said:
        return "a double quote is not closed"
    if "expected after" in said:
        return "a value goes on behind its closing double quote: write a quote inside a quoted value twice"
    return (
        "it holds a NUL character, at which readers of CSV stop"
        if "NUL" in said
        else "its quotes or line ends do not fit"
    )


def _rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        read: list[str] = []

        def lines() -> Iterator[str]:
            while line := file.readline(MOST_VALUE_CHARACTERS + 1):
                if len(line) > MOST_VALUE_CHARACTERS:
                    raise UnreadableError(f"line {reader.line_num + 1:,} is longer than 6 MB: is it a CSV file?")
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
            raise UnreadableError(
                f"cannot be read: in the row that begins at line {begins:,}, {reason(error)}"
            ) from None
        except UnicodeDecodeError:
            raise UnreadableError(_not_utf8(path)) from None


def _not_utf8(path: Path) -> str:
    """Where the file stops being UTF-8, and what it may be: the reader decodes in blocks and does not know."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            try:
                line += decoder.decode(block, final=not block).count("\n")
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                odd = bytes(error.object[error.start : error.start + 1])
                guess = (
                    "looks like another encoding, " if odd in b"\x81\x8d\x8f\x90\x9d" else "looks like Windows-1252, "
                )
                return (
                    f"is not UTF-8 at line {line:,} ({guess}byte 0x{odd.hex()}). Save it as UTF-8 (in Excel: CSV UTF-8), or, "
                    "if it is Windows-1252: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW"
                )
            if not block:
                return "is not UTF-8"
