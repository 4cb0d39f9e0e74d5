"""The table in Glue of a feature group's offline store, and where its records lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from processing.names import PARTITION_COLUMNS, STORE_COLUMNS

CATALOG = "AwsDataCatalog"
DATABASE = "sagemaker_featurestore"

_HIVE_TYPES = {"Integral": "bigint", "Fractional": "double", "String": "string"}
_STORE_HIVE_TYPES = ("timestamp", "timestamp", "boolean")


def offline_names(feature_group_name: str, created_at: float) -> tuple[str, str]:
    """Table in Glue and folder in S3 of a group's offline store: `my_group_1734619820`, `my-group-1734619820`."""
    return (
        f"{feature_group_name.replace('-', '_').lower()}_{int(created_at)}",
        f"{feature_group_name}-{int(created_at)}",
    )


def offline_location(s3_uri: str, account: str, region: str, folder: str) -> str:
    """ResolvedOutputS3Uri of a group's offline store under the S3Uri of its configuration."""
    return f"{s3_uri.rstrip('/')}/{account}/sagemaker/{region}/offline-store/{folder}/data"


def create_offline_table(
    glue: Any,
    *,
    table_name: str,
    location: str,
    definitions: Iterable[Mapping[str, Any]],
    database: str = DATABASE,
) -> None:
    """Create the table of an offline store in Glue, and its database if there is none.

    As the Feature Store's, it projects its partitions, so none is ever registered. Raises ClientError.
    """
    try:
        glue.create_database(DatabaseInput={"Name": database})
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
    columns = [
        {"Name": item["FeatureName"].lower(), "Type": _HIVE_TYPES[item["FeatureType"]]} for item in definitions
    ]  # fmt: skip
    columns += [
        {"Name": name, "Type": kind} for name, kind in zip(STORE_COLUMNS, _STORE_HIVE_TYPES, strict=True)
    ]  # fmt: skip
    glue.create_table(
        DatabaseName=database,
        TableInput={
            "Name": table_name,
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": [{"Name": name, "Type": "string"} for name in PARTITION_COLUMNS],
            "StorageDescriptor": {
                "Columns": columns,
                "Location": location,
                "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                "SerdeInfo": {
                    "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                    "Parameters": {"serialization.format": "1"},
                },
            },
            "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet", **_projection(location)},
        },
    )


def _projection(location: str) -> dict[str, str]:
    ranges = {"year": ("4", "2020,2120"), "month": ("2", "1,12"), "day": ("2", "1,31"), "hour": ("2", "0,23")}
    parameters = {"projection.enabled": "true", "storage.location.template": location}
    for name, (digits, span) in ranges.items():
        parameters["storage.location.template"] += f"/{name}=${{{name}}}"
        parameters |= {
            f"projection.{name}.type": "integer",
            f"projection.{name}.digits": digits,
            f"projection.{name}.range": span,
        }
    return parameters
