"""The rows as Spark holds them, over several instances: reading, cutting, and running what `preprocess` computes where they lie.

Two views of the same values are kept on the instances' disks: by column, for what is learned from a whole column, and by
piece (some thousand rows of all columns), for what is written row by row. Everything computed is that of the other modules.
"""

from __future__ import annotations

import copy
import itertools
import os
import tempfile
from typing import Any, Callable, Iterable, Iterator, Sequence

import numpy
import plain
from columns import Column, Spill
from csv_pieces import Wanted, plain_numbers
from encoding import are_numbers
from merging import Merged
from pyspark import RDD, StorageLevel
from pyspark.sql import SparkSession
from query_result import RECORD_COUNTS, Records, Source, fingerprint
from unusable_data import UnusableDataError

ROWS = 1 << 16
DISK = StorageLevel.DISK_ONLY
HEAD, VALUES, KEYS = range(3)
# The values of the piece that this process works on, by the columns' names.
_here: dict[str, numpy.ndarray] = {}


class Held:
    """A column (see `columns.Column`) whose values lie on the instances."""

    def __init__(self, name: str, head: dict[str, Any], collect: Callable[[], list[numpy.ndarray]] | None):
        self.name, self.words, self.dtype, self.problem = name, head["words"], head["dtype"], head["problem"]
        self._fingerprint, self._collect = head["fingerprint"], collect

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_collect": None}

    def whole(self) -> numpy.ndarray:
        """All values at once, on the driver."""
        assert self._collect is not None
        return numpy.concatenate(self._collect())

    def piece(self, place: int) -> numpy.ndarray:  # the one that `Engine.by_piece` has put here
        """The values of the piece that is worked on."""
        return _here[self.name]

    def fingerprint(self) -> str:
        """See `columns.Column`."""
        return self._fingerprint


