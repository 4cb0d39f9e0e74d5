"""A table's columns on the job's disk, in pieces of some thousand rows each.

What is computed from them takes the memory of a few pieces, however many rows there are. Where nothing stands a number is
nan, a code -1 and a key `NO_KEY`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Iterator, TypeVar

import numpy
import plain
from encoding import pyarrow

NO_KEY = numpy.iinfo(numpy.int64).min
# Numbers that are held at once to find the median or to count the different ones among them.
MOST_HELD = 1 << 21

Item, Result = TypeVar("Item"), TypeVar("Result")


class Spill:
    """A file of arrays that goes with the process, however that ends."""

    def __init__(self, folder: str):
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # open as long as the job runs
        self._end = 0

    def put(self, values: numpy.ndarray) -> int:
        """Appends a column's piece. Returns where it lies. One thread at a time."""
        begin = self._end
        rest = memoryview(numpy.ascontiguousarray(values)).cast("B")
        while len(rest):
            rest = rest[self._file.write(rest) :]
        self._end += values.nbytes
        return begin

    def get(self, begin: int, rows: int, dtype: Any) -> numpy.ndarray:
        """The piece of `rows` values at `begin`, read anew: mapped memory would count as the job's."""
        return numpy.frombuffer(os.pread(self._file.fileno(), rows * numpy.dtype(dtype).itemsize, begin), dtype)


@dataclass
class Column:
    """A column in pieces: float64 numbers (infinities included), int32 places among `words`, or int64 keys.

    `words` are the distinct texts in the order in which they come; None for numbers and keys. `problem` says why keys
    could not be made; None if they were.
    """

    spill: Spill
    dtype: Any
    words: list[str] | None = None
    problem: str | None = None
    name: str = ""
    blocks: list[tuple[int, int, Any]] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)

    def append(self, values: numpy.ndarray) -> None:
        """The next piece."""
        values = numpy.ascontiguousarray(values, self.dtype)
        self.digest.update(values)
        stored = values if self.words is None else values.astype(numpy.min_scalar_type(-len(self.words) - 1))
        self.blocks.append((self.spill.put(stored), len(values), stored.dtype))

    def piece(self, place: int) -> numpy.ndarray:
        """The values of one piece."""
        begin, rows, stored = self.blocks[place]
        return self.spill.get(begin, rows, stored).astype(self.dtype, copy=False)

    def fingerprint(self) -> str:
        """SHA-256 of the values in their order, however they are cut into pieces."""
        return hashlib.sha256(f"{self.digest.hexdigest()} {json.dumps(self.words)}".encode()).hexdigest()

    def whole(self) -> numpy.ndarray:
        """All values at once."""
        pieces = [self.piece(place) for place in range(len(self.blocks))]
        return numpy.concatenate(pieces) if pieces else numpy.empty(0, self.dtype)

    def at(self, rows: numpy.ndarray) -> numpy.ndarray:
        """The values of some rows, in any order."""
        values = numpy.empty(len(rows), self.dtype)
        order = numpy.argsort(rows, kind="stable")
        ends = numpy.cumsum([count for _, count, _ in self.blocks])
        cuts = numpy.searchsorted(rows[order], [0, *ends])
        for place, begin in enumerate(cuts[:-1]):
            end = cuts[place + 1]
            if begin < end:
                first = ends[place] - self.blocks[place][1]
                values[order[begin:end]] = self.piece(place)[rows[order[begin:end]] - first]
        return values


def known_of(values: numpy.ndarray) -> numpy.ndarray:
    """The numbers among these, without nan."""
    missing = numpy.isnan(values)
    return values[~missing] if missing.any() else values


def rechunked(pieces: Iterable[numpy.ndarray], size: int) -> Iterator[numpy.ndarray]:
    """The same values in pieces of `size`, the last one of what is left: sums over them do not depend on how rows were read."""
    held, count = [], 0
    for values in pieces:
        while count + len(values) >= size:
            yield numpy.concatenate([*held, values[: size - count]])
            values, held, count = values[size - count :], [], 0  # noqa: PLW2901  # what is left of the piece
        if len(values):
            held, count = [*held, values], count + len(values)
    if held:
        yield numpy.concatenate(held)


