"""The processing job: raw customers in, training and test rows out, and the preprocess container that encodes alike.

Reads the CSV files under `processing/input/raw`, writes under `processing/output`

- `train/train.csv`, `test/test.csv`: encoded features in the model's order, then the target; 80/20, stratified
- `evaluation_input/test.jsonl`: the test rows as a client would send them, one JSON object a line
- `preprocessing/preprocessing.json`, `preprocessing/model.tar.gz`: how to encode, and the container that does it

Medians and categories are taken from the training rows alone, so that the test tells about customers never seen.
Data that cannot be trained on ends the job with one sentence in `output/message`, which SageMaker shows as the job's
ExitMessage; nothing is written then.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Sequence

import encoding
import numpy
import pyarrow
import pyarrow.compute
import pyarrow.csv
from encoding import CATEGORICAL, FORMAT, NUMERIC, UNKNOWN, Encoder, distinct, finite, number, numbers_of
from sklearn.model_selection import train_test_split

# SageMaker mounts everything under /opt/ml; another root is for running the job elsewhere.
ROOT = os.environ.get("OPT_ML", "/opt/ml")
STORE_COLUMNS = ("customer_id", "event_time", "write_time", "api_invocation_time", "is_deleted")
BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
TEST_SHARE = 0.2
# Autopilot refuses to train on fewer rows than this.
LEAST_TRAINING_ROWS = 500
MESSAGE_BYTES = 1024
CONTAINER_FILES = ("encoding.py", "inference.py")


class UnusableData(Exception):
    """The data cannot be trained on; the message names the column and the remedy."""


@dataclass
class Source:
    """The raw rows: one pyarrow column of texts (dictionary-coded) or float64 a name, in the source's order."""

    columns: dict[str, Any]
    rows: int
    fingerprint: str


# -- reading


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


# -- target and split


def read_target(source: Source, target: str, problem_type: str) -> tuple[numpy.ndarray, numpy.ndarray, list[str]]:
    """Rows that have a target, their targets (codes of `labels`, or float64 for regression), and the sorted labels."""
    words, codes = distinct(source.columns[target])
    if not words:
        raise UnusableData(f"Target column {target!r} is empty in all {source.rows} rows; choose another target.")
    if problem_type == REGRESSION:
        values, bad = numbers_of(words, codes)
        if bad is not None:
            raise UnusableData(
                f"Target column {target!r} must be numeric for Regression, and holds {words[codes[bad]][:40]!r}; "
                "set problem_type to a classification or mend the data."
            )
        rows = numpy.flatnonzero(~numpy.isnan(values))
        return rows, values[rows], []
    rows = numpy.flatnonzero(codes >= 0)
    labels = sorted(words)
    place = {label: code for code, label in enumerate(labels)}
    return rows, numpy.array([place[word] for word in words])[codes[rows]], labels


def check_trainable(targets: numpy.ndarray, labels: list[str], rows: int, target: str, problem_type: str) -> None:
    """Raises UnusableData if Autopilot could not train on 80 % of these rows, or the rest could not test it."""
    least = int(numpy.ceil(LEAST_TRAINING_ROWS / (1 - TEST_SHARE)))
    if len(targets) < least:
        lost = f" ({rows - len(targets)} more have no target)" if len(targets) < rows else ""
        raise UnusableData(
            f"There are {len(targets)} rows with a target{lost} and at least {least} are needed: Autopilot trains on "
            f"{LEAST_TRAINING_ROWS} or more, and a fifth is kept for the test. Widen the range of customers."
        )
    if problem_type == REGRESSION:
        return
    counts = numpy.bincount(targets, minlength=len(labels))
    if len(labels) == 1:
        raise UnusableData(
            f"Target column {target!r} has one class only ({labels[0]!r}); there is nothing to learn. "
            "Widen the range of customers or choose another target."
        )
    if problem_type == BINARY and len(labels) > 2:
        shown = ", ".join(repr(label[:40]) for label in labels[:5]) + (", ..." if len(labels) > 5 else "")
        raise UnusableData(
            f"Target column {target!r} has {len(labels)} classes ({shown}) and BinaryClassification takes 2; "
            "set problem_type to MulticlassClassification or mend the data."
        )
    if counts.min() < 5:
        label = labels[int(counts.argmin())]
        raise UnusableData(
            f"Class {label[:40]!r} of target column {target!r} has {counts.min()} row(s), and 5 are needed to be in "
            "training and test. Add rows of it, merge it with another class, or leave its rows out."
        )


