"""UNLOAD: a query's rows as Parquet files in a folder that must be empty."""

from __future__ import annotations

import io
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from local.aws.athena import catalog
from local.aws.athena.errors import QueryFailedError
from local.aws.athena.reading import Run
from local.aws.athena.statement import Statement

_COMPRESSIONS = {"GZIP", "SNAPPY", "ZSTD", "LZ4", "NONE"}
_DEFAULT_COMPRESSION = "GZIP"  # Athena's for Parquet


def write(statement: Statement, rows: pa.Table, run: Run, engine_id: str, put_options: dict[str, str]) -> list[str]:
    """Write the rows to the statement's target with its caller's permissions.

    Returns the files' URIs, for the manifest. Raises QueryFailedError if the target holds anything, cannot be written, or a
    property asks for what the local cloud does not do (only `format` PARQUET and `compression`).
    """
    properties = dict(statement.properties)
    kind = properties.pop("format", "PARQUET").upper()
    compression = properties.pop("compression", _DEFAULT_COMPRESSION).upper()
    if kind != "PARQUET" or compression not in _COMPRESSIONS or properties:
        raise QueryFailedError(
            f"UNLOAD on the local cloud writes format 'PARQUET' with compression {sorted(_COMPRESSIONS)}; asked for: "
            f"{statement.properties}",
            "NOT_SUPPORTED",
        )
    target = f"{statement.target.rstrip('/')}/"
    bucket, prefix = catalog.split_uri(target)
    s3 = run.caller.client("s3")
    try:
        taken = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount", 0)
    except ClientError as error:
        raise catalog.no_access(error, target) from None
    if taken:
        raise QueryFailedError(
            f"Target directory for table 'awsdatacatalog.default.tmp_unload_{uuid.uuid4().hex}' already exists: "
            f"{statement.target}. You may need to manually clean the data at location '{statement.target}' before "
            "retrying. Athena will not delete data in your account.",
            "HIVE_PATH_ALREADY_EXISTS",
        )
    if not rows.num_rows:
        return []
    content = io.BytesIO()
    pq.write_table(rows, content, compression=compression)
    uri = f"{target}{engine_id}_{uuid.uuid4()}"
    run.check()
    try:
        s3.put_object(
            Bucket=bucket, Key=catalog.split_uri(uri)[1], Body=content.getvalue(),
            ContentType="application/octet-stream", **put_options,
        )  # fmt: skip
    except ClientError as error:
        raise catalog.no_access(error, uri) from None
    return [uri]
