"""What the processing job leaves: encoded tables, raw test rows, and the preprocess container's archive."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Sequence

import encoding
import numpy
import pyarrow
import pyarrow.compute
import pyarrow.csv
from fitting import Feature
from splitting import Parts

CONTAINER_FILES = ("encoding.py", "inference.py", "names.py", "reading.py", "words.py")


def write_outputs(
    folder: str,
    specification: dict[str, Any],
    features: Sequence[Feature],
    unused: Sequence[Feature],
    targets: numpy.ndarray,
    labels: list[str],
    parts: Parts,
) -> None:
    """Writes everything under `folder`, in the places that preprocess.py names.

    `features` are encoded columns of all usable rows, `unused` those of the raw test rows alone, `targets` theirs (codes of `labels`, or numbers if there are no
    labels); `parts` are places among those rows.
    """
    target = specification["target"]

    def table(name: str, rows: numpy.ndarray) -> None:
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        chosen = targets[rows]
        column = pyarrow.array(labels).take(pyarrow.array(chosen)) if labels else pyarrow.array(chosen)
        _write_csv(os.path.join(folder, name, f"{name}.csv"), features, rows, target, column)
        progress(f"wrote {name}.csv")

    def raw_rows() -> None:
        os.makedirs(os.path.join(folder, "evaluation_input"), exist_ok=True)
        _write_json_lines(os.path.join(folder, "evaluation_input", "test.jsonl"), [*features, *unused], parts.test)
        progress("wrote test.jsonl")

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for written in [
            threads.submit(table, "train", parts.train),
            threads.submit(raw_rows),
            threads.submit(table, "test", parts.test),
            *([threads.submit(table, "validation", parts.validation)] if len(parts.validation) else []),
        ]:
            written.result()
    artifacts = os.path.join(folder, "preprocessing")
    os.makedirs(artifacts, exist_ok=True)
    content = json.dumps(specification, indent=1, ensure_ascii=False).encode()
    with open(os.path.join(artifacts, "preprocessing.json"), "wb") as file:
        file.write(content)
    code = os.path.dirname(os.path.abspath(encoding.__file__))
    write_model_archive(os.path.join(artifacts, "model.tar.gz"), content, code)
    progress("wrote the preprocess container")


def _write_csv(path: str, features: Sequence[Feature], rows: numpy.ndarray, target: str, targets: Any) -> None:
    """Features in their order, then the target; `targets` is a pyarrow array, one value for each of `rows`."""
    columns = [pyarrow.array(feature.values[rows]) for feature in features]
    table = pyarrow.table([*columns, targets], names=[*(f.specification["name"] for f in features), target])
    pyarrow.csv.write_csv(table, path)


def _raw_json(feature: Feature, rows: numpy.ndarray) -> pyarrow.Array:
    """A feature's raw values in these rows, each as JSON text."""
    if isinstance(feature.raw, numpy.ndarray):
        values = feature.raw[rows]
        return pyarrow.array(values, mask=numpy.isnan(values)).cast(pyarrow.string()).fill_null("null")
    words, codes = feature.raw
    texts = [json.dumps(word, ensure_ascii=False) for word in words]
    return pyarrow.array([*texts, "null"], pyarrow.string()).take(pyarrow.array(codes[rows] % (len(words) + 1)))


def _write_json_lines(path: str, features: Sequence[Feature], rows: numpy.ndarray) -> None:
    parts: list[Any] = []
    for feature in features:
        name = json.dumps(feature.specification["name"], ensure_ascii=False)
        parts += [("{" if not parts else ", ") + name + ": ", _raw_json(feature, rows)]
    lines = pyarrow.compute.binary_join_element_wise(*parts, "}\n", "")
    with open(path, "wb") as file:
        for chunk in lines.chunks if isinstance(lines, pyarrow.ChunkedArray) else [lines]:
            file.write(chunk.buffers()[2])  # the texts lie there one after the other


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
