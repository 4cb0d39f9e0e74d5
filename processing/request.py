"""The rows of a request to the endpoint, as texts in the order of the model's features.

The one definition for the preprocess container, which encodes them, and for the comparison of captured traffic with the
training rows. inference.py says which forms a request has. Standard library only: it runs in SageMaker's containers
(Python 3.9) and in Lambda.
"""

from __future__ import annotations

import codecs
import csv
import functools
import io
import itertools
import json
import math
from dataclasses import dataclass
from typing import Any, Iterator, List, Mapping, Optional, Sequence

from names import AmbiguousNameError, Known
from reading import header_problem, reason
from words import number

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = ("application/jsonlines", "application/x-jsonlines", "application/jsonl")
FORMAT = 1
# A value may be as long as a request: 6 MB on an endpoint, 100 MB in batch transform.
csv.field_size_limit(100 * 1024 * 1024)

Row = List[Optional[str]]


class BadRequestError(ValueError):
    """The request cannot be read; the message is one sentence for the client."""


class Schema:
    """What a model takes: its features with their names, and the columns of the feature group.

    `specification` is preprocessing.json: `features`, a list of {name, kind, median | categories}, in the model's order.
    """

    def __init__(self, specification: Mapping[str, Any]):
        if specification.get("format") != FORMAT:
            raise ValueError(
                f"preprocessing.json has format {specification.get('format')!r}; this code reads format {FORMAT}. "
                "Use the code that lies in the same model.tar.gz."
            )
        self.specification = specification
        self.features: Sequence[Mapping[str, Any]] = specification["features"]
        self.names = [feature["name"] for feature in self.features]
        self.group_columns: Sequence[str] = specification["columns"]
        self.known = Known(self.names, self.group_columns, specification.get("renames"))
        self.shown = [self.known.shown(name) for name in self.names]
        # Of all features.
        self.categories = frozenset(word for feature in self.features for word in feature.get("categories", ()))


@dataclass(frozen=True)
class Content:
    """A request: its type without parameters, whether its first row is a header (None: its names say), and its body."""

    kind: str
    header: bool | None
    body: bytes
    text: str


@dataclass(frozen=True)
class Table:
    """A CSV request whose first row is read: `rows` are the others, `places` the column of each feature, None without one."""

    header: bool
    width: int
    places: Sequence[int | None]
    rows: Iterator[Row]


def opened(body: bytes, content_type: str) -> Content:
    """The body's text. Raises BadRequestError for another type, another encoding than UTF-8, and an empty body."""
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
    said = [parameter == "header=present" for parameter in parameters if parameter.startswith("header=")]
    return Content(kind, said[0] if said else None, body, text)


def rows(schema: Schema, content: Content) -> Iterator[Row]:
    """Each row's values, None where one is missing. Raises BadRequestError with one sentence, in the course of the rows."""
    if content.kind == CSV:
        return table(schema, content).rows
    return (_json_rows if content.kind == JSON else _json_line_rows)(schema, content.text)


# -- CSV


def table(schema: Schema, content: Content) -> Table:
    """A CSV request. Raises BadRequestError for a first row that fits no columns; `rows` raises it for others."""
    reader = csv.reader(io.StringIO(content.text, newline=""), strict=True)
    filled = (row for row in reader if row)
    try:
        first = next(filled)
    except csv.Error as error:
        raise _unreadable(reader, error) from None
    except StopIteration:
        raise BadRequestError("The request holds no row.") from None
    header = _is_header(schema, first) if content.header is None else content.header
    width = len(first)
    if width == 1 and header_problem(first[0], first, None) and len(schema.names) > 1:
        raise BadRequestError(f"Line 1 {header_problem(first[0], first, None)}.")
    places = _named_places(schema, tuple(first)) if header else _unnamed_places(schema, width)

    def following() -> Iterator[Row]:
        index = -1
        try:
            for index, row in enumerate(filled if header else itertools.chain([first], filled)):
                if len(row) != width:
                    raise BadRequestError(_wrong_width(header, width, len(row), index))
                yield [None if place is None else row[place] for place in places]
        except csv.Error as error:
            raise _unreadable(reader, error) from None
        if index < 0:
            raise BadRequestError("The request holds a header and no row.")

    return Table(header, width, places, following())


def _unreadable(reader: Any, error: csv.Error) -> BadRequestError:
    return BadRequestError(f"The CSV cannot be read at line {reader.line_num}: {reason(error)}.")


