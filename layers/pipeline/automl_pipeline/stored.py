"""Objects in S3, by URI or by bucket and key.

Each function raises botocore's ClientError if S3 refuses for another reason than that there is no such object.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError


def place(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def exists(s3: Any, bucket: str, key: str) -> bool:
    """Whether there is such an object."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NotFound"):
            raise
        return False
    return True


def read(s3: Any, bucket: str, key: str) -> bytes | None:
    """An object's content; None if there is no such object."""
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None


def body(s3: Any, uri: str) -> Any:
    """An object's content as a stream. Raises ClientError also if there is no such object."""
    bucket, key = place(uri)
    return s3.get_object(Bucket=bucket, Key=key)["Body"]


def objects(s3: Any, uri: str, **after: str) -> Iterator[tuple[str, int]]:
    """URI and bytes of each object whose URI begins with `uri`, in the order of their keys.

    `after`: StartAfter, the key behind which to begin.
    """
    bucket, prefix = place(uri)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **after):
        for item in page.get("Contents", []):
            yield f"s3://{bucket}/{item['Key']}", item["Size"]
