"""Clients of this server within its process, as root or under a role: then the role's policies decide, as on AWS."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from local.server.address import ACCESS_KEY, REGION, SECRET_KEY
from local.server.in_process import Session

session = botocore.session.Session()
"""One for all of the process: a session takes 30 ms, and its loaded API models are what makes a first client slow."""
session.get_component("data_loader")  # made at the first request for it, which two threads must not make at once

_creating = threading.Lock()
HANDLERS: list[tuple[str, Any]] = []
"""What every client made from now on calls: botocore's event, and the handler."""
_endpoint_url = ""
_http: Session | None = None


@dataclass(frozen=True)
class Credentials:
    """What signs a request."""

    access_key: str
    secret_key: str
    session_token: str | None


_ROOT = Credentials(ACCESS_KEY, SECRET_KEY, None)


def configure(endpoint_url: str, http: Session) -> None:
    """Say where this server is and what answers its clients, before the first client is made."""
    global _endpoint_url, _http
    _endpoint_url, _http = endpoint_url, http
    _client.cache_clear()


def send(request: AWSPreparedRequest) -> AWSResponse:
    """The answer to a prepared request, past every handler of a client."""
    assert _http is not None, "configure comes first"
    return _http.send(request)


@lru_cache(maxsize=256)
def session_credentials(role_arn: str) -> Credentials:
    """Temporary credentials of the role, as if a service had assumed it. They do not expire while the server runs."""
    from ministack.services import sts

    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    access_key, secret_key = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    token = secrets.token_hex(32)
    # Relies on sts.register_session, which AssumeRole itself uses.
    sts.register_session(
        access_key,
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/local-cloud",
            "UserId": f"AROA{secrets.token_hex(8).upper()}:local-cloud",
            "SecretAccessKey": secret_key,
            "SessionToken": token,
        },
    )
    return Credentials(access_key, secret_key, token)


def client(service: str, role_arn: str | None = None) -> Any:
    """A client of `service` under the role, or as root. Thread-safe and cached; waits as long as a call takes.

    Not for the thread of the server's event loop, which is to answer.
    """
    return client_of(service, session_credentials(role_arn) if role_arn else _ROOT)


def client_of(service: str, who: Credentials, region: str = REGION) -> Any:
    """Likewise, with credentials that signed a request to this server."""
    return _client(service, who, region)


@lru_cache(maxsize=256)
def _client(service: str, who: Credentials, region: str) -> Any:
    with _creating:
        made = session.create_client(
            service,
            region_name=region,
            endpoint_url=_endpoint_url,
            aws_access_key_id=who.access_key,
            aws_secret_access_key=who.secret_key,
            aws_session_token=who.session_token,
            config=Config(
                s3={"addressing_style": "path"},
                # Retries are what is played here, so none may happen unseen below.
                retries={"total_max_attempts": 1},
                parameter_validation=False,
            ),
        )
    made._endpoint.http_session = _http  # pyright: ignore[reportAttributeAccessIssue]
    # Calls that MiniStack denies carry no request id, which error messages of AWS always have.
    made.meta.events.register("after-call", _give_request_id)
    for event, handler in HANDLERS:
        made.meta.events.register(event, handler)
    return made


def _give_request_id(parsed: dict[str, Any], **_: Any) -> None:
    metadata = parsed.setdefault("ResponseMetadata", {})
    metadata.setdefault("RequestId", secrets.token_hex(16))