class Engine:
    """Runs functions where the values lie: see `columns.Threads`."""

    def __init__(self, columns: RDD, names: Sequence[str], pieces: int):
        """`columns`: (kind, column's place among `names`, piece's place, content), one partition a column."""
        self._columns, self._names, self._count = columns, list(names), pieces
        values = columns.filter(lambda one: one[0] == VALUES).map(lambda one: (one[2], (names[one[1]], one[3])))
        self._pieces = values.groupByKey(max(pieces, 1), lambda place: place).persist(DISK)

    def by_column(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """`function` of each column or feature, with its values on the disk of the instance that works on it."""
        wanted: dict[int, list[tuple[int, Any]]] = {}
        for order, item in enumerate(items):
            wanted.setdefault(self._names.index(getattr(item, "column", item).name), []).append((order, item))

        def work(place: int, records: Iterator[Any]) -> Iterator[tuple[int, Any]]:
            asked = wanted.get(place, [])
            column = _on_disk(records) if asked else None
            for order, item in asked:
                result = function(column if isinstance(item, Held) else _with(item, column))
                yield order, _with(result, None) if getattr(result, "column", None) is column else result

        found = dict(self._columns.mapPartitionsWithIndex(work).collect()) if items else {}
        for order, item in enumerate(items):
            result = found[order]
            yield _with(result, item) if isinstance(item, Held) and hasattr(result, "column") else result

    def by_piece(self, function: Callable[[int], Any], places: Iterable[int]) -> Iterator[Any]:
        """`function` of each piece's place, with that piece's values at hand."""

        def work(pieces: Iterator[Any]) -> Iterator[Any]:
            for place, values in pieces:
                _put(values)
                yield place, function(place)

        done = self._pieces.mapPartitions(work).persist(DISK)
        done.count()  # on all instances at once; what follows takes one after the other
        for place, (at, result) in zip(places, done.toLocalIterator()):
            assert place == at
            yield result
        done.unpersist()


def _put(values: Iterable[tuple[str, numpy.ndarray]]) -> None:
    # A function of the module: Spark would send functions inside others with a copy of `_here`.
    _here.clear()
    _here.update(values)


def _with(feature: Any, column: Any) -> Any:
    changed = copy.copy(feature)
    changed.column = column
    return changed


def _on_disk(records: Iterator[Any]) -> Column:
    """One column's values, in a file of this instance."""
    head = next(records)[3]
    column = Column(Spill(tempfile.gettempdir()), head["dtype"], head["words"], head["problem"], head["name"])
    for kind, _, _, values in records:
        if kind == VALUES:
            column.append(values)
    return column


def read_parquet(
    spark: SparkSession,
    root: str,
    ignored: Sequence[str],
    order: Sequence[str],
    unused: Sequence[str] = (),
    classes: str | None = None,
    key: str | None = None,
    keys: Callable[[list[str]], numpy.ndarray] | None = None,
) -> Source:
    """The rows of the Parquet files under `processing/input/raw`; see `query_result.read_source`. Raises UnusableDataError."""
    table = spark.read.parquet("file://" + os.path.abspath(os.path.join(root, "processing/input/raw")))
    by = [name for name in order if name in table.columns]
    table = table.sort(*by) if by else table
    counted = [name for name in table.columns if name in RECORD_COUNTS]
    first = table.select(counted).first() if counted else None
    kept = [name for name in table.columns if name not in RECORD_COUNTS]
    names = [name for name in kept if name not in ignored]
    # As Athena writes numbers into its CSV: Java's words for them.
    texts = table.select([table[name].cast("string") for name in names]).rdd

    def cut(part: int, rows: Iterator[Any]) -> Iterator[Any]:
        for place in itertools.count():
            taken = list(itertools.islice(rows, ROWS))
            if not taken:
                return
            yield (part, place), len(taken), [plain.distinct(values) for values in zip(*taken)]

    pieces = texts.mapPartitionsWithIndex(cut).persist(DISK)
    sizes = sorted(pieces.map(lambda piece: (piece[0], piece[1], [are_numbers(one) for one, _ in piece[2]])).collect())
    places = {piece: place for place, (piece, _, _) in enumerate(sizes)}
    numeric = {name for at, name in enumerate(names) if name != classes and all(numbers[at] for _, _, numbers in sizes)}
    wanted = Wanted(names, unused, [classes], classes, key, keys, numeric)

    def spread(piece: Any) -> Iterator[Any]:
        for at, column in enumerate(piece[2]):
            yield (at, places[piece[0]]), column

    def merge(at: int, columns: Iterator[Any]) -> Iterator[Any]:
        return _merged(names[at], at, columns, wanted)

    columns = (
        pieces.flatMap(spread)
        .repartitionAndSortWithinPartitions(max(len(names), 1), lambda one: one[0])
        .mapPartitionsWithIndex(merge)
        .persist(DISK)
    )
    heads = {one[1]: one[3] for one in columns.filter(lambda one: one[0] == HEAD).collect()}
    pieces.unpersist()
    for head in heads.values():
        refused = head["refused"]
        if refused:
            raise UnusableDataError(refused)

    def held(at: int, kind: int, head: dict[str, Any]) -> Any:
        wants = columns.filter(lambda one: one[0] == kind and one[1] == at).map(lambda one: one[3])
        return None if head["dropped"] else Held(names[at], head, wants.collect)

    texts_of = {name: held(at, VALUES, heads[at]) for at, name in enumerate(names) if at in heads}
    by_key = {
        name: held(at, KEYS, heads[at]["keys"]) for at, name in enumerate(names) if at in heads and heads[at]["keys"]
    }
    found = {name: by_key.get(name, texts_of.get(name)) for name in kept}
    engine = Engine(columns, names, len(sizes))
    records = Records(*map(int, first)) if first else None
    return Source(found, [rows for _, rows, _ in sizes], fingerprint(found), records, texts_of.get(key or ""), engine)


def _merged(name: str, at: int, columns: Iterator[Any], wanted: Wanted) -> Iterator[Any]:
    """A column's pieces, put together: what is known of it, then its values and its keys."""
    merged = Merged(name, wanted, Spill(tempfile.gettempdir()))
    refused = None
    try:
        for _, (words, codes) in columns:
            numbers = plain_numbers(words)[codes] if name in wanted.numeric else None
            merged.append((words, codes) if numbers is None else numbers)
    except UnusableDataError as problem:
        refused = str(problem)
    column, keys = merged.column, merged.keys
    head = {**_head(name, column), "refused": refused, "keys": _head(name, keys) if keys else None}
    yield HEAD, at, -1, head
    for kind, one in ((VALUES, column), (KEYS, keys)):
        for place in range(len(one.blocks) if one else 0):
            yield kind, at, place, one.piece(place)


def _head(name: str, column: Column | None) -> dict[str, Any]:
    if column is None:
        return {"name": name, "dropped": True, "words": None, "dtype": None, "problem": None, "fingerprint": None}
    found = {"words": column.words, "dtype": column.dtype, "problem": column.problem}
    return {"name": name, "dropped": False, **found, "fingerprint": column.fingerprint()}
