"""Athena's result as columns: one CSV file, read as texts or numbers, nothing lost.

Every value that is not null stands in double quotes, null is empty and unquoted, and a value may hold commas, quotes and
line breaks (docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html).
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import math
import os
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Callable, Iterator, Sequence

import numpy
from columns import NO_KEY, Column, Spill, Threads, in_turn
from encoding import are_numbers, at, distinct, placed, pyarrow, texts_of
from words import CODE, MISSING, is_code, is_missing, number

# Sizes in bytes: what is read at once, in blocks that stay in the processor's cache while one column after the other is
# taken from them; what decides whether columns hold numbers; how far to look for a row's end at once.
PIECE, BLOCK = 1 << 24, 1 << 22
SAMPLE = 1 << 18
LOOK_AHEAD = 1 << 16
# Of what is looked through at once, so that what comes of it stays in the processor's cache.
CACHED = 1 << 18
# Numbers are read as texts where there are as many rows for each different one: that is as fast, and shows codes among them.
REPEATED = 4
# More different texts in a column are no categories, and would be held by every container that serves the model.
MOST_TEXTS = 1_000_000
QUOTE, LINE_BREAK, ZERO, NINE = map(ord, '"\n09')
# The last columns of the query (statemachine/training.asl.yaml, ExtractFeatures), the same in every row.
RECORD_COUNTS = ("automl_records", "automl_identifiers")
# As Athena and pandas spell them; in a column of numbers, a piece with another spelling is read as texts first.
MISSING_SPELLINGS = sorted(
    {spelled for word in MISSING for spelled in (word, word.upper(), word.title())} | {"NaN", "NaT"}
)


if pyarrow is not None:
    import pyarrow.csv

    TEXT = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())


class UnusableDataError(Exception):
    """The data cannot be trained on; the message names the column and the remedy."""


def cut(text: str, most: int) -> str:
    """`text` in `most` characters, with dots where something is left out, so that a message's remedy is not."""
    return text if len(text) <= most else text[: most - 3] + "..."


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


@dataclass
class Wanted:
    """Which columns are read, and how: `texts` stay texts whatever they hold, and `numeric` are numbers so far.

    `padded`: numbers that pyarrow's reader of CSV does not take for such: with white space around, or as only Python reads
    them. `repeated`: numbers of which few are different. `key`: the column whose texts `keys` turns into one int64 each, as
    there may be as many as rows.
    """

    names: Sequence[str]
    unused: Sequence[str]
    texts: Sequence[str | None]
    target: str | None
    key: str | None
    keys: Callable[[list[str]], numpy.ndarray] | None
    numeric: set[str] = field(default_factory=set)
    padded: set[str] = field(default_factory=set)
    repeated: set[str] = field(default_factory=set)


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
        rows = _Rows(file)
        names = _header(bytes(rows.take(0)))
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
        rows = _Rows(file)
        names, sample = _header(bytes(rows.take(0))), rows.take(SAMPLE)
    characters = numpy.frombuffer(sample, numpy.uint8)
    outside = numpy.cumsum(characters == QUOTE) % 2 == 0
    count = numpy.count_nonzero((characters == LINE_BREAK) & outside)
    return names, max(int(count), min(len(sample), 1)), len(sample)


def _records(row: bytes) -> Records | None:
    """The counts at the end of the first row; None if there is no row."""
    total, identifiers = next(csv.reader(io.StringIO(row.decode(errors="replace"), newline="")), ["0", "0"])[-2:]
    return Records(int(total), int(identifiers)) if row else None


def _header(line: bytes) -> list[str]:
    names = next(csv.reader(io.StringIO(line.decode("utf-8-sig"), newline="")))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnusableDataError(f"Column names appear twice: {cut(', '.join(twice), 600)}. Names must differ.")
    return names


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


class _Rows:
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

    def pieces(self) -> Iterator[memoryview]:
        """What is left, in pieces."""
        while rows := self.take(PIECE):
            yield rows


