"""Tables of Glue's catalog, looked up and listed with the caller's permissions."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from botocore.exceptions import ClientError

from local.aws.athena.caller import Caller
from local.aws.athena.errors import QueryFailedError

_PARQUET = "parquet"
_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms"),  # Athena reads Hive tables' timestamps in milliseconds
    "binary": pa.binary(),
}


@dataclass(frozen=True)
class Column:
    """A column as the catalog declares it: Hive's type name, and the type its values have in memory."""

    name: str
    hive_type: str
    type: pa.DataType


@dataclass(frozen=True)
class DataFile:
    """A Parquet object, and the values of the table's partition columns for all of its rows."""

    bucket: str
    key: str
    size: int  # bytes
    partition: dict[str, str]

    @property
    def uri(self) -> str:
        """s3://bucket/key"""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Table:
    """An external Parquet table. `folders`: location → partition values; None when partitions are read off the keys."""

    database: str
    name: str
    columns: tuple[Column, ...]
    partition_columns: tuple[Column, ...]
    location: str
    folders: tuple[tuple[str, dict[str, str]], ...] | None

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Data columns, then partition columns: the order of `SELECT *`."""
        return self.columns + self.partition_columns


def find_table(caller: Caller, database: str, name: str, place: str) -> Table:
    """Look a table up. `place` (`line 1:15`) is where the query names it.

    Raises QueryFailedError: SCHEMA_NOT_FOUND, TABLE_NOT_FOUND, the caller's missing permission, or a format other than
    Parquet.
    """
    glue = caller.client("glue")
    try:
        glue.get_database(Name=database)
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            raise QueryFailedError(f"{place}: Schema '{database}' does not exist", "SCHEMA_NOT_FOUND") from None
        raise _denied(error) from None
    try:
        record = glue.get_table(DatabaseName=database, Name=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            missing = f"{place}: Table 'awsdatacatalog.{database}.{name}' does not exist"
            raise QueryFailedError(missing, "TABLE_NOT_FOUND") from None
        raise _denied(error) from None
    storage = record.get("StorageDescriptor") or {}
    if (
        _PARQUET not in (storage.get("InputFormat") or "").lower()
        and _PARQUET not in ((storage.get("SerdeInfo") or {}).get("SerializationLibrary") or "").lower()
    ):
        raise QueryFailedError(
            f"Table 'awsdatacatalog.{database}.{name}' is not a Parquet table (InputFormat "
            f"{storage.get('InputFormat')!r}): the local cloud's Athena reads Parquet only",
            "NOT_SUPPORTED",
        )
    keys = tuple(_column(item) for item in record.get("PartitionKeys") or ())
    folders = None
    projected = (record.get("Parameters") or {}).get("projection.enabled", "").lower() == "true"
    if keys and not projected:
        folders = _registered_partitions(glue, database, name, [key.name for key in keys])
    return Table(
        database=database,
        name=name,
        columns=tuple(_column(item) for item in storage.get("Columns") or ()),
        partition_columns=keys,
        location=storage.get("Location") or "",
        folders=folders,
    )


def list_files(caller: Caller, table: Table) -> list[DataFile]:
    """The table's objects, in the order of their keys. Raises QueryFailedError if the caller may not list them."""
    if table.folders is not None:
        return [item for uri, values in table.folders for item in _list(caller, uri, values)]
    return [
        DataFile(item.bucket, item.key, item.size, _partition_of(item.key))
        for item in _list(caller, table.location, {})
        if not table.partition_columns or set(_partition_of(item.key)) >= {key.name for key in table.partition_columns}
    ]


def split_uri(uri: str) -> tuple[str, str]:
    """s3://bucket/prefix → (bucket, prefix)."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _list(caller: Caller, uri: str, partition: dict[str, str]) -> list[DataFile]:
    bucket, prefix = split_uri(uri)
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    files = []
    try:
        for page in caller.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", ()):
                name = item["Key"].rsplit("/", 1)[-1]
                # Hive's readers leave out names that begin like this, and folders' own empty objects.
                if item["Size"] and not name.startswith(("_", ".")):
                    files.append(DataFile(bucket, item["Key"], item["Size"], partition))
    except ClientError as error:
        raise no_access(error, uri) from None
    return files


def has_objects(caller: Caller, bucket: str, prefix: str) -> bool:
    """Whether anything lies at the prefix. Raises QueryFailedError if the caller may not see."""
    try:
        return bool(caller.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"))
    except ClientError as error:
        raise no_access(error, f"s3://{bucket}/{prefix}") from None


def no_access(error: ClientError, uri: str) -> QueryFailedError:
    """What Athena says when S3 refuses its caller a read."""
    if error.response["Error"]["Code"] in ("AccessDenied", "403", "Forbidden"):
        return QueryFailedError(f"Permission denied on S3 path: {uri}", "PERMISSION_DENIED")
    return QueryFailedError(f"Failed to read {uri}: {error.response['Error'].get('Message')}", "HIVE_CANNOT_OPEN_SPLIT")


def _registered_partitions(
    glue: Any, database: str, name: str, keys: list[str]
) -> tuple[tuple[str, dict[str, str]], ...]:
    try:
        pages = glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=name)
        partitions = [item for page in pages for item in page["Partitions"]]
    except ClientError as error:
        raise _denied(error) from None
    return tuple((item["StorageDescriptor"]["Location"], dict(zip(keys, item["Values"], strict=True)))
                 for item in partitions)  # fmt: skip


def _partition_of(key: str) -> dict[str, str]:
    """…/year=2026/month=11/x.parquet → {"year": "2026", "month": "11"}."""
    pairs = (part.split("=", 1) for part in key.split("/")[:-1] if "=" in part)
    return {name.lower(): unquote(value) for name, value in pairs}


def _column(item: dict[str, Any]) -> Column:
    hive_type = (item.get("Type") or "string").lower()
    decimal = re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", hive_type)
    if decimal:
        return Column(item["Name"].lower(), hive_type, pa.decimal128(int(decimal[1]), int(decimal[2])))
    if re.fullmatch(r"(var)?char\(\d+\)", hive_type):
        return Column(item["Name"].lower(), hive_type, pa.string())
    if hive_type not in _TYPES:
        raise QueryFailedError(f"Column '{item['Name']}' has the type {hive_type}, which the local cloud's Athena does not "
                          "read", "NOT_SUPPORTED")  # fmt: skip
    return Column(item["Name"].lower(), hive_type, _TYPES[hive_type])


def _denied(error: ClientError) -> QueryFailedError:
    details = error.response["Error"]
    # MiniStack's denials carry no request id.
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId") or uuid.uuid4()
    return QueryFailedError(
        f"{details.get('Message')} (Service: AmazonDataCatalog; Status Code: 400; Error Code: {details.get('Code')}; "
        f"Request ID: {request_id}; Proxy: null)"
    )
