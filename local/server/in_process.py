"""Answers this server's own requests without the network: what a client of `sessions` sends goes to the application at once.

A request is signed, authorized and answered as one that comes over the network; what is left out is HTTP itself, which
costs more than most answers do.
"""

from __future__ import annotations

import asyncio
import contextvars
import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

Messages = list[dict[str, Any]]
"""What an ASGI application sends."""


class Body(io.BytesIO):
    """An answer's content, as botocore reads it."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """All of it."""
        yield self.read()


class Session:
    """In place of botocore's URLLib3Session, for any thread but that of the application's event loop."""

    def __init__(self, application: Callable[..., Any], loop: asyncio.AbstractEventLoop):
        """`application`: an ASGI application."""
        self._application, self._loop = application, loop
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop keeps none

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """The application's answer to a request."""
        scope, content, answer = _scope(request), _content(request.body), Future[Messages]()

        def begin() -> None:
            task = self._loop.create_task(self._ask(scope, content, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        # In a context of its own, as each request is that comes over the network.
        self._loop.call_soon_threadsafe(begin, context=contextvars.Context())
        start, *parts = answer.result()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
        body = Body(b"".join(part.get("body", b"") for part in parts))
        return AWSResponse(request.url, start["status"], headers, body)  # pyright: ignore[reportArgumentType]

    async def _ask(self, scope: dict[str, Any], content: bytes, answer: Future[Messages]) -> None:
        asked = iter([{"type": "http.request", "body": content, "more_body": False}])
        said: Messages = []

        async def receive() -> dict[str, Any]:
            return next(asked, {"type": "http.disconnect"})

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        try:
            await self._application(scope, receive, send)
            answer.set_result(said)
        except BaseException as error:
            answer.set_exception(error)

    def close(self) -> None:
        """Nothing is open."""


def _content(body: Any) -> bytes:
    if hasattr(body, "read"):
        return body.read()
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def _scope(request: AWSPreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url)
    headers = [(name.lower().encode("latin-1"), _content(value)) for name, value in request.headers.items()]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": unquote(url.path) or "/",
        "raw_path": (url.path or "/").encode("ascii"),
        "query_string": url.query.encode("ascii"),
        "headers": [(b"host", url.netloc.encode("ascii")), *headers],
        "client": (url.hostname, 0),
        "server": (url.hostname, url.port),
    }
