"""Rows as Athena writes them: the CSV, the metadata beside it, and the pages of GetQueryResults.

Everything here was compared with what Athena engine version 3 writes: every value that is not null in double quotes,
null empty and unquoted, doubles as Java prints them, timestamps with milliseconds.
"""

# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false
# (pyarrow makes its functions when it is imported)

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

_VARCHAR_LENGTH = 2147483647
_NULLABLE_UNKNOWN = 3


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result. None where Athena's metadata leaves the field out (which one depends on the type)."""

    name: str
    type: str
    precision: int | None = None
    scale: int | None = None
    case_sensitive: bool | None = False

    def info(self) -> dict[str, Any]:
        """The column as GetQueryResults describes it."""
        return {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": self.name,
            "Label": self.name,
            "Type": self.type,
            "Precision": self.precision or 0,
            "Scale": self.scale or 0,
            "Nullable": "UNKNOWN",
            "CaseSensitive": bool(self.case_sensitive),
        }


def columns_of(schema: pa.Schema) -> list[ResultColumn]:
    """Athena's names for the types of a result's columns."""
    return [_column(field.name, field.type) for field in schema]


def write_csv(schema: pa.Schema, parts: Iterable[pa.Table], path: Path) -> None:
    """The result file: header and rows, `"a","b"` and `\\n`; every value as the text that Athena shows, nulls as nothing."""
    texts = pa.schema([(field.name, pa.string()) for field in schema])
    with pa_csv.CSVWriter(str(path), texts, write_options=pa_csv.WriteOptions(quoting_style="all_valid")) as out:
        for rows in parts:
            out.write_table(pa.table([_texts(column) for column in rows.columns], schema=texts))


def from_csv(content: bytes, columns: list[ResultColumn]) -> pa.Table:
    """Read a result file back: texts, and null where nothing stands between two commas."""
    names = [f"c{index}" for index in range(len(columns))]
    return pa_csv.read_csv(
        io.BytesIO(content),
        pa_csv.ReadOptions(column_names=names, skip_rows=1, block_size=max(len(content), 1)),
        # A row of one null column is an empty line.
        pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )


def to_metadata(query_id: str, columns: list[ResultColumn]) -> bytes:
    """The `.metadata` file: a protobuf message with the query's id (field 1) and one message for each column (4)."""
    message = _text_field(1, query_id)
    for column in columns:
        body = _text_field(1, "hive") + _text_field(4, column.name) + _text_field(5, column.name)
        body += _text_field(6, column.type)
        for number, value in ((7, column.precision), (8, column.scale)):
            if value is not None:
                body += _number_field(number, value)
        body += _number_field(9, _NULLABLE_UNKNOWN)
        if column.case_sensitive is not None:
            body += _number_field(10, int(column.case_sensitive))
        message += _bytes_field(4, body)
    return message


def _column(name: str, kind: pa.DataType) -> ResultColumn:
    whole = {"int8": ("tinyint", 3), "int16": ("smallint", 5), "int32": ("integer", 10), "int64": ("bigint", 19)}
    if str(kind) in whole:
        return ResultColumn(name, *whole[str(kind)], scale=0)
    if pa.types.is_boolean(kind):
        return ResultColumn(name, "boolean")
    if pa.types.is_float64(kind) or pa.types.is_float32(kind):
        return ResultColumn(name, "double" if pa.types.is_float64(kind) else "float", 17, 0)
    if pa.types.is_decimal(kind):
        return ResultColumn(name, "decimal", kind.precision, kind.scale)
    if pa.types.is_date(kind):
        return ResultColumn(name, "date", scale=0)
    if pa.types.is_timestamp(kind):
        return ResultColumn(name, "timestamp with time zone" if kind.tz else "timestamp", 3, 0)
    if pa.types.is_time(kind):
        return ResultColumn(name, "time", 3, 0)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return ResultColumn(name, "varbinary", 1073741824, 0)
    if pa.types.is_map(kind):
        return ResultColumn(name, "map", case_sensitive=None)
    if pa.types.is_struct(kind):
        return ResultColumn(name, "row", case_sensitive=None)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return ResultColumn(name, "array", case_sensitive=None)
    return ResultColumn(name, "varchar", _VARCHAR_LENGTH, 0, True)


def _texts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if pa.types.is_timestamp(kind):
        # Tables have milliseconds, and so has everything computed from them; only literals may have more.
        milliseconds = values.cast(pa.timestamp("ms", kind.tz), safe=False)
        exact = milliseconds.cast(kind).equals(values)
        text = pc.strftime(milliseconds if exact else values, format="%Y-%m-%d %H:%M:%S")
        return pc.binary_join_element_wise(text, pa.scalar(kind.tz), " ") if kind.tz else text
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_date(kind) or pa.types.is_decimal(kind):
        return values.cast(pa.string())
    if pa.types.is_floating(kind):
        distinct = values.unique()
        shown = pa.array([None if value is None else java_double(value) for value in distinct.to_pylist()], pa.string())
        return pa.chunked_array([shown.take(pc.index_in(chunk, distinct)) for chunk in values.chunks], pa.string())
    texts = [None if value is None else _nested(value) for value in values.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])


def java_double(value: float) -> str:
    """A double as Java's Double.toString prints it: 29.85, 1.0, 1.0E7, 1.0E-5, NaN, Infinity."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    size = abs(value)
    if value == 0 or 1e-3 <= size < 1e7:
        text = repr(float(value))
        if "e" not in text:
            return text
    digits, _, exponent = f"{float(value)!r}".partition("e")
    if not exponent:
        digits, exponent = _scientific(digits)
    mantissa = digits if "." in digits else f"{digits}.0"
    return f"{mantissa}E{int(exponent)}"


def _scientific(text: str) -> tuple[str, str]:
    """'12345678.5' → ('1.23456785', '7'): the same shortest digits, the point moved."""
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, fraction = text.partition(".")
    fraction = "" if fraction == "0" else fraction
    if whole.strip("0"):
        exponent, digits = len(whole) - 1, (whole + fraction).rstrip("0")
    else:
        exponent, digits = -(len(fraction) - len(fraction.lstrip("0")) + 1), fraction.lstrip("0")
    return f"{sign}{digits[0]}.{digits[1:] or '0'}", str(exponent)


def _nested(value: Any) -> str:
    """Arrays, maps and rows: [1, 2], {k=v}, {id=1, name=x}; texts inside are not quoted."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_nested(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list) and value and all(isinstance(item, tuple) for item in value):
        return "{" + ", ".join(f"{_nested(name)}={_nested(item)}" for name, item in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_nested(item) for item in value) + "]"
    return str(value)


def _text_field(number: int, text: str) -> bytes:
    return _bytes_field(number, text.encode())


def _bytes_field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
