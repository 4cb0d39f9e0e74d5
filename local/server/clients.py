"""boto3 clients of a local cloud for programs outside of it, as its root."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import boto3

from local.server.address import ACCESS_KEY, REGION, SECRET_KEY

_session = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION)
_creating = threading.Lock()


def client(endpoint_url: str, service: str) -> Any:
    """A client of the local cloud at `endpoint_url`: the same one each time, as making one takes a tenth of a second."""
    with _creating:
        return _client(endpoint_url, service)


@cache
def _client(endpoint_url: str, service: Any) -> Any:
    return _session.client(service, endpoint_url=endpoint_url)
