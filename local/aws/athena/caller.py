"""Clients that act for the sender of a request: Athena reads and writes with its caller's permissions, so does this."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.config import Config
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import extract_access_key_id

from local.server import sessions


@dataclass(frozen=True)
class Caller:
    """The credentials that signed a request, and the region it was sent to."""

    access_key: str
    secret_key: str
    session_token: str | None
    region: str

    def client(self, service: str) -> Any:
        """A client of another service of this server with the caller's credentials. Thread-safe, cached."""
        return _client(service, self)


def of_request(headers: Mapping[str, str], query: Mapping[str, Any]) -> Caller:
    """Who sent the request that is being handled. Raises PermissionError if MiniStack does not know the access key."""
    access_key = extract_access_key_id(dict(headers), query)
    credential = iam_evaluator.resolve_credential(access_key, get_account_id())
    if isinstance(credential, iam_evaluator.CredentialResolutionError):
        raise PermissionError(credential.message)
    return Caller(
        credential.access_key_id or "test", credential.secret_access_key, credential.session_token, get_region()
    )


@lru_cache(maxsize=64)
def _client(service: str, caller: Caller) -> Any:
    return sessions.create_client(
        service,
        region_name=caller.region,
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],  # set by local.server
        aws_access_key_id=caller.access_key,
        aws_secret_access_key=caller.secret_key,
        aws_session_token=caller.session_token,
        config=Config(
            s3={"addressing_style": "path"},
            retries={"mode": "standard", "max_attempts": 3},
            max_pool_connections=16,
            read_timeout=1000,  # this server answers once it has hashed an object of gigabytes
        ),
    )
