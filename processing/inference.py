"""The preprocess container: raw rows in, encoded rows out, for the model behind it in the inference pipeline.

Runs in SageMaker's scikit-learn container, on the endpoint and in batch transform. It takes

- `text/csv`, with or without a header. With one, columns may come in any order; those that the model does not know
  (ids, metadata, the target) are ignored, and those left out count as missing values. Names may be the feature group's
  or those of the table that it was made from (see `names`). Without one, a row holds the
  features in the model's order, or the columns of the feature group in theirs, ids and target included. Names distinguish
  a header from a row, unless the type says it: `text/csv; header=present` or `header=absent` (RFC 4180, section 3)
- `application/json`: an object, a list of objects, a list of lists (in the features' order), or any of these under `instances`
- `application/jsonlines`: one object or list a line

and answers with CSV lines without a header, one for each row, in the rows' order. A request it cannot read is answered
with status 400 and one sentence, which names the row: counted from 1, without the header.
"""

from __future__ import annotations

import codecs
import csv
import functools
import io
import json
import math
import os
from typing import Any, Iterator, Sequence

import numpy
import pyarrow
import pyarrow.csv
from encoding import Encoder, NotANumberError
from names import AmbiguousNameError
from reading import header_problem, reason
from words import number

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = ("application/jsonlines", "application/x-jsonlines", "application/jsonl")
# Below this number of bytes Python's own loop is faster than setting up columns.
COLUMNAR_FROM_BYTES = 16 * 1024
# A value may be as long as a request: 6 MB on an endpoint, 100 MB in batch transform.
csv.field_size_limit(100 * 1024 * 1024)


class BadRequestError(ValueError):
    """The request cannot be read; the message is one sentence for the client."""


# -- what SageMaker's container calls


def model_fn(model_dir: str) -> Encoder:
    """The encoder in the model's archive."""
    return Encoder.load(os.path.join(model_dir, "preprocessing.json"))


def input_fn(body: bytes | str, content_type: str | None) -> tuple[bytes, str]:
    """The request as it came; it is read in `predict_fn`, which knows the features."""
    if isinstance(body, str):
        # The toolkit decodes text/csv and application/json, with U+FFFD for what is not UTF-8. A table in another
        # encoding is to be refused, not answered as if its values were new. Types with a parameter come as they are.
        body = body.encode().replace("\ufffd".encode(), b"\xff")
    return bytes(body), content_type or CSV


def predict_fn(request: tuple[bytes, str], encoder: Encoder) -> Any:
    """The encoded rows as CSV (bytes), or the response with status 400 for a request that cannot be read."""
    try:
        return encode(encoder, *request)
    except BadRequestError as problem:
        return _refusal(str(problem))


def output_fn(result: Any, accept: str | None) -> Any:
    """CSV, whatever the client accepts: the next container, not the client, reads it. A refusal goes out as it is.

    The content type must be exactly `text/csv`: SageMaker hands it on as it is, Autopilot's program compares it with
    just that, and of a tuple the toolkit makes `text/csv; charset=utf-8` (Flask's `mimetype`).
    """
    if not isinstance(result, bytes):
        return result
    from werkzeug.wrappers import Response

    return Response(result, content_type=CSV)


def _refusal(sentence: str) -> Any:
    # The toolkit wraps every exception of these functions and answers 500 (sagemaker-containers, _functions.py,
    # error_wrapper): only a returned response keeps its status. The container serves with Flask, hence Werkzeug.
    from werkzeug.wrappers import Response

    return Response(sentence, status=400, mimetype="text/plain")


# -- reading a request


def encode(encoder: Encoder, body: bytes, content_type: str) -> bytes:
    """Encoded CSV lines for the rows in `body`. Raises BadRequestError with one sentence."""
    kind, *parameters = [part.strip().lower() for part in content_type.split(";")]
    if kind not in (CSV, JSON, *JSON_LINES):
        raise BadRequestError(f"Content type {kind[:60]!r} is not supported; send {CSV}, {JSON} or {JSON_LINES[0]}.")
    body = body[len(codecs.BOM_UTF8) :] if body.startswith(codecs.BOM_UTF8) else body
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequestError(f"The request is not UTF-8: byte {error.start} cannot be read.") from None
    if not text.strip():
        raise BadRequestError("The request holds no row.")
    try:
        if kind == CSV:
            said = [parameter == "header=present" for parameter in parameters if parameter.startswith("header=")]
            return _encode_csv(encoder, text, body, said[0] if said else None)
        rows = _json_rows(encoder, text) if kind == JSON else _json_line_rows(encoder, text)
        return _join(encoder.row(row, index) for index, row in enumerate(rows))
    except NotANumberError as problem:
        raise BadRequestError(str(problem)) from None


