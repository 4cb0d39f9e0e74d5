"""What the processing job leaves: encoded tables, raw test rows, and the preprocess container's archive."""

from __future__ import annotations

import gzip
import io
import itertools
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
from encoding import pyarrow
from fitting import Feature
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
    names = [feature.specification["name"] for feature in features]
    tables = {TRAIN: "train", TEST: "test", **({VALIDATION: "validation"} if roles.validating else {})}
    writer = _JsonLines([*features, *unused])

    def piece(place: int) -> tuple[dict[int, bytes | memoryview], bytes]:
        """What a piece adds to each table, and to the raw test rows."""
        of, first = roles.of(place), roles.first_used(place)
        used = roles.used(place)
        roles_used = of[used]
        goals = targets[first : first + len(roles_used)]
        raw = [feature.raw(place) for feature in features]
        texts = {}
        for role in tables:
            rows, places = numpy.flatnonzero(of == role), numpy.flatnonzero(roles_used == role)
            columns = [feature.encode(values[rows]) for feature, values in zip(features, raw)]
            header = [*names, target]
            if weights is not None and role != TEST:
                header.insert(-1, weights.column)
                columns.append(weights.values[first + places])
            texts[role] = _csv(columns, goals[places], labels, header, place == 0)
        tested = of == TEST
        raw += [feature.raw(place) for feature in unused]
        return texts, writer.lines([values[tested] for values in raw])

    with ExitStack() as files:

        def opened(name: str, file: str) -> BinaryIO:
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            return files.enter_context(open(os.path.join(folder, name, file), "wb"))

        out = {role: opened(name, f"{name}.csv") for role, name in tables.items()}
        tested = int(numpy.count_nonzero(roles.all == TEST))
        lines_out = _Parts([opened("evaluation_input", f"part-{part:05}.jsonl") for part in range(test_parts)], tested)
        for texts, lines in roles.by_piece(piece):
            for role, text in texts.items():
                out[role].write(text)
            lines_out.write(lines)
    progress(f"wrote {', '.join(f'{name}.csv' for name in tables.values())} and the test rows as JSON Lines")


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


def _csv(
    columns: Sequence[numpy.ndarray], targets: numpy.ndarray, labels: Sequence[str], names: Sequence[str], header: bool
) -> bytes | memoryview:
    """Features in their order, then the target, as CSV; `targets` are codes of `labels`, or numbers if there are none."""
    if pyarrow is None:
        goals = [labels[code] for code in targets.tolist()] if labels else targets
        return plain.csv(columns, goals, names if header else []).encode()
    goal = pyarrow.array(labels, pyarrow.string()).take(pyarrow.array(targets)) if labels else pyarrow.array(targets)
    table = pyarrow.table([*map(pyarrow.array, columns), goal], names=names)
    out = pyarrow.BufferOutputStream()
    pyarrow.csv.write_csv(table, out, pyarrow.csv.WriteOptions(include_header=header))
    return memoryview(out.getvalue())


class _Parts:
    """Files that share lines evenly, the first ones in the first file."""

    def __init__(self, files: Sequence[BinaryIO], lines: int):
        """`lines`: how many there will be in all."""
        self._files, self._written = files, 0
        self._ends = [(place + 1) * lines // len(files) for place in range(len(files))]

    def write(self, lines: bytes) -> None:
        """Writes whole lines, of which each ends in a line break."""
        breaks = numpy.flatnonzero(numpy.frombuffer(lines, numpy.uint8) == ord("\n"))
        begin = 0
        for file, end in zip(self._files, self._ends):
            count = min(end - self._written, len(breaks))
            if count > 0:
                stop = int(breaks[count - 1]) + 1
                file.write(lines[begin:stop])
                self._written, breaks, begin = self._written + count, breaks[count:], stop


def _json_numbers(values: numpy.ndarray) -> Any:
    if pyarrow is None:
        return plain.json_numbers(values)
    return pyarrow.array(values, mask=numpy.isnan(values)).cast(pyarrow.string()).fill_null("null")


class _JsonLines:
    """Raw rows as a client would send them: one JSON object a line."""

    def __init__(self, features: Sequence[Feature]):
        self._names = [json.dumps(feature.specification["name"], ensure_ascii=False) for feature in features]
        self._words: list[Any] = []
        for feature in features:
            words = feature.column.words
            texts = words if words is None else [*(json.dumps(word, ensure_ascii=False) for word in words), "null"]
            self._words.append(texts if texts is None or pyarrow is None else pyarrow.array(texts, pyarrow.string()))

    def lines(self, columns: Sequence[numpy.ndarray]) -> bytes:
        """`columns`: each feature's raw values in the same rows."""
        parts: list[Any] = []
        for name, words, values in zip(self._names, self._words, columns):
            parts += [("{" if not parts else ", ") + name + ": ", _json_texts(words, values)]
        if pyarrow is None:
            rows = zip(*(itertools.repeat(part) if isinstance(part, str) else part for part in parts))
            return "".join("".join(row) + "}\n" for row in rows).encode()
        joined = pyarrow.compute.binary_join_element_wise(*parts, "}\n", "")
        return joined.buffers()[2].to_pybytes() if len(joined) else b""  # the texts lie there one after the other


def _json_texts(words: Any, values: numpy.ndarray) -> Any:
    """Values as JSON: numbers, or places among `words`, which are JSON and have `null` at the end."""
    if words is None:
        return _json_numbers(values)
    places = values % len(words)
    return [words[place] for place in places.tolist()] if pyarrow is None else words.take(pyarrow.array(places))


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
