"""Athena's result as whole rows: one CSV file, read some megabytes at a time.

Every value that is not null stands in double quotes, null is empty and unquoted, and a value may hold commas, quotes and
line breaks (docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html).
"""

from __future__ import annotations

import csv
import io
import os
from typing import BinaryIO, Iterator

import numpy
from unusable_data import UnusableDataError, cut

# Sizes in bytes: what is read at once, what decides whether columns hold numbers, how far to look for a row's end at once.
PIECE = 1 << 24
SAMPLE = 1 << 18
LOOK_AHEAD = 1 << 16
# Of what is looked through at once, so that what comes of it stays in the processor's cache.
CACHED = 1 << 18
QUOTE, LINE_BREAK = map(ord, '"\n')


def path_of(folder: str) -> str:
    """The one CSV file of `folder`. Raises UnusableDataError."""
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".csv"))
    if not paths:
        raise UnusableDataError("The query left no CSV file: check that the DataSource step wrote to data/raw/.")
    if len(paths) > 1:
        raise UnusableDataError(f"data/raw/ holds {len(paths)} CSV files and should hold the run's own alone.")
    if not os.path.getsize(paths[0]):
        raise UnusableDataError("The feature group returned nothing, not even column names.")
    return paths[0]


def first_rows(path: str) -> tuple[list[str], int, int]:
    """The names of the columns, and how many rows there are in how many bytes at the file's beginning."""
    with open(path, "rb", buffering=0) as file:
        rows = Rows(file)
        names, sample = rows.header(), rows.sample()
    characters = numpy.frombuffer(sample, numpy.uint8)
    outside = numpy.cumsum(characters == QUOTE) % 2 == 0
    count = numpy.count_nonzero((characters == LINE_BREAK) & outside)
    return names, max(int(count), min(len(sample), 1)), len(sample)


def row_end(characters: numpy.ndarray, begin: int = 0, least: int = 0) -> int:
    """The first end of a row that is `least` bytes or more behind `begin`, where a row begins.

    `characters` are the bytes of a CSV (uint8). A row ends with a line break that no quotes enclose, or with the file.
    """
    place = begin + least
    quotes_before = sum(
        numpy.count_nonzero(characters[part : min(part + CACHED, place)] == QUOTE)
        for part in range(begin, place, CACHED)
    )
    while place < len(characters):
        window = characters[place : place + LOOK_AHEAD]
        quotes, breaks = numpy.flatnonzero(window == QUOTE), numpy.flatnonzero(window == LINE_BREAK)
        outside = breaks[(quotes_before + numpy.searchsorted(quotes, breaks)) % 2 == 0]
        if len(outside):
            return place + int(outside[0]) + 1
        quotes_before, place = quotes_before + len(quotes), place + LOOK_AHEAD
    return len(characters)


class Rows:
    """A file's rows, some at a time.

    pyarrow would cut by itself, but 14.0.1 takes a line break inside quotes for a row's end there, and loses rows
    without a word if what is left of both happens to have the right number of commas.
    """

    def __init__(self, file: BinaryIO):
        self._file, self._rest = file, b""

    def rewind(self) -> None:
        """To the file's beginning."""
        self._file.seek(0)
        self._rest = b""

    def header(self) -> list[str]:
        """The names of the columns, which stand at the file's beginning. Raises UnusableDataError if one does twice."""
        names = next(csv.reader(io.StringIO(bytes(self.take(0)).decode("utf-8-sig"), newline="")))
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UnusableDataError(f"Column names appear twice: {cut(', '.join(twice), 600)}. Names must differ.")
        return names

    def take(self, least: int) -> memoryview:
        """The next whole rows, `least` bytes or more; empty at the file's end."""
        more = max(LOOK_AHEAD, least + LOOK_AHEAD - len(self._rest))
        while True:
            held = memoryview(numpy.empty(len(self._rest) + more, numpy.uint8))
            held[: len(self._rest)] = self._rest
            read = self._file.readinto(held[len(self._rest) :])
            filled = held[: len(self._rest) + read]
            end = row_end(numpy.frombuffer(filled, numpy.uint8), least=least)
            if end < len(filled) or not read:
                self._rest = bytes(filled[end:])
                return filled[:end]
            self._rest, more = bytes(filled), len(filled)

    def first(self) -> bytes:
        """The next row, which stays the next; empty at the file's end."""
        row = bytes(self.take(0))
        self._rest = row + self._rest
        return row

    def sample(self) -> memoryview:
        """The next rows, enough of them to judge by what the columns hold; empty at the file's end."""
        return self.take(SAMPLE)

    def pieces(self) -> Iterator[memoryview]:
        """What is left, in pieces."""
        while rows := self.take(PIECE):
            yield rows
