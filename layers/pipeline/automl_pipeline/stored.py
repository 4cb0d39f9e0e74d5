"""What is stored in S3, asked without reading it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


def exists(s3: Any, bucket: str, key: str) -> bool:
    """Whether there is such an object. Raises ClientError if S3 refuses to say."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NotFound"):
            raise
        return False
    return True