def _join(lines: Iterator[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _encode_csv(encoder: Encoder, text: str, body: bytes, header: bool | None) -> bytes:
    """`header`: whether the first row is one, None to see it from its names."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        first = next(row for row in reader if row)
        if header is None:
            header = _is_header(encoder, first)
        width = len(first)
        if width == 1 and header_problem(first[0], first, None) and len(encoder.names) > 1:
            raise BadRequestError(f"Line 1 {header_problem(first[0], first, None)}.")
        places = _named_places(encoder, tuple(first)) if header else _unnamed_places(encoder, width)
        if len(body) >= COLUMNAR_FROM_BYTES:
            encoded = _encode_csv_columns(encoder, body, header, width, places)
            if encoded is not None:
                return encoded
        rows = (row for row in reader if row) if header else _chain(first, reader)
        lines = []
        for index, row in enumerate(rows):
            if len(row) != width:
                raise BadRequestError(_wrong_width(header, width, len(row), index))
            lines.append(encoder.row([row[place] if place is not None else None for place in places], index))
    except csv.Error as error:
        raise BadRequestError(f"The CSV cannot be read at line {reader.line_num}: {reason(error)}.") from None
    except StopIteration:
        raise BadRequestError("The request holds no row.") from None
    if not lines:
        raise BadRequestError("The request holds a header and no row.")
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
    # Before Python 3.11 csv.reader refuses a NUL character: what few rows may not hold, many may not either.
    if b"\0" in body or not _quotes_enclose_values(body):
        return None
    names = [str(place) for place in range(width)]
    try:
        table = pyarrow.csv.read_csv(
            pyarrow.py_buffer(body),
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
    try:
        encoded = encoder.columns(columns)
    except NotANumberError:  # of several the first row is to be named, and not the first column
        return None
    out = io.BytesIO()
    pyarrow.csv.write_csv(
        pyarrow.table(encoded, names=[str(i) for i in range(len(encoded))]),
        out,
        pyarrow.csv.WriteOptions(include_header=False),
    )
    return out.getvalue()


def _quotes_enclose_values(body: bytes) -> bool:
    """Whether quotes stand only around whole values: of others pyarrow makes something, and csv.reader an error."""
    content = numpy.frombuffer(b"\n" + body + b"\n", numpy.uint8)
    quotes = numpy.flatnonzero(content == ord('"'))
    if len(quotes) == 0:
        return True
    # Inside a value a quote is doubled: the one ends a quoted part and the other begins the next.
    beside = numpy.isin(numpy.arange(256), list(b',\r\n"'))
    opening, closing = quotes[::2], quotes[1::2]
    return len(quotes) % 2 == 0 and bool(beside[content[opening - 1]].all() and beside[content[closing + 1]].all())


@functools.lru_cache(maxsize=4)
def _categories(encoder: Encoder) -> frozenset[str]:
    """The categories of all features."""
    return frozenset(category for feature in encoder.features for category in feature.get("categories", ()))


def _is_header(encoder: Encoder, fields: Sequence[str]) -> bool:
    """Whether a CSV's first row names columns.

    It does if at least half of its fields are names that this model knows, and also if any is one that is no number: a
    header that names little is then refused for what is missing, and never answered as if it were a row. A name that
    is also a category that training saw counts as that.
    """
    categories, names = _categories(encoder), 0
    for field in fields:
        text = field.strip()
        if not text or text in categories:
            continue
        if number(text) is None:
            if encoder.known.meant(field):
                return True
        elif encoder.known.meant_directly(field):
            names += 1
    return 2 * names >= len(fields)


@functools.lru_cache(maxsize=64)
def _named_places(encoder: Encoder, names: tuple[str, ...], index: int | None = None) -> Sequence[int | None]:
    """For each feature its column in a row with these names, None where it was left out. `index`: the row, of JSON."""
    where = "" if index is None else f" in row {index + 1}"
    try:
        places = encoder.known.places(names)
    except AmbiguousNameError as ambiguous:
        raise BadRequestError(
            f"Column {ambiguous.feature!r} is there twice{where}{_spelled(ambiguous.columns)}."
        ) from None
    missing = [encoder.known.shown(name) for name, place in zip(encoder.names, places) if place is None]
    # A left-out column is a missing value, as in training; but a request about something else is not to be answered.
    if 2 * len(missing) > len(encoder.names):
        raise BadRequestError(
            f"{len(missing)} of the model's {len(encoder.names)} features are missing{where}: {', '.join(missing)}."
        )
    return places


def _spelled(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    return ": " + " and ".join(repr(name[:60]) for name in different) if len(different) > 1 else ""


def _unnamed_places(encoder: Encoder, width: int, index: int = 0) -> list[int | None]:
    columns = encoder.specification["columns"]
    if width == len(encoder.names):
        return list(range(width))
    if width == len(columns):
        place_of = {name: place for place, name in enumerate(columns)}
        return [place_of[name] for name in encoder.names]
    row = "The first row" if index == 0 else f"Row {index + 1}"
    raise BadRequestError(
        f"{row} has {width} values and the model takes {len(encoder.names)}: {_shown_names(encoder)}. "
        "Send them in this order, or with their names."
    )


def _shown_names(encoder: Encoder) -> str:
    return ", ".join(map(encoder.known.shown, encoder.names))


def _wrong_width(header: bool, expected: int, found: int, index: int) -> str:
    against = f"the header names {expected}" if header else f"the first row has {expected}"
    return f"Row {index + 1} has {found} values and {against}."


def _parsed(text: str, first_line: int = 1) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {first_line + error.lineno - 1}, column {error.colno}"
        raise BadRequestError(f"The request is not JSON at {place}: {error.msg}.") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists in lists
        raise BadRequestError(f"The JSON at line {first_line} cannot be read: {error}.") from None


def _json_line_rows(encoder: Encoder, text: str) -> Iterator[list[str | None]]:
    index = 0
    for line_number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _json_row(encoder, _parsed(line, line_number), index)
            index += 1


def _json_rows(encoder: Encoder, text: str) -> Iterator[list[str | None]]:
    value = _parsed(text)
    if isinstance(value, dict) and isinstance(value.get("instances"), list):
        value = value["instances"]
    if isinstance(value, dict) or (isinstance(value, list) and not any(isinstance(row, (dict, list)) for row in value)):
        value = [value] if value else []
    if not isinstance(value, list) or not value:
        raise BadRequestError("The request holds no row; send an object, or a list of objects.")
    for index, row in enumerate(value):
        yield _json_row(encoder, row, index)


def _places_in_row(encoder: Encoder, names: tuple[str, ...], index: int) -> Sequence[int | None]:
    try:
        return _named_places(encoder, names)  # rows of one request mostly have the same names
    except BadRequestError:
        return _named_places(encoder, names, index)


def _json_row(encoder: Encoder, row: Any, index: int) -> list[str | None]:
    if isinstance(row, dict):
        values = [row.get(name) for name in encoder.names]
        if any(name not in row for name in encoder.names):
            cells = list(row.values())
            places = _places_in_row(encoder, tuple(row), index)
            values = [None if place is None else cells[place] for place in places]
    elif isinstance(row, list):
        values = [None if place is None else row[place] for place in _unnamed_places(encoder, len(row), index)]
    else:
        raise BadRequestError(f"Row {index + 1} is neither an object nor a list.")
    return [_json_text(encoder.shown[place], value, index) for place, value in enumerate(values)]


def _json_text(name: str, value: Any, index: int) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isnan(value):
        return None  # what Python's json writes for a missing value
    if isinstance(value, (int, float)):
        return repr(value)
    kind = type(value).__name__
    raise BadRequestError(f"{name!r} must be a text or a number, and is a {kind} in row {index + 1}.")


__all__ = ["BadRequestError", "encode", "input_fn", "model_fn", "output_fn", "predict_fn"]
