"""Answers this server's own requests without the network: what a client of `sessions` sends goes to the application at once.

A request is signed, authorized and answered as one that comes over the network; what is left out is HTTP itself, which
costs more than most answers do.
"""

from __future__ import annotations

import asyncio
import contextvars
import io
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

_AT_ONCE = 1 << 20
"""Bytes of a body that are in memory; a larger one is on the disk."""


class Body(tempfile.SpooledTemporaryFile[bytes]):
    """An answer's content, as botocore reads it."""

    def __init__(self, content: bytes = b""):
        super().__init__(_AT_ONCE)
        self.write(content)
        self.seek(0)

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """All of it."""
        return iter(lambda: self.read(_AT_ONCE), b"")


class Session:
    """In place of botocore's URLLib3Session, for any thread but that of the application's event loop."""

    def __init__(self, application: Callable[..., Any], loop: asyncio.AbstractEventLoop):
        """`application`: an ASGI application."""
        self._application, self._loop = application, loop
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop keeps none

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """The application's answer to a request."""
        scope, asked, answer = _scope(request), _stream(request.body), Future[tuple[dict[str, Any], Body]]()

        def begin() -> None:
            task = self._loop.create_task(self._ask(scope, asked, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        # In a context of its own, as each request is that comes over the network.
        self._loop.call_soon_threadsafe(begin, context=contextvars.Context())
        start, body = answer.result()
        body.seek(0)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
        return AWSResponse(request.url, start["status"], headers, body)  # pyright: ignore[reportArgumentType]

    async def _ask(self, scope: dict[str, Any], asked: BinaryIO, answer: Future[tuple[dict[str, Any], Body]]) -> None:
        start, body, more = dict[str, Any](), Body(), True

        async def receive() -> dict[str, Any]:
            nonlocal more
            if not more:
                await self._loop.create_future()  # a client that never goes away
            part = asked.read(_AT_ONCE)
            more = bool(part)
            return {"type": "http.request", "body": part, "more_body": more}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.write(message.get("body", b""))

        try:
            await self._application(scope, receive, send)
            answer.set_result((start, body))
        except BaseException as error:
            answer.set_exception(error)

    def close(self) -> None:
        """Nothing is open."""


def _stream(body: Any) -> BinaryIO:
    return body if hasattr(body, "read") else io.BytesIO(_bytes(body or b""))


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _scope(request: AWSPreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url)
    headers = [(name.lower().encode("latin-1"), _bytes(value)) for name, value in request.headers.items()]
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
