"""Athena's result as columns, and what the query counted beside the rows."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
from dataclasses import dataclass
from typing import Any, Callable, Sequence

import numpy
from columns import Column, Spill, Threads, in_turn
from csv_pieces import Wanted, judge, read_piece
from csv_rows import Rows, path_of
from encoding import pyarrow
from merging import Merged
from unusable_data import UnusableDataError

# The last columns of the query (statemachine/training.asl.yaml, ExtractFeatures), the same in every row.
RECORD_COUNTS = ("automl_records", "automl_identifiers")


@dataclass(frozen=True)
class Records:
    """What the feature group holds in the chosen range: all records, and the identifiers that they are of."""

    total: int
    identifiers: int


@dataclass
class Source:
    """The raw rows: a column a name, in the source's order; None for those that are not read.

    `fingerprint` (SHA-256): alike for the same names and the same values of the columns that are read, in the same order,
    however the rows were written down or cut into pieces. `pieces`: how many rows each piece of every column has. `groups`: the column of keys as texts or numbers, None if it
    has more different texts than a feature may have.
    """

    columns: dict[str, Column | None]
    pieces: list[int]
    fingerprint: str
    records: Records | None = None
    groups: Column | None = None
    engine: Any = Threads

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(self.pieces)


def read_source(
    folder: str,
    ignored: Sequence[str],
    spill: Spill,
    unused: Sequence[str] = (),
    classes: str | None = None,
    key: str | None = None,
    keys: Callable[[list[str]], numpy.ndarray] | None = None,
) -> Source:
    """The CSV file of `folder`, without the columns in `ignored` (their names stay known as keys with value None).

    The query ends each row with the same two counts (see Records), which are no columns of the data and no part of its
    fingerprint: loading the same records again does not change it.

    A column in `unused` with more different texts than a feature may have is None, too, and is refused elsewhere.

    Column `classes` stays one of texts whatever it holds: a class `01` is not the number 1. `key`: a column that is no
    feature, whose texts `keys` turns into one int64 each (it may raise UnusableDataError, which is kept as the column's
    problem). Raises UnusableDataError.
    """
    path = path_of(folder)
    with open(path, "rb", buffering=0) as file:
        rows = Rows(file)
        names = rows.header()
        records = _records(rows.first()) if names[-2:] == [*RECORD_COUNTS] else None
        kept = [name for name in names if name not in RECORD_COUNTS]
        wanted = Wanted([name for name in kept if name not in ignored], unused, [classes], classes, key, keys)
        try:
            read, pieces = _read_columns(rows, names, wanted, spill)
            turned = [name for name, one in read.items() if one.turned]
            if turned:  # columns that begin with numbers and go on with something else
                rows.rewind()
                rows.take(0)
                again = Wanted(turned, unused, turned, classes, key, keys)
                read.update(_read_columns(rows, names, again, spill)[0])
        except pyarrow.ArrowInvalid as error:
            raise UnusableDataError(
                "The query's result cannot be read as CSV: a row has another number of values than there are columns, or "
                "is not UTF-8. Look at the file under data/raw/."
            ) from error
        columns = {name: read[name].keys or read[name].column if name in read else None for name in kept}
        groups = read[key].column if key in read else None
        return Source(columns, pieces, fingerprint(columns), records, groups)


def fingerprint(columns: dict[str, Column | None]) -> str:
    """SHA-256 of the columns' names and values."""
    prints = [(name, column and column.fingerprint()) for name, column in columns.items()]
    return hashlib.sha256(json.dumps(prints).encode()).hexdigest()


def _records(row: bytes) -> Records | None:
    """The counts at the end of the first row; None if there is no row."""
    total, identifiers = next(csv.reader(io.StringIO(row.decode(errors="replace"), newline="")), ["0", "0"])[-2:]
    return Records(int(total), int(identifiers)) if row else None


def _read_columns(
    rows: Rows, names: Sequence[str], wanted: Wanted, spill: Spill
) -> tuple[dict[str, Merged], list[int]]:
    """The wanted columns of what is left of `rows`, and each piece's count of rows. Raises ArrowInvalid."""
    sample = rows.sample()
    if sample:
        judge(sample, names, wanted)
    merged = {name: Merged(name, wanted, spill) for name in wanted.names}

    pieces = itertools.chain([sample] if sample else [], rows.pieces())
    counts = []
    for count, piece in in_turn(lambda piece: read_piece(piece, names, wanted), pieces):
        counts.append(count)
        for name, values in piece.items():
            merged[name].append(values)
            if merged[name].turned:
                wanted.numeric.discard(name)
    return merged, counts