def _read_columns(
    rows: _Rows, names: Sequence[str], wanted: Wanted, spill: Spill
) -> tuple[dict[str, Merged], list[int]]:
    """The wanted columns of what is left of `rows`, and each piece's count of rows. Raises ArrowInvalid."""
    sample = rows.take(SAMPLE)
    if sample:
        begun = _read(sample, names, dict.fromkeys(wanted.names, TEXT))
        words = {name: distinct(begun.column(name))[0] for name in wanted.names if name not in wanted.texts}
        wanted.numeric = {name for name, found in words.items() if are_numbers(found)}
        wanted.repeated = {name for name in wanted.numeric if len(words[name]) * REPEATED <= begun.num_rows}
    merged = {name: Merged(name, wanted, spill) for name in wanted.names}

    pieces = itertools.chain([sample] if sample else [], rows.pieces())
    counts = []
    for count, piece in in_turn(lambda piece: _read_piece(piece, names, wanted), pieces):
        counts.append(count)
        for name, values in piece.items():
            merged[name].append(values)
            if merged[name].turned:
                wanted.numeric.discard(name)
    return merged, counts


class Merged:
    """A column that grows by a piece at a time.

    `turned`: it began as numbers and holds texts further on. `column` is None where there are too many of them, `keys` the
    column of keys, where they are asked for.
    """

    def __init__(self, name: str, wanted: Wanted, spill: Spill):
        self.name, self.turned, self._is_target = name, False, name == wanted.target
        self._may_be_dropped = name in wanted.unused or name == wanted.key
        self._places: dict[str, int] = {}
        self.column: Column | None = Column(spill, numpy.int32, words=[], name=name)
        self.keys: Column | None = None
        if name in wanted.numeric:
            self.column = Column(spill, numpy.float64, name=name)
        elif name == wanted.key:
            self.keys, self._key = Column(spill, numpy.int64, name=name), wanted.keys

    def append(self, values: numpy.ndarray | tuple[list[str], numpy.ndarray] | None) -> None:
        """Numbers, or distinct texts with each row's place among them; None for texts where numbers were promised."""
        self.turned = self.turned or values is None
        if self.turned:
            return
        if isinstance(values, numpy.ndarray):
            self.column.append(values)
            return
        words, codes = values
        if self.keys:
            self._append_keys(words, codes)
        if self.column is None:
            return
        known, places = self.column.words, self._places
        for word in words:
            if word not in places:
                places[word] = len(known)
                known.append(word)
        if len(known) <= MOST_TEXTS:
            self.column.append(placed([places[word] for word in words], codes))
        elif self._may_be_dropped:
            self.column, self._places = None, {}
        else:
            raise UnusableDataError(_too_many(self.name, known, self._is_target))

    def _append_keys(self, words: list[str], codes: numpy.ndarray) -> None:
        keys = numpy.full(len(words) + 1, NO_KEY)
        if self.keys.problem is None:
            try:
                keys[:-1] = self._key(words)
            except UnusableDataError as problem:
                self.keys.problem = str(problem)
        self.keys.append(keys[codes])


def _too_many(name: str, words: Sequence[str], is_target: bool) -> str:
    lead = f"{'Target column' if is_target else 'Column'} {name!r} holds more than {MOST_TEXTS:,} different"
    if is_target:
        return (
            f"{lead} values, which is a quantity or an identifier rather than classes; set problem_type to Regression and "
            "objective_metric_name to RMSE, or choose another target."
        )
    odd = [word for word in words if not is_missing(word) and (number(word) is None or is_code(word))]
    if len(odd) < len(words) / 2:
        return (
            f"{lead} values and is read as text because of {cut(repr(odd[0]), 40)}, while most are numbers. Correct it, or "
            "leave such values empty, and it is read as numbers."
        )
    return (
        f"{lead} texts, as an identifier or free text does: a model learns nothing from those. Leave it out with "
        "exclude_columns."
    )


def _read(rows: memoryview, names: Sequence[str], types: dict[str, pyarrow.DataType]) -> pyarrow.Table:
    """Whole rows as a table of the columns in `types`. Raises ArrowInvalid."""
    characters, tables, end = numpy.frombuffer(rows, numpy.uint8), [], 0
    while end < len(rows) or not tables:
        begin, end = end, row_end(characters, end, BLOCK)
        tables.append(_read_block(rows[begin:end], names, types))
    return pyarrow.concat_tables(tables)


def _read_block(rows: memoryview, names: Sequence[str], types: dict[str, pyarrow.DataType]) -> pyarrow.Table:
    return pyarrow.csv.read_csv(
        pyarrow.BufferReader(pyarrow.py_buffer(rows)),
        read_options=pyarrow.csv.ReadOptions(column_names=list(names), block_size=len(rows) + 1, use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=list(types),
            column_types=types,
            null_values=MISSING_SPELLINGS,  # of numbers
            quoted_strings_can_be_null=True,
        ),
    )


