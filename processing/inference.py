"""The preprocess container: raw rows in, encoded rows out, for the model behind it in the inference pipeline.

Runs in SageMaker's scikit-learn container, on the endpoint and in batch transform. It takes

- `text/csv`, with or without a header. With one, columns may come in any order; those that the model does not know
  (ids, metadata, the target) are ignored, and those left out count as missing values. Without one, a row holds the
  features in the model's order, or the columns of the feature group in theirs, ids and target included.
- `application/json`: an object, a list of objects, a list of lists (in the features' order), or any of these under `instances`
- `application/jsonlines`: one object or list a line

and answers with CSV lines without a header, one for each row, in the rows' order. A request it cannot read is answered
with status 400 and one sentence.
"""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any, Iterator, Sequence

import pyarrow
import pyarrow.csv
from encoding import Encoder, NotANumber

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = ("application/jsonlines", "application/x-jsonlines", "application/jsonl")
# Below this number of bytes Python's own loop is faster than setting up columns.
COLUMNAR_FROM_BYTES = 16 * 1024


class BadRequest(ValueError):
    """The request cannot be read; the message is one sentence for the client."""


# -- what SageMaker's container calls


def model_fn(model_dir: str) -> Encoder:
    """The encoder in the model's archive."""
    return Encoder.load(os.path.join(model_dir, "preprocessing.json"))


def input_fn(body: bytes | str, content_type: str | None) -> tuple[bytes, str]:
    """The request as it came; it is read in `predict_fn`, which knows the features."""
    return (body.encode() if isinstance(body, str) else bytes(body)), content_type or CSV


def predict_fn(request: tuple[bytes, str], encoder: Encoder) -> Any:
    """The encoded rows as CSV (bytes), or the response with status 400 for a request that cannot be read."""
    try:
        return encode(encoder, *request)
    except BadRequest as problem:
        return _refusal(str(problem))


def output_fn(result: Any, accept: str | None) -> Any:
    """CSV, whatever the client accepts: the next container, not the client, reads it. A refusal goes out as it is."""
    return (result, CSV) if isinstance(result, bytes) else result


def _refusal(sentence: str) -> Any:
    # The toolkit wraps every exception of these functions and answers 500 (sagemaker-containers, _functions.py,
    # error_wrapper): only a returned response keeps its status. The container serves with Flask, hence Werkzeug.
    from werkzeug.wrappers import Response

    return Response(sentence, status=400, mimetype="text/plain")


# -- reading a request


