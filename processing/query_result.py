"""Athena's result as columns: one CSV file, read as texts or numbers, nothing lost.

Every value that is not null stands in double quotes, null is empty and unquoted, and a value may hold commas, quotes and
line breaks (docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html).
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Iterator, Sequence

import numpy
import pyarrow
import pyarrow.csv
from encoding import are_numbers, distinct
from words import MISSING, number

# Sizes in bytes: what is read at once, what decides whether columns hold numbers, how far to look for a row's end at once.
PIECE = 1 << 24
SAMPLE = 1 << 18
LOOK_AHEAD = 1 << 16
QUOTE, LINE_BREAK, ZERO, NINE = map(ord, '"\n09')
TEXT = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
# The last columns of the query (statemachine/training.asl.yaml, ExtractFeatures), the same in every row.
RECORD_COUNTS = ("automl_records", "automl_identifiers")
# As Athena and pandas spell them; a column of numbers with another spelling is read as texts first, and just as well.
MISSING_SPELLINGS = sorted(
    {spelled for word in MISSING for spelled in (word, word.upper(), word.title())} | {"NaN", "NaT"}
)


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
    """The raw rows: one pyarrow column of texts (dictionary-coded) or float64 a name, in the source's order.

    Where nothing stands a text is empty, and a number null.
    """

    columns: dict[str, Any]
    rows: int
    fingerprint: str
    records: Records | None = None


def read_source(folder: str, ignored: Sequence[str], texts: Sequence[str] = ()) -> Source:
    """The CSV file of `folder`, without the columns in `ignored` (their names stay known as keys with value None).

    The query ends each row with the same two counts (see Records), which are no columns of the data and no part of its
    fingerprint: loading the same records again does not change it.

    Columns in `texts` stay texts whatever they hold: a class `01` is not the number 1. Raises UnusableDataError.
    """
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".csv"))
    if not paths:
        raise UnusableDataError("The query left no CSV file: check that the DataSource step wrote to data/raw/.")
    if len(paths) > 1:
        raise UnusableDataError(f"data/raw/ holds {len(paths)} CSV files and should hold the run's own alone.")
    if not os.path.getsize(paths[0]):
        raise UnusableDataError("The feature group returned nothing, not even column names.")
    with pyarrow.memory_map(paths[0]) as file, ThreadPoolExecutor(1) as threads:
        body = file.read_buffer()
        begin = row_end(numpy.frombuffer(body, numpy.uint8))
        names = _header(body.slice(0, begin))
        records = _records(body, begin) if names[-2:] == [*RECORD_COUNTS] else None
        fingerprint = threads.submit(_fingerprint, body, begin, records)  # while the columns are read
        kept = [name for name in names if name not in RECORD_COUNTS]
        wanted = [name for name in kept if name not in ignored]
        table = _read_columns(body.slice(begin), names, wanted, texts)
        columns = {name: table.column(name) if name in wanted else None for name in kept}
        return Source(columns, table.num_rows, fingerprint.result(), records)


def _records(body: pyarrow.Buffer, begin: int) -> Records | None:
    """The counts at the end of the first row; None if there is no row."""
    row = body.slice(begin, row_end(numpy.frombuffer(body, numpy.uint8), begin) - begin).to_pybytes()
    total, identifiers = next(csv.reader(io.StringIO(row.decode(errors="replace"), newline="")), ["0", "0"])[-2:]
    return Records(int(total), int(identifiers)) if row else None


def _fingerprint(body: pyarrow.Buffer, begin: int, records: Records | None) -> str:
    if records is None:
        return hashlib.sha256(body).hexdigest()
    names = ",".join(f'"{name}"' for name in RECORD_COUNTS).encode()
    counts = f',"{records.total}","{records.identifiers}"\n'.encode()
    digest = hashlib.sha256(body.slice(0, begin).to_pybytes().replace(b"," + names, b""))
    for rows in _pieces(body.slice(begin)):
        digest.update(rows.to_pybytes().replace(counts, b"\n"))
    return digest.hexdigest()


def _header(line: pyarrow.Buffer) -> list[str]:
    names = next(csv.reader(io.StringIO(line.to_pybytes().decode("utf-8-sig"), newline="")))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnusableDataError(f"Column names are there twice: {cut(', '.join(twice), 600)}. Names must differ.")
    return names


def row_end(characters: numpy.ndarray, begin: int = 0, least: int = 0) -> int:
    """The first end of a row that is `least` bytes or more behind `begin`, where a row begins.

    `characters` are the bytes of a CSV (uint8). A row ends with a line break that no quotes enclose, or with the file.
    """
    place = begin + least
    quotes_before = numpy.count_nonzero(characters[begin:place] == QUOTE)
    while place < len(characters):
        window = characters[place : place + LOOK_AHEAD]
        quotes, breaks = numpy.flatnonzero(window == QUOTE), numpy.flatnonzero(window == LINE_BREAK)
        outside = breaks[(quotes_before + numpy.searchsorted(quotes, breaks)) % 2 == 0]
        if len(outside):
            return place + int(outside[0]) + 1
        quotes_before, place = quotes_before + len(quotes), place + LOOK_AHEAD
    return len(characters)


def _pieces(body: pyarrow.Buffer) -> Iterator[pyarrow.Buffer]:
    """The rows in pieces of whole rows.

    pyarrow would cut by itself, but 14.0.1 takes a line break inside quotes for a row's end there, and loses rows
    without a word if what is left of both happens to have the right number of commas.
    """
    characters, begin = numpy.frombuffer(body, numpy.uint8), 0
    while begin < len(characters):
        end = row_end(characters, begin, PIECE)
        yield body.slice(begin, end - begin)
        begin = end


def _read_columns(
    body: pyarrow.Buffer, names: Sequence[str], wanted: Sequence[str], texts: Sequence[str]
) -> pyarrow.Table:
    """The wanted of the columns `names`: float64 where the first rows promise numbers, the rest texts, dictionary-coded."""

    def read(rows: pyarrow.Buffer, types: dict[str, pyarrow.DataType]) -> pyarrow.Table:
        return pyarrow.csv.read_csv(
            pyarrow.BufferReader(rows),
            read_options=pyarrow.csv.ReadOptions(column_names=list(names), block_size=rows.size + 1, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(wanted),
                column_types=types,
                null_values=MISSING_SPELLINGS,  # of numbers
                quoted_strings_can_be_null=True,
            ),
        )

    def read_all(types: dict[str, pyarrow.DataType]) -> pyarrow.Table:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return pyarrow.concat_tables(threads.map(lambda rows: read(rows, types), _pieces(body)))

    all_texts = dict.fromkeys(wanted, TEXT)
    if not body.size:
        return pyarrow.table({name: pyarrow.array([], TEXT) for name in wanted})
    try:
        # Numbers are read faster as such; a column that begins with numbers and goes on with something else cannot be.
        with contextlib.suppress(pyarrow.ArrowInvalid):
            sample = read(body.slice(0, row_end(numpy.frombuffer(body, numpy.uint8), least=SAMPLE)), all_texts)
            numeric = [name for name in wanted if name not in texts and _all_numbers(sample.column(name))]
            table = read_all({name: pyarrow.float64() if name in numeric else TEXT for name in wanted})
            whole = [name for name in numeric if _are_whole(table.column(name))]
            if not whole or not _may_hold_codes(body):
                return table
        return read_all(all_texts)
    except pyarrow.ArrowInvalid as error:
        raise UnusableDataError(
            "The query's result cannot be read as CSV: a row has another number of values than there are columns, or is not "
            "UTF-8. Look at the file under data/raw/."
        ) from error


def _all_numbers(column: Any) -> bool:
    words, _ = distinct(column)
    return any(number(word) is not None for word in words) and are_numbers(words)


def _are_whole(column: Any) -> bool:
    """Whether all numbers of a column could be codes that have lost their leading zeros."""
    values = column.to_numpy()
    return bool((numpy.isnan(values) | ((values >= 0) & (values == numpy.floor(values)))).all())


def _may_hold_codes(body: pyarrow.Buffer) -> bool:
    """Whether any quoted value starts with a zero and more digits: read as numbers, such codes lose their zeros."""

    def found(rows: pyarrow.Buffer) -> bool:
        characters = numpy.frombuffer(rows, numpy.uint8)
        zeros = numpy.flatnonzero((characters[:-2] == QUOTE) & (characters[1:-1] == ZERO)) + 2
        return bool(((characters[zeros] >= ZERO) & (characters[zeros] <= NINE)).any())

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return any(threads.map(found, _pieces(body)))
