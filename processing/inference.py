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

import io
import os
from typing import Any, Iterator

import numpy
import pyarrow
import pyarrow.csv
import request
from encoding import Encoder, NotANumberError
from request import BadRequestError

# Below this number of bytes Python's own loop is faster than setting up columns.
COLUMNAR_FROM_BYTES = 16 * 1024

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
    return bytes(body), content_type or request.CSV


def predict_fn(received: tuple[bytes, str], encoder: Encoder) -> Any:
    """The encoded rows as CSV (bytes), or the response with status 400 for a request that cannot be read."""
    try:
        return encode(encoder, *received)
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

    return Response(result, content_type=request.CSV)


def _refusal(sentence: str) -> Any:
    # The toolkit wraps every exception of these functions and answers 500 (sagemaker-containers, _functions.py,
    # error_wrapper): only a returned response keeps its status. The container serves with Flask, hence Werkzeug.
    from werkzeug.wrappers import Response

    return Response(sentence, status=400, mimetype="text/plain")


# -- encoding a request


def encode(encoder: Encoder, body: bytes, content_type: str) -> bytes:
    """Encoded CSV lines for the rows in `body`. Raises BadRequestError with one sentence."""
    content = request.opened(body, content_type)
    try:
        if content.kind != request.CSV:
            return _join(encoder, request.rows(encoder, content))
        table = request.table(encoder, content)
        encoded = _encode_columns(encoder, content.body, table) if len(body) >= COLUMNAR_FROM_BYTES else None
        return _join(encoder, table.rows) if encoded is None else encoded
    except NotANumberError as problem:
        raise BadRequestError(str(problem)) from None


def _join(encoder: Encoder, rows: Iterator[request.Row]) -> bytes:
    return "".join(f"{encoder.row(row, index)}\n" for index, row in enumerate(rows)).encode()


def _encode_columns(encoder: Encoder, body: bytes, asked: request.Table) -> bytes | None:
    """Many rows at once; None where only reading row by row can say what is wrong."""
    # Before Python 3.11 csv.reader refuses a NUL character: what few rows may not hold, many may not either.
    if b"\0" in body or not _quotes_enclose_values(body):
        return None
    names = [str(place) for place in range(asked.width)]
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
    if asked.header:
        table = table.slice(1)
    if table.num_rows == 0:
        return None
    absent = pyarrow.nulls(table.num_rows, pyarrow.string())
    columns = [absent if place is None else table.column(place) for place in asked.places]
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


__all__ = ["BadRequestError", "encode", "input_fn", "model_fn", "output_fn", "predict_fn"]
