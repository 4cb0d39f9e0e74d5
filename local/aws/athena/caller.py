"""Clients that act for the sender of a request: Athena reads and writes with its caller's permissions, so does this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import extract_access_key_id

from local.server import sessions
from local.server.sessions import Credentials


@dataclass(frozen=True)
class Caller:
    """The credentials that signed a request, and the region it was sent to."""

    credentials: Credentials
    region: str

    def client(self, service: str) -> Any:
        """A client of another service of this server with the caller's credentials. Thread-safe, cached."""
        return sessions.client_of(service, self.credentials, self.region)


def of_request(headers: Mapping[str, str], query: Mapping[str, Any]) -> Caller:
    """Who sent the request that is being handled. Raises PermissionError if MiniStack does not know the access key."""
    access_key = extract_access_key_id(dict(headers), query)
    credential = iam_evaluator.resolve_credential(access_key, get_account_id())
    if isinstance(credential, iam_evaluator.CredentialResolutionError):
        raise PermissionError(credential.message)
    who = Credentials(credential.access_key_id or "test", credential.secret_access_key, credential.session_token)
    return Caller(who, get_region())
