"""What the processing job leaves: encoded tables, raw test rows, and the preprocess container's archive."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tarfile
import time
from contextlib import ExitStack
from typing import Any, BinaryIO, Sequence

import encoding
import numpy
import plain
from fitting import Feature
from lines import Cell, Lines
from splitting import TEST, TRAIN, VALIDATION, Roles
from weights import Weights

CONTAINER_FILES = ("encoding.py", "inference.py", "names.py", "reading.py", "request.py", "words.py")


def write_tables(
    folder: str,
    features: Sequence[Feature],
    unused: Sequence[Feature],
    target: str,
    targets: numpy.ndarray,
    labels: list[str],
    roles: Roles,
    weights: Weights | None = None,
    test_parts: int = 1,
) -> None:
    """Writes the encoded tables and the raw test rows under `folder`, in the places that preprocess.py names.

    `unused` are columns of the raw test rows alone. `targets` are those of all rows that have one: codes of `labels`, or
    numbers if there are no labels. `weights` are a column of what Autopilot reads, not of the test rows.
    """
    tables = {TRAIN: "train", TEST: "test", **({VALIDATION: "validation"} if roles.validating else {})}
    weigh = {role: weights if role != TEST else None for role in tables}
    encoded = {role: _encoded_rows(features, target, labels, weigh[role], roles) for role in tables}
    tested_rows = _raw_rows([*features, *unused], roles)

    def piece(place: int) -> tuple[dict[int, bytes | memoryview], bytes | memoryview, int]:
        """What a piece adds to each table, and to the raw test rows, and how many of these."""
        of, first = roles.of(place), roles.first_used(place)
        raw = [feature.raw(place) for feature in features]
        texts = {}
        for role in tables:
            rows, used = roles.rows(place, role), first + numpy.flatnonzero(of[roles.used(place)] == role)
            columns = [feature.filled(values[rows]) for feature, values in zip(features, raw)]
            weighed = weigh[role]
            columns += [weighed.values[used]] if weighed else []
            texts[role] = encoded[role].text([*columns, targets[used]])
        rows = roles.rows(place, TEST)
        raw += [feature.raw(place) for feature in unused]
        return texts, tested_rows.text([values[rows] for values in raw]), len(rows)

    with ExitStack() as files:

        def opened(name: str, file: str) -> BinaryIO:
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            return files.enter_context(open(os.path.join(folder, name, file), "wb"))

        out = {role: opened(name, f"{name}.csv") for role, name in tables.items()}
        for role, file in out.items():
            file.write(_header(features, target, weigh[role]))
        tested = int(numpy.count_nonzero(roles.all == TEST))
        lines_out = _Parts([opened("evaluation_input", f"part-{part:05}.jsonl") for part in range(test_parts)], tested)
        for texts, lines, count in roles.by_piece(piece):
            for role, text in texts.items():
                out[role].write(text)
            lines_out.write(lines, count)
    progress(f"wrote {', '.join(f'{name}.csv' for name in tables.values())} and the test rows as JSON Lines")


def _header(features: Sequence[Feature], target: str, weights: Weights | None) -> bytes:
    names = [feature.specification["name"] for feature in features]
    names += [weights.column] if weights else []
    return (",".join(map(plain.quoted, [*names, target])) + "\n").encode()


def _encoded_rows(
    features: Sequence[Feature], target: str, labels: Sequence[str], weights: Weights | None, roles: Roles
) -> Lines:
    """Features in their order, then the weight, if any, and the target, as CSV."""
    cells = []
    for feature in features:
        before = "," if cells else ""
        if feature.is_number:
            cells.append(Cell(before, distinct=feature.distinct + 1))  # and the median
        else:
            codes = [*map(str, feature.table.tolist())]
            cells.append(Cell(before, codes[:-1], codes[-1] if feature.missing else None))
    cells += [Cell(",")] if weights else []
    cells.append(Cell(",", [*map(plain.quoted, labels)] if labels else None))
    return Lines(cells, "\n", len(roles.all))


def _raw_rows(features: Sequence[Feature], roles: Roles) -> Lines:
    """Raw rows as a client would send them: one JSON object a line."""
    cells = []
    for feature in features:
        before = f"{', ' if cells else '{'}{_json(feature.specification['name'])}: "
        if feature.is_number:
            cells.append(Cell(before, distinct=feature.distinct))
        else:
            words = [*map(_json, feature.column.words or [])]
            cells.append(Cell(before, words, "null" if feature.missing else None))
    return Lines(cells, "}\n", numpy.count_nonzero(roles.all == TEST))


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def write_artifacts(folder: str, specification: dict[str, Any], distributions: dict[str, Any]) -> None:
    """Writes preprocessing.json, distributions.json and the preprocess container under `folder`.

    The container has preprocessing.json without `data_note`: what is said of the rows names the previous run, and equal
    encodings are to give the same archive, byte for byte.
    """
    artifacts = os.path.join(folder, "preprocessing")
    os.makedirs(artifacts, exist_ok=True)
    with open(os.path.join(artifacts, "preprocessing.json"), "w", encoding="utf-8") as file:
        json.dump(specification, file, indent=1, ensure_ascii=False)
    with open(os.path.join(artifacts, "distributions.json"), "w", encoding="utf-8") as file:
        json.dump(distributions, file, indent=1, ensure_ascii=False)
    code = os.path.dirname(os.path.abspath(encoding.__file__))
    encodes = {name: value for name, value in specification.items() if name != "data_note"}
    content = json.dumps(encodes, indent=1, ensure_ascii=False).encode()
    write_model_archive(os.path.join(artifacts, "model.tar.gz"), content, code)
    progress("wrote the preprocess container")


class _Parts:
    """Files that share lines evenly, the first ones in the first file."""

    def __init__(self, files: Sequence[BinaryIO], lines: int):
        """`lines`: how many there will be in all."""
        self._files, self._written = files, 0
        self._ends = [(place + 1) * lines // len(files) for place in range(len(files))]

    def write(self, lines: bytes | memoryview, count: int) -> None:
        """Writes `count` whole lines, of which each ends in a line break."""
        begin = 0
        for file, end in zip(self._files, self._ends):
            most = end - self._written
            if count <= most:
                file.write(lines[begin:])
                self._written += count
                return
            if most > 0:
                stop = _line_end(lines, begin, most)
                file.write(lines[begin:stop])
                self._written, count, begin = end, count - most, stop


def _line_end(lines: bytes | memoryview, begin: int, count: int) -> int:
    """Where the line behind the first `count` lines from `begin` on begins."""
    breaks = numpy.flatnonzero(numpy.frombuffer(lines, numpy.uint8)[begin:] == ord("\n"))
    return begin + int(breaks[count - 1]) + 1


def write_model_archive(path: str, specification: bytes, code_folder: str) -> None:
    """model.tar.gz of the preprocess container, the same bytes for the same content."""
    members = {"preprocessing.json": specification}
    for name in CONTAINER_FILES:
        with open(os.path.join(code_folder, name), "rb") as file:
            members[f"code/{name}"] = file.read()
    with (
        open(path, "wb") as out,
        gzip.GzipFile("", "wb", 9, out, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(members):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(members[name]), 0o644
            archive.addfile(entry, io.BytesIO(members[name]))


def progress(text: str) -> None:
    """One line in the job's log."""
    # One write a line: several threads report their progress.
    sys.stdout.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}\n")
    sys.stdout.flush()
