"""What a work group decides for a query: where its results go, how they are encrypted, how much it may scan."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from ministack.services import athena as ministack_athena

from local.aws.athena.caller import Caller
from local.aws.athena.catalog import split_uri
from local.aws.athena.errors import InvalidRequestError

_S3_PATH = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?", re.DOTALL)


@dataclass(frozen=True)
class Settings:
    """What holds for one query after request and work group are put together."""

    work_group: str
    output: str  # s3://bucket/prefix/ with the slash
    encryption: dict[str, str]
    cutoff: int | None  # bytes

    def put_options(self) -> dict[str, str]:
        """What to add to PutObject for the encryption."""
        if self.encryption.get("EncryptionOption") == "SSE_KMS":
            return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.encryption["KmsKey"]}
        return {"ServerSideEncryption": "AES256"} if self.encryption.get("EncryptionOption") == "SSE_S3" else {}


def settings_for(request: dict[str, Any]) -> Settings:
    """Raises InvalidRequestError: no such work group, a disabled one, or no valid place for results."""
    ministack_athena._ensure_default_workgroup()
    name = request.get("WorkGroup") or "primary"
    group = ministack_athena._workgroups.get(name)
    if group is None:
        raise InvalidRequestError("WorkGroup is not found.")
    if group.get("State") == "DISABLED":
        raise InvalidRequestError(f"WorkGroup {name} is disabled.")
    configuration = group.get("Configuration") or {}
    of_group = configuration.get("ResultConfiguration") or {}
    of_request = request.get("ResultConfiguration") or {}
    # CreateWorkGroup enforces a work group's settings by default; the primary work group does not.
    enforced = configuration.get("EnforceWorkGroupConfiguration", name != "primary")
    chosen = of_group if enforced else {**of_group, **of_request}
    output = chosen.get("OutputLocation")
    if not output:
        raise InvalidRequestError(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    if not _S3_PATH.fullmatch(output):
        raise InvalidRequestError("outputLocation is not a valid S3 path.")
    return Settings(
        work_group=name,
        output=f"{output.rstrip('/')}/",
        encryption=chosen.get("EncryptionConfiguration") or {},
        cutoff=configuration.get("BytesScannedCutoffPerQuery"),
    )


def check_bucket(settings: Settings, caller: Caller) -> None:
    """Raises InvalidRequestError if the caller cannot reach the bucket for results, as StartQueryExecution does."""
    bucket, _ = split_uri(settings.output)
    try:
        caller.client("s3").get_bucket_location(Bucket=bucket)
    except ClientError:
        raise InvalidRequestError(f"Unable to verify/create output bucket {bucket}") from None