def split(targets: numpy.ndarray, problem_type: str, seed: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Places of the training and of the test rows, each in the source's order, stratified where there are classes."""
    train, test = train_test_split(
        numpy.arange(len(targets)),
        test_size=TEST_SHARE,
        random_state=seed,
        stratify=None if problem_type == REGRESSION else targets,
    )
    return numpy.sort(train), numpy.sort(test)


# -- features


@dataclass
class Feature:
    """One encoded column, float64 or int64, with how it was encoded and its raw values as a client would send them.

    `raw` is float64 with nan for missing, or distinct texts and each row's place among them (-1 for missing).
    """

    specification: dict[str, Any]
    values: numpy.ndarray
    raw: numpy.ndarray | tuple[list[str], numpy.ndarray]


def fit(name: str, column: Any, rows: numpy.ndarray | None, train: numpy.ndarray) -> Feature | None:
    """Learns a column from its training rows and encodes all; None if those have no value at all.

    `rows` are the source's rows to use (None for all), `train` places among them.
    """
    words, codes = [], numpy.empty(0)
    if pyarrow.types.is_floating(column.type):
        values, bad = finite(column.to_numpy()), None
    else:
        words, codes = distinct(column)
        # Whether a column is numeric is a question of all its values, which is not learning from the test rows.
        values, bad = numbers_of(words, codes)
    if bad is None:
        values = values if rows is None else values[rows]
        known = values[train]
        known = known[~numpy.isnan(known)]
        if len(known) == 0:
            return None
        median = float(numpy.median(known))
        specification = {"name": name, "kind": NUMERIC, "median": median}
        return Feature(specification, numpy.where(numpy.isnan(values), median, values), values)
    codes = codes if rows is None else codes[rows]
    seen = numpy.bincount(codes[train] + 1, minlength=len(words) + 1) > 0
    found = {word for word, there in zip(words, seen[1:]) if there}
    if not found:
        return None
    categories = sorted(found | {UNKNOWN} if seen[0] else found)
    place = {category: code for code, category in enumerate(categories)}
    # One entry a distinct value, and at the end (where -1 points) the one for missing.
    table = numpy.array([place.get(word, len(categories)) for word in [*words, UNKNOWN]], dtype=numpy.int64)
    return Feature({"name": name, "kind": CATEGORICAL, "categories": categories}, table[codes], (words, codes))


# -- writing


def _write_csv(path: str, features: Sequence[Feature], rows: numpy.ndarray, target: str, targets: Any) -> None:
    arrays = []
    for feature in features:
        values = feature.values[rows]
        arrays.append(pyarrow.array(values))
    table = pyarrow.table([*arrays, targets], names=[*(f.specification["name"] for f in features), target])
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


# -- the job


def run(root: str, target: str, problem_type: str, ignored: Sequence[str], seed: int) -> dict[str, Any]:
    """The whole job. Returns preprocessing.json's content. Raises UnusableData before anything is written."""
    ignored = [name for name in dict.fromkeys([*STORE_COLUMNS, *ignored]) if name != target]
    source = read_source(os.path.join(root, "processing/input/raw"), ignored)
    if target not in source.columns:
        raise UnusableData(
            f"Target column {target!r} is not in the data, which has: {', '.join(source.columns)[:600]}. "
            "Set target_attribute_name to one of them."
        )
    if source.rows == 0:
        raise UnusableData(
            "The feature group has no rows in the chosen range of customers; check customer_id_start and customer_id_end."
        )
    progress(f"{source.rows} rows with {len(source.columns)} columns")
    rows, targets, labels = read_target(source, target, problem_type)
    check_trainable(targets, labels, source.rows, target, problem_type)
    train, test = split(targets, problem_type, seed)
    progress(f"{len(train)} rows to train on, {len(test)} to test on")

    kept = None if len(rows) == source.rows else rows
    names = [name for name, column in source.columns.items() if column is not None and name != target]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        fitted = list(threads.map(lambda name: fit(name, source.columns[name], kept, train), names))
    features = [feature for feature in fitted if feature is not None]
    empty = [name for name, feature in zip(names, fitted) if feature is None]
    if not features:
        raise UnusableData(
            "No column besides ids, metadata and the target holds any value; there is nothing to learn from."
        )
    if empty:
        progress("left out, as they hold no value: " + ", ".join(empty))

    specification = {
        "format": FORMAT,
        "target": target,
        "problem_type": problem_type,
        "labels": labels,
        "features": [feature.specification for feature in features],
        "unseen_category_code": "the number of a feature's categories",
        "columns": list(source.columns),
        "dropped_columns": {
            "ids_and_metadata": [name for name, column in source.columns.items() if column is None],
            "without_values": empty,
        },
        "rows": {
            "source": source.rows,
            "without_target": source.rows - len(rows),
            "train": len(train),
            "test": len(test),
        },
        "test_share": TEST_SHARE,
        "seed": seed,
        "data_sha256": source.fingerprint,
    }
    Encoder(specification)  # what serving would refuse must not leave this job
    _write_outputs(os.path.join(root, "processing/output"), specification, features, targets, labels, train, test)
    return specification


def _write_outputs(
    folder: str,
    specification: dict[str, Any],
    features: Sequence[Feature],
    targets: numpy.ndarray,
    labels: list[str],
    train: numpy.ndarray,
    test: numpy.ndarray,
) -> None:
    target = specification["target"]

    def table(name: str, rows: numpy.ndarray) -> None:
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        chosen = targets[rows]
        column = pyarrow.array(labels).take(pyarrow.array(chosen)) if labels else pyarrow.array(chosen)
        _write_csv(os.path.join(folder, name, f"{name}.csv"), features, rows, target, column)
        progress(f"wrote {name}.csv")

    def raw_rows() -> None:
        os.makedirs(os.path.join(folder, "evaluation_input"), exist_ok=True)
        _write_json_lines(os.path.join(folder, "evaluation_input", "test.jsonl"), features, test)
        progress("wrote test.jsonl")

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for written in [
            threads.submit(table, "train", train),
            threads.submit(raw_rows),
            threads.submit(table, "test", test),
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


def progress(text: str) -> None:
    """One line in the job's log."""
    # One write a line: several threads tell their progress.
    sys.stdout.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Prepare training and test data for Autopilot.")
    parser.add_argument("--target", required=True)
    parser.add_argument("--problem-type", required=True, choices=[BINARY, MULTICLASS, REGRESSION])
    parser.add_argument("--drop-columns", default="", help="comma-separated, besides the feature store's own")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--root", default=ROOT, help="where SageMaker mounts everything")
    options = parser.parse_args(arguments)
    ignored = [name for name in options.drop_columns.split(",") if name]
    try:
        run(options.root, options.target, options.problem_type, ignored, options.seed)
    except UnusableData as problem:
        message = str(problem).encode()[:MESSAGE_BYTES].decode(errors="ignore")
        os.makedirs(os.path.join(options.root, "output"), exist_ok=True)
        with open(os.path.join(options.root, "output/message"), "w", encoding="utf-8") as file:
            file.write(message)
        print(message, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
