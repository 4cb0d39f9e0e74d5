"""The server's own requests reach the application as those that come over the network do."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict

from local.server.in_process import Session

caller = contextvars.ContextVar("caller", default="nobody")


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers with what it was asked, or breaks."""
    if scope["path"] == "/broken":
        raise ValueError("broken")
    asked = await receive()
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while asked["more_body"]:
            await send({"type": "http.response.body", "body": asked["body"], "more_body": True})
            asked = await receive()
        with pytest.raises(TimeoutError):  # there is no more, and the client does not go away
            await asyncio.wait_for(receive(), 0.01)
        await send({"type": "http.response.body"})
        return
    said = {name: scope[name] for name in ("method", "path", "scheme")}
    said |= {name: scope[name].decode() for name in ("raw_path", "query_string")}
    said |= {name.decode(): value.decode() for name, value in scope["headers"]}
    said |= {"body": asked["body"].decode(), "caller": caller.get()}
    await send({"type": "http.response.start", "status": 201, "headers": [(b"x-said", b"yes")]})
    content = json.dumps(said).encode()
    for part in (content[:5], content[5:]):
        await send({"type": "http.response.body", "body": part, "more_body": part == content[:5]})


@pytest.fixture
def session() -> Iterator[Session]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield Session(echo, loop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def sent(session: Session, url: str, body: Any = b"") -> AWSResponse:
    headers: Any = HeadersDict({"X-Amz-Date": b"today", "Content-Length": "3"})
    request = AWSPreparedRequest("PUT", url, headers, body, False)
    return session.send(request)


@pytest.mark.parametrize("body", [b"abc", "abc", io.BytesIO(b"abc")])
def test_application_sees_the_request_as_it_was_signed(session: Session, body: Any) -> None:
    answer = sent(session, "http://127.0.0.1:4566/a%20b/c?list-type=2&prefix=x%2F", body)
    assert (answer.status_code, answer.headers["X-Said"]) == (201, "yes")
    assert json.loads(answer.content) == {
        "method": "PUT",
        "scheme": "http",
        "path": "/a b/c",
        "raw_path": "/a%20b/c",
        "query_string": "list-type=2&prefix=x%2F",
        "host": "127.0.0.1:4566",
        "x-amz-date": "today",
        "content-length": "3",
        "body": "abc",
        "caller": "nobody",
    }


def test_large_bodies_pass_in_parts_and_whole(session: Session) -> None:
    content = bytes(range(256)) * 20_000
    body: Any = sent(session, "http://127.0.0.1:4566/large", io.BytesIO(content)).raw
    assert body.read(3) == content[:3]
    assert body._rolled  # it is on the disk
    assert b"".join(body.stream()) == content[3:]


def test_nothing_of_the_callers_context_is_seen(session: Session) -> None:
    caller.set("someone")
    assert json.loads(sent(session, "http://127.0.0.1:4566/").content)["caller"] == "nobody"


def test_error_of_the_application_is_raised(session: Session) -> None:
    with pytest.raises(ValueError, match="broken"):
        sent(session, "http://127.0.0.1:4566/broken")
