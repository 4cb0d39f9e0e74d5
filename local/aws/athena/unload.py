"""UNLOAD: rows as several Parquet files at a place that must be empty, and the manifest that names them.

docs.aws.amazon.com/athena/latest/ug/unload.html: no order among the files, no file for no rows, nothing is overwritten or deleted.
"""

from __future__ import annotations

import uuid
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from local.aws.athena import catalog
from local.aws.athena.caller import Caller
from local.aws.athena.engine import Rows
from local.aws.athena.errors import QueryFailedError
from local.aws.athena.statement import Statement

_FILES = 4
"""Athena decides by itself how many files it writes in parallel: more than one, so that nobody relies on one."""
_COMPRESSIONS = {"GZIP": "gzip", "SNAPPY": "snappy", "ZSTD": "zstd", "NONE": "none"}


def check(statement: Statement, caller: Caller) -> None:
    """Raises QueryFailedError for properties or a place that UNLOAD does not take, before anything is read."""
    unknown = set(statement.properties) - {"format", "compression"}
    if unknown:
        raise QueryFailedError(
            f"UNLOAD with {', '.join(sorted(unknown))} is not supported on the local cloud", "NOT_SUPPORTED"
        )
    # The names of formats and compressions may be in any case.
    chosen = {name: value.upper() for name, value in statement.properties.items()}
    if chosen.get("format") != "PARQUET":
        raise QueryFailedError(
            f"UNLOAD with format {chosen.get('format')} is not supported on the local cloud, only PARQUET",
            "NOT_SUPPORTED",
        )
    if chosen.get("compression", "GZIP") not in _COMPRESSIONS:
        raise QueryFailedError(
            f"Unable to set table property 'compression' to {statement.properties['compression']!r}",
            "INVALID_TABLE_PROPERTY",
        )
    if not statement.target.startswith("s3://"):
        raise QueryFailedError(f"Invalid S3 location: {statement.target}", "INVALID_TABLE_PROPERTY")
    bucket, prefix = catalog.split_uri(statement.target.rstrip("/") + "/")
    if catalog.has_objects(caller, bucket, prefix):
        raise QueryFailedError(
            f"Target directory for table 'awsdatacatalog.default.unload' already exists: {statement.target}. You may need to "
            f"manually clean the data at location '{statement.target}' before retrying. Athena will not delete data in your "
            "account.",
            "HIVE_PATH_ALREADY_EXISTS",
        )


def check_names(names: list[str]) -> None:
    """Raises QueryFailedError for columns that cannot be written: without a name, or with the name of another."""
    for position, name in enumerate(names):
        if name == f"_col{position}":
            raise QueryFailedError(
                f"line 1:8: Column name not specified at position {position + 1}", "MISSING_COLUMN_NAME"
            )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise QueryFailedError(f"line 1:8: Column name '{twice[0]}' specified more than once", "DUPLICATE_COLUMN_NAME")


def files(statement: Statement, rows: Rows, engine_id: str, folder: Path) -> list[tuple[str, Path]]:
    """Where each file goes, and where it lies in `folder`.

    As on AWS their names have no extension (github.com/aws/aws-sdk/issues/745).
    """
    compression = _COMPRESSIONS[statement.properties.get("compression", "GZIP").upper()]
    written: dict[int, pq.ParquetWriter] = {}
    seen = 0
    with ExitStack() as open_files:
        for part in rows.parts:
            for number in range(_FILES):
                own = part.take(pa.array(range((number - seen) % _FILES, part.num_rows, _FILES), pa.int64()))
                if own.num_rows and number not in written:
                    writer = pq.ParquetWriter(folder / str(number), rows.schema, compression=compression)
                    written[number] = open_files.enter_context(writer)
                if own.num_rows:
                    written[number].write_table(own)
            seen += part.num_rows
    target = statement.target.rstrip("/")
    return [(f"{target}/{engine_id}_{uuid.uuid4()}", folder / str(number)) for number in sorted(written)]