def _is_header(schema: Schema, fields: Sequence[str]) -> bool:
    """Whether a CSV's first row names columns.

    It does if at least half of its fields are names that this model knows, and also if any is one that is no number: a
    header that names little is then refused for what is missing, and never answered as if it were a row. A name that
    is also a category that training saw counts as that.
    """
    names = 0
    for field in fields:
        text = field.strip()
        if not text or text in schema.categories:
            continue
        if number(text) is None:
            if schema.known.meant(field):
                return True
        elif schema.known.meant_directly(field):
            names += 1
    return 2 * names >= len(fields)


@functools.lru_cache(maxsize=64)
def _named_places(schema: Schema, names: tuple[str, ...], index: int | None = None) -> Sequence[int | None]:
    """For each feature its column in a row with these names, None where it was left out. `index`: the row, of JSON."""
    where = "" if index is None else f" in row {index + 1}"
    try:
        places = schema.known.places(names)
    except AmbiguousNameError as ambiguous:
        raise BadRequestError(
            f"Column {ambiguous.feature!r} appears twice{where}{_spelled(ambiguous.columns)}."
        ) from None
    missing = [schema.known.shown(name) for name, place in zip(schema.names, places) if place is None]
    # A left-out column is a missing value, as in training; but a request about something else is not to be answered.
    if 2 * len(missing) > len(schema.names):
        raise BadRequestError(
            f"{len(missing)} of the model's {len(schema.names)} features are missing{where}: {', '.join(missing)}."
        )
    return places


def _spelled(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    return ": " + " and ".join(repr(name[:60]) for name in different) if len(different) > 1 else ""


def _unnamed_places(schema: Schema, width: int, index: int = 0) -> list[int | None]:
    columns = schema.group_columns
    if width == len(schema.names):
        return list(range(width))
    if width == len(columns):
        place_of = {name: place for place, name in enumerate(columns)}
        return [place_of[name] for name in schema.names]
    row = "The first row" if index == 0 else f"Row {index + 1}"
    raise BadRequestError(
        f"{row} has {width} values and the model takes {len(schema.names)}: {_shown_names(schema)}. "
        "Send them in this order, or with their names."
    )


def _shown_names(schema: Schema) -> str:
    return ", ".join(map(schema.known.shown, schema.names))


def _wrong_width(header: bool, expected: int, found: int, index: int) -> str:
    against = f"the header names {expected}" if header else f"the first row has {expected}"
    return f"Row {index + 1} has {found} values and {against}."


# -- JSON


def _parsed(text: str, first_line: int = 1) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {first_line + error.lineno - 1}, column {error.colno}"
        raise BadRequestError(f"The request is not JSON at {place}: {error.msg}.") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists in lists
        raise BadRequestError(f"The JSON at line {first_line} cannot be read: {error}.") from None


def _json_line_rows(schema: Schema, text: str) -> Iterator[Row]:
    index = 0
    for line_number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _json_row(schema, _parsed(line, line_number), index)
            index += 1


def _json_rows(schema: Schema, text: str) -> Iterator[Row]:
    value = _parsed(text)
    if isinstance(value, dict) and isinstance(value.get("instances"), list):
        value = value["instances"]
    if isinstance(value, dict) or (isinstance(value, list) and not any(isinstance(row, (dict, list)) for row in value)):
        value = [value] if value else []
    if not isinstance(value, list) or not value:
        raise BadRequestError("The request holds no row; send an object, or a list of objects.")
    for index, row in enumerate(value):
        yield _json_row(schema, row, index)


def _places_in_row(schema: Schema, names: tuple[str, ...], index: int) -> Sequence[int | None]:
    try:
        return _named_places(schema, names)  # rows of one request mostly have the same names
    except BadRequestError:
        return _named_places(schema, names, index)


def _json_row(schema: Schema, row: Any, index: int) -> Row:
    if isinstance(row, dict):
        values = [row.get(name) for name in schema.names]
        if any(name not in row for name in schema.names):
            cells = list(row.values())
            places = _places_in_row(schema, tuple(row), index)
            values = [None if place is None else cells[place] for place in places]
    elif isinstance(row, list):
        values = [None if place is None else row[place] for place in _unnamed_places(schema, len(row), index)]
    else:
        raise BadRequestError(f"Row {index + 1} is neither an object nor a list.")
    return [_json_text(schema.shown[place], value, index) for place, value in enumerate(values)]


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