def _read_piece(rows: memoryview, names: Sequence[str], wanted: Wanted) -> tuple[int, dict[str, Any]]:
    """How many rows there are, and for each column what `Merged.append` takes. Raises ArrowInvalid."""
    numeric, repeated = set(wanted.numeric), set(wanted.repeated)
    plain = numeric - wanted.padded - repeated

    def read() -> pyarrow.Table:
        types = {name: pyarrow.string() if name in numeric - repeated else TEXT for name in wanted.names}
        return _read(rows, names, {**types, **dict.fromkeys(plain, pyarrow.float64())})

    try:
        table = read()
    except pyarrow.ArrowInvalid:
        if not plain:
            raise
        padded, plain = plain, set()
        table = read()
        # Slower ever after: those that a reader of numbers cannot read.
        wanted.padded.update(name for name in padded if not _is_plain(table.column(name)))
    # Numbers are read faster as such, but codes among them lose their leading zeros.
    given = {name: table.column(name).to_numpy() for name in plain}
    whole = [name for name, values in given.items() if _are_whole(values)]
    if whole and _may_hold_codes(rows):
        as_texts = _read(rows, names, dict.fromkeys(whole, pyarrow.string()))
        given.update((name, None) for name in whole if _hold_code(texts_of(as_texts.column(name))))
    for name in numeric & repeated:
        words, codes = distinct(table.column(name))
        given[name] = _numbers_among(words, codes)
        if len(words) * REPEATED > len(codes):
            wanted.repeated.discard(name)
    given.update((name, _numbers(table.column(name))) for name in numeric - plain - repeated)
    return table.num_rows, {
        name: given[name] if name in given else distinct(table.column(name)) for name in wanted.names
    }


def _is_plain(column: Any) -> bool:
    """Whether every text is a number or a word for a missing value as it stands, without white space."""
    missing = pyarrow.compute.is_in(column, value_set=pyarrow.array(MISSING_SPELLINGS))
    try:
        pyarrow.compute.if_else(missing, pyarrow.scalar(None, pyarrow.string()), column).cast(pyarrow.float64())
    except pyarrow.ArrowInvalid:
        return False
    return True


def _numbers(column: Any) -> numpy.ndarray | None:
    """The numbers of a column of texts, infinities included; None if it is not one of numbers (see `are_numbers`)."""
    texts = texts_of(column)
    try:
        values = texts.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)
    except pyarrow.ArrowInvalid:  # words for missing values, numbers as only Python reads them (+1), or texts
        return _numbers_among(*distinct(column))
    return None if _hold_code(texts) else values


def _numbers_among(words: list[str], codes: numpy.ndarray) -> numpy.ndarray | None:
    """Likewise, of a column's distinct texts, and for each row which one it has."""
    return at(plain_numbers(words), codes) if are_numbers(words) else None


def plain_numbers(words: Sequence[str]) -> numpy.ndarray:
    """The numbers of a column's distinct texts (see `are_numbers`), infinities included, and nan at the end."""
    return numpy.array([*(math.nan if is_missing(word) else number(word) for word in words), math.nan])


def _hold_code(texts: pyarrow.Array) -> bool:
    """Whether any text (see `encoding.texts_of`) is digits behind a leading zero."""
    return bool(pyarrow.compute.any(pyarrow.compute.match_substring_regex(texts, f"^{CODE.pattern}$")).as_py())


def _are_whole(values: numpy.ndarray) -> bool:
    """Whether all numbers of a column could be codes that have lost their leading zeros."""
    return bool((numpy.isnan(values) | ((values >= 0) & (values == numpy.floor(values)))).all())


def _may_hold_codes(rows: memoryview) -> bool:
    """Whether any quoted value starts with a zero and more digits: read as numbers, such codes lose their zeros."""
    characters = numpy.frombuffer(rows, numpy.uint8)
    for begin in range(0, len(characters), CACHED):
        part = characters[begin : begin + CACHED + 2]
        zeros = numpy.flatnonzero((part[:-2] == QUOTE) & (part[1:-1] == ZERO)) + 2
        if ((part[zeros] >= ZERO) & (part[zeros] <= NINE)).any():
            return True
    return False
