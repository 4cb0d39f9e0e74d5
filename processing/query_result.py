"""Athena's result as columns: one CSV file, read as texts or numbers, nothing lost.

Every value that is not null stands in double quotes, null is empty and unquoted, and a value may hold commas, quotes and
line breaks (docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Sequence

import pyarrow
import pyarrow.csv
from encoding import distinct, number


class UnusableData(Exception):
    """The data cannot be trained on; the message names the column and the remedy."""


@dataclass
class Source:
    """The raw rows: one pyarrow column of texts (dictionary-coded) or float64 a name, in the source's order."""

    columns: dict[str, Any]
    rows: int
    fingerprint: str


def read_source(folder: str, ignored: Sequence[str]) -> Source:
    """The CSV files of `folder`, without the columns in `ignored` (their names stay known as keys with value None)."""
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".csv"))
    if not paths:
        raise UnusableData("The query left no CSV file: check that the DataSource step wrote to data/raw/.")
    if len(paths) > 1:
        raise UnusableData(f"data/raw/ holds {len(paths)} CSV files and should hold the run's own alone.")
    if not os.path.getsize(paths[0]):
        raise UnusableData("The feature group returned nothing, not even column names.")
    with pyarrow.memory_map(paths[0]) as file, ThreadPoolExecutor(1) as threads:
        body = file.read_buffer()
        fingerprint = threads.submit(lambda: hashlib.sha256(body).hexdigest())  # while the columns are read
        names = _header(body)
        wanted = [name for name in names if name not in ignored]
        table = _read_columns(body, wanted)
        columns = {name: table.column(name) if name in wanted else None for name in names}
        return Source(columns, table.num_rows, fingerprint.result())


def _header(body: pyarrow.Buffer) -> list[str]:
    first = pyarrow.csv.open_csv(
        pyarrow.BufferReader(body), parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True)
    )
    names = first.schema.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnusableData(f"Column names are there twice: {', '.join(twice)}. Names must differ.")
    return names


def _read_columns(body: pyarrow.Buffer, names: Sequence[str]) -> pyarrow.Table:
    """Columns of numbers as float64 where the first rows promise it, the rest as texts, dictionary-coded."""
    text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())

    def read(types: dict[str, pyarrow.DataType], rows: pyarrow.Buffer, newlines: bool = False) -> pyarrow.Table:
        return pyarrow.csv.read_csv(
            pyarrow.BufferReader(rows),
            read_options=pyarrow.csv.ReadOptions(block_size=rows.size + 1 if newlines else 1 << 24),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=newlines),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(names),
                column_types=types,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )

    types = dict.fromkeys(names, text)
    # Two readings that are faster and can only fail, never mislead: a number that is none is an error, and a row cut
    # at a line break inside a value has too few columns (there are two at least, id and target).
    with contextlib.suppress(pyarrow.ArrowInvalid, ValueError):
        start = body.slice(0, min(body.size, 1 << 19)).to_pybytes()
        sample = read(types, pyarrow.py_buffer(start[: start.index(b"\n", 1 << 18) + 1]))
        return read({name: pyarrow.float64() if _all_numbers(sample.column(name)) else text for name in names}, body)
    with contextlib.suppress(pyarrow.ArrowInvalid):
        return read(types, body)
    try:
        return read(types, body, newlines=True)
    except pyarrow.ArrowInvalid as error:
        raise UnusableData(f"The raw CSV cannot be read: {error}") from None


def _all_numbers(column: Any) -> bool:
    words, _ = distinct(column)
    return bool(words) and all(number(word) is not None for word in words)