def in_turn(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`function` of each item, in their order, on all cores. Only as many items are taken as cores can work on."""
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Threads:
    """The engine that computes from columns on this machine's disk. Another one has the same two functions."""

    by_column = staticmethod(in_turn)
    by_piece = staticmethod(in_turn)


def median(pieces: Callable[[], Iterable[numpy.ndarray]], count: int) -> float:
    """The exact median of `count` finite numbers, which `pieces` gives again at each call.

    More than `MOST_HELD` are not held: histograms of ever finer ranges find the one in the middle.
    """
    if count <= MOST_HELD:
        held = numpy.partition(numpy.concatenate([*pieces()]), ((count - 1) // 2, count // 2))
        return _mean(float(held[(count - 1) // 2]), float(held[count // 2]))
    lower = upper = _ranked(pieces, (count - 1) // 2)
    if count % 2 == 0:
        below = sum(int((values <= lower).sum()) for values in pieces())
        if below <= count // 2:
            upper = min(float(values[values > lower].min()) for values in pieces() if (values > lower).any())
    return _mean(lower, upper)


def _mean(lower: float, upper: float) -> float:
    middle = (lower + upper) / 2
    # Halved first where the sum leaves the range of a double, and nowhere else: halves of tiny numbers are not exact.
    return middle if math.isfinite(middle) else lower / 2 + upper / 2


def _ranked(pieces: Callable[[], Iterable[numpy.ndarray]], rank: int) -> float:
    """The number that `rank` others stand before in sorted order."""
    prefix, bits = 0, 0  # the numbers looked at: those whose first bits are `prefix`, in an order of their own
    while True:
        counts = numpy.zeros(1 << 16, numpy.int64)
        for keys in _keys(pieces, prefix, bits):
            places = (keys >> numpy.uint64(48 - bits)) & numpy.uint64(0xFFFF)
            counts += numpy.bincount(places.astype(numpy.int64), minlength=1 << 16)
        place = int(numpy.searchsorted(numpy.cumsum(counts), rank, side="right"))
        rank -= int(counts[:place].sum())
        prefix, bits = (prefix << 16) | place, bits + 16
        if bits == 64:
            return float(_numbers(numpy.array([prefix], numpy.uint64))[0])
        if counts[place] <= MOST_HELD:
            held = numpy.concatenate([*_keys(pieces, prefix, bits)])
            return float(_numbers(numpy.partition(held, rank)[rank : rank + 1])[0])


_SIGN = numpy.uint64(1 << 63)


def _keys(pieces: Callable[[], Iterable[numpy.ndarray]], prefix: int, bits: int) -> Iterator[numpy.ndarray]:
    """Numbers as uint64 in the same order, those alone that begin with `prefix`."""
    for values in pieces():
        plain = (values + 0.0).view(numpy.uint64)  # without a negative zero
        keys = numpy.where(plain & _SIGN, ~plain, plain | _SIGN)
        yield keys[keys >> numpy.uint64(64 - bits) == numpy.uint64(prefix)] if bits else keys


def _numbers(keys: numpy.ndarray) -> numpy.ndarray:
    return numpy.where(keys & _SIGN, keys ^ _SIGN, ~keys).view(numpy.float64)


def count_distinct(pieces: Callable[[], Iterable[numpy.ndarray]], rows: int) -> int:
    """How many different numbers there are, nan aside, among `rows` that `pieces` gives again at each call."""
    found = _distinct(pieces())
    if found is not None:
        return found
    # Too many to hold: those with one share of all hashes after those with another.
    shares = numpy.uint64(rows // MOST_HELD + 1)
    total = 0
    for share in range(int(shares)):
        total += _distinct((values[_mixed(values) % shares == share] for values in pieces()), bounded=False) or 0
    return total


def _distinct(pieces: Iterable[numpy.ndarray], bounded: bool = True) -> int | None:
    """The count of different numbers; None if there are more than may be held."""
    if pyarrow is None:
        return plain.count_distinct(pieces, MOST_HELD if bounded else math.inf)
    seen = pyarrow.array([], pyarrow.float64())
    waiting: list[Any] = []
    for values in pieces:
        # + 0.0: without a negative zero
        waiting.append(pyarrow.compute.unique(pyarrow.array(values + 0.0, from_pandas=True)))
        if sum(map(len, waiting)) > max(len(seen), 1 << 16):
            seen, waiting = pyarrow.compute.unique(pyarrow.concat_arrays([seen, *waiting])), []
            if bounded and len(seen) > MOST_HELD:
                return None
    return pyarrow.compute.count_distinct(pyarrow.concat_arrays([seen, *waiting])).as_py()


def _mixed(values: numpy.ndarray) -> numpy.ndarray:
    """A number for each value, spread evenly; alike for 0.0 and -0.0."""
    bits = (values + 0.0).view(numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
    return bits >> numpy.uint64(32)