def encode(encoder: Encoder, body: bytes, content_type: str) -> bytes:
    """Encoded CSV lines for the rows in `body`. Raises BadRequest with one sentence."""
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    if kind not in (CSV, JSON, *JSON_LINES):
        raise BadRequest(f"Content type {kind[:60]!r} is not supported; send {CSV}, {JSON} or {JSON_LINES[0]}.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"The request is not UTF-8: byte {error.start} cannot be read.") from None
    if not text.strip():
        raise BadRequest("The request holds no row.")
    try:
        if kind == CSV:
            return _encode_csv(encoder, text, body)
        rows = _json_rows(encoder, text) if kind == JSON else _json_line_rows(encoder, text)
        return _join(encoder.row(row, index) for index, row in enumerate(rows))
    except NotANumber as problem:
        raise BadRequest(str(problem)) from None


def _join(lines: Iterator[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _encode_csv(encoder: Encoder, text: str, body: bytes) -> bytes:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        first = next(row for row in reader if row)
        header = _is_header(encoder, first)
        width = len(first)
        places = _named_places(encoder, first) if header else _unnamed_places(encoder, width)
        if len(body) >= COLUMNAR_FROM_BYTES:
            encoded = _encode_csv_columns(encoder, body, header, width, places)
            if encoded is not None:
                return encoded
        rows = (row for row in reader if row) if header else _chain(first, reader)
        lines = []
        for index, row in enumerate(rows):
            if len(row) != width:
                raise BadRequest(_wrong_width(header, width, len(row), index))
            lines.append(encoder.row([row[place] if place is not None else None for place in places], index))
    except csv.Error as error:
        raise BadRequest(f"The CSV cannot be read at line {reader.line_num}: {error}.") from None
    except StopIteration:
        raise BadRequest("The request holds no row.") from None
    if not lines:
        raise BadRequest("The request holds a header and no row.")
    return _join(iter(lines))


def _chain(first: list[str], reader: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    for row in reader:
        if row:
            yield row


def _encode_csv_columns(
    encoder: Encoder, body: bytes, header: bool, width: int, places: Sequence[int | None]
) -> bytes | None:
    """Many rows at once; None where only reading row by row can say what is wrong."""
    names = [str(place) for place in range(width)]
    try:
        table = pyarrow.csv.read_csv(
            pyarrow.py_buffer(body[3:] if body.startswith(b"\xef\xbb\xbf") else body),
            # One block: a request is 6 MB at most, and a value may hold line breaks.
            read_options=pyarrow.csv.ReadOptions(
                column_names=names, skip_rows_after_names=0, use_threads=False, block_size=len(body) + 1
            ),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pyarrow.string() for name in names}, strings_can_be_null=False
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    if header:
        table = table.slice(1)
    if table.num_rows == 0:
        return None
    absent = pyarrow.nulls(table.num_rows, pyarrow.string())
    columns = [absent if place is None else table.column(place) for place in places]
    encoded = encoder.columns(columns)
    out = io.BytesIO()
    pyarrow.csv.write_csv(
        pyarrow.table(encoded, names=[str(i) for i in range(len(encoded))]),
        out,
        pyarrow.csv.WriteOptions(include_header=False),
    )
    return out.getvalue()


def _fold(name: Any) -> str:
    return str(name).strip().lower()


def _is_header(encoder: Encoder, fields: Sequence[str]) -> bool:
    """Whether a CSV's first row names columns: at least half of its fields are names this model knows."""
    known = {_fold(name) for name in _known_columns(encoder)}
    return 2 * sum(_fold(field) in known for field in fields) >= len(fields)


def _known_columns(encoder: Encoder) -> Sequence[str]:
    """The columns of the training data, in their order: features, ids, metadata and target."""
    return encoder.specification["columns"]


def _named_places(encoder: Encoder, names: Sequence[str]) -> list[int | None]:
    """For each feature its column in a row with these names, None where it was left out."""
    exact: dict[str, int] = {}
    folded: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in exact:
            raise BadRequest(f"Column {name[:60]!r} is there twice.")
        exact[name] = place
        folded.setdefault(_fold(name), place)
    places = [exact.get(name, folded.get(_fold(name))) for name in encoder.names]
    missing = [name for name, place in zip(encoder.names, places) if place is None]
    # A left-out column is a missing value, as in training; but a request about something else is not to be answered.
    if 2 * len(missing) > len(encoder.names):
        raise BadRequest(
            f"{len(missing)} of the model's {len(encoder.names)} features are missing: {', '.join(missing)}."
        )
    return places


def _unnamed_places(encoder: Encoder, width: int) -> list[int | None]:
    columns = _known_columns(encoder)
    if width == len(encoder.names):
        return list(range(width))
    if width == len(columns):
        place_of = {name: place for place, name in enumerate(columns)}
        return [place_of[name] for name in encoder.names]
    raise BadRequest(
        f"The first row has {width} values and the model takes {len(encoder.names)}: {', '.join(encoder.names)}. "
        "Send them in this order, or with a header that names them."
    )


def _wrong_width(header: bool, expected: int, found: int, index: int) -> str:
    against = f"the header names {expected}" if header else f"the first row has {expected}"
    return f"Row {index + 1} has {found} values and {against}."


def _json_line_rows(encoder: Encoder, text: str) -> Iterator[list[str | None]]:
    index = 0
    for line_number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise BadRequest(f"Line {line_number} is not JSON: {error}.") from None
        yield _json_row(encoder, value, index)
        index += 1


def _json_rows(encoder: Encoder, text: str) -> Iterator[list[str | None]]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadRequest(f"The request is not JSON: {error}.") from None
    if isinstance(value, dict) and isinstance(value.get("instances"), list):
        value = value["instances"]
    if isinstance(value, dict) or (isinstance(value, list) and value and not isinstance(value[0], (dict, list))):
        value = [value]
    if not isinstance(value, list) or not value:
        raise BadRequest("The request holds no row; send an object, or a list of objects.")
    for index, row in enumerate(value):
        yield _json_row(encoder, row, index)


def _json_row(encoder: Encoder, row: Any, index: int) -> list[str | None]:
    if isinstance(row, dict):
        values = [row.get(name) for name in encoder.names]
        if any(name not in row for name in encoder.names):
            names = list(row)
            cells = list(row.values())
            values = [None if place is None else cells[place] for place in _named_places(encoder, names)]
    elif isinstance(row, list):
        values = [None if place is None else row[place] for place in _unnamed_places(encoder, len(row))]
    else:
        raise BadRequest(f"Row {index + 1} is neither an object nor a list.")
    return [_json_text(encoder.names[place], value, index) for place, value in enumerate(values)]


def _json_text(name: str, value: Any, index: int) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    raise BadRequest(f"{name!r} must be a text or a number, and is a {type(value).__name__} in row {index + 1}.")


__all__ = ["BadRequest", "encode", "input_fn", "model_fn", "output_fn", "predict_fn"]
