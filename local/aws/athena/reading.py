"""Reads a table's Parquet objects from S3 as the caller: only the columns a query needs, counted as Athena counts."""

# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false
# (pyarrow makes its functions when it is imported)

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from local.aws.athena import catalog
from local.aws.athena.caller import Caller
from local.aws.athena.catalog import DataFile, Table
from local.aws.athena.errors import QueryCancelledError, QueryFailedError

_READERS = 4
_AT_ONCE = 1 << 20  # bytes


@dataclass
class Run:
    """One query under way: what stops it, and what it has read so far."""

    caller: Caller
    cutoff: int | None  # bytes that may be scanned
    stopped: threading.Event = field(default_factory=threading.Event)
    scanned: int = 0  # bytes of column chunks
    interrupt: Callable[[], None] = lambda: None

    def check(self) -> None:
        """Raises QueryCancelledError once someone has stopped the query."""
        if self.stopped.is_set():
            raise QueryCancelledError("Query cancelled by user")


def read_table(table: Table, files: list[DataFile], columns: set[str] | None, run: Run, folder: Path) -> pa.Table:
    """The table's rows with the columns that are needed (None: all), mapped from files that are written into `folder`.

    Raises QueryFailedError or QueryCancelledError.
    """
    schema = schema_of(table, columns)
    with ThreadPoolExecutor(_READERS) as pool:
        parts = list(pool.map(lambda item: _read_file(table, item, schema, run, folder), files))
    return pa.concat_tables([schema.empty_table(), *parts])


def _read_file(table: Table, item: DataFile, schema: pa.Schema, run: Run, folder: Path) -> pa.Table:
    run.check()
    place = folder / uuid.uuid4().hex
    try:
        body = run.caller.client("s3").get_object(Bucket=item.bucket, Key=item.key)["Body"]
        with place.open("wb") as copy:
            shutil.copyfileobj(body, copy, _AT_ONCE)
    except ClientError as error:
        raise catalog.no_access(error, item.uri) from None
    try:
        file = pq.ParquetFile(place)
    except pa.ArrowInvalid:
        raise QueryFailedError(f"Malformed Parquet file. {item.uri} [{item.size}]", "HIVE_BAD_DATA") from None
    named = {name.lower(): name for name in file.schema_arrow.names}
    wanted = [named[name] for name in schema.names if name in named and name not in item.partition]
    run.scanned += _chunk_bytes(file, set(wanted))
    if run.cutoff is not None and run.scanned > run.cutoff:
        raise QueryCancelledError("Bytes scanned limit was exceeded")
    rows = place.with_suffix(".arrow")
    with file, pa.ipc.new_file(str(rows), schema) as out:
        for group in range(file.num_row_groups):
            run.check()
            out.write_table(_as_catalog_says(file.read_row_group(group, columns=wanted), schema, item, named))
    place.unlink()
    return pa.ipc.open_file(pa.memory_map(str(rows))).read_all()


def _as_catalog_says(content: pa.Table, schema: pa.Schema, item: DataFile, named: dict[str, str]) -> pa.Table:
    """The rows with all columns of the schema: from the file, from its partition, or null."""
    arrays = []
    for column in schema:
        if column.name in item.partition:
            value = pa.scalar(item.partition[column.name]).cast(column.type)
            arrays.append(pa.repeat(value, content.num_rows))
        elif column.name in named:
            arrays.append(_as_declared(content[named[column.name]], column, item))
        else:
            arrays.append(pa.nulls(content.num_rows, column.type))
    return pa.table(arrays, schema=schema)


def _as_declared(values: pa.ChunkedArray, column: pa.Field, item: DataFile) -> pa.ChunkedArray:
    """Values as the catalog declares them. Raises QueryFailedError where Athena's Parquet reader refuses to convert."""
    held, declared = values.type, column.type
    if pa.types.is_dictionary(held):
        values, held = values.cast(held.value_type), held.value_type
    same_kind = (
        (pa.types.is_integer(held) and pa.types.is_integer(declared))
        or (pa.types.is_floating(held) and pa.types.is_floating(declared))
        or (pa.types.is_timestamp(held) and pa.types.is_timestamp(declared))
        or (pa.types.is_decimal(held) and pa.types.is_decimal(declared))
        or (_is_text(held) and _is_text(declared))
        or pa.types.is_null(held)
        or held == declared
    )
    if not same_kind:
        raise QueryFailedError(
            f"Field {column.name}'s type {str(held).upper()} in parquet file {item.uri} is incompatible with type "
            f"{_trino_type(declared)} defined in table schema",
            "HIVE_BAD_DATA",
        )
    if pa.types.is_timestamp(held) and held.tz is not None:
        values = pc.local_timestamp(values)  # instants are kept in UTC
    return values.cast(declared, safe=not pa.types.is_timestamp(declared))


def _chunk_bytes(file: pq.ParquetFile, columns: set[str]) -> int:
    total = 0
    for group in range(file.metadata.num_row_groups):
        row_group = file.metadata.row_group(group)
        for index in range(row_group.num_columns):
            chunk = row_group.column(index)
            if chunk.path_in_schema.split(".")[0] in columns:
                total += chunk.total_compressed_size
    return total


def schema_of(table: Table, columns: set[str] | None) -> pa.Schema:
    """What `read_table` gives: names and types as the catalog declares them."""
    chosen = [column for column in table.all_columns if columns is None or column.name in columns]
    # Rows are counted by a column: keep one where the query needs none, as count(*) does.
    return pa.schema([(column.name, column.type) for column in chosen or table.all_columns[:1]])


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _trino_type(kind: pa.DataType) -> str:
    names = {"string": "varchar", "int64": "bigint", "int32": "integer", "bool": "boolean", "float": "real"}
    return names.get(str(kind), str(kind))
