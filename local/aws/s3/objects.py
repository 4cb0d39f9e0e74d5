"""S3 objects as plain files: `<state>/s3/<account>/<bucket>/<key>`, for people to look at, and not in memory.

MiniStack writes a file of metadata beside each object so that it can load them after a restart. Here every server
starts empty, so those files would only be in the reader's way. It also holds a request's body in memory, and that of each
version for good; a larger one is a file here from the first byte to the last, mapped into memory while it is looked at.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import tempfile
import weakref
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core.responses import StreamingResponse
from ministack.services import s3

from local.aws import ministack_patches

LARGE = 1 << 20
"""Bytes from which a body is a file."""

_METADATA_SUFFIX = ".meta.json"
_AT_ONCE = 1 << 20
_folder = Path()

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class _Mapped(mmap.mmap):
    """A file's content, which is used as `bytes` are: hashed, sliced, written; its pages are the disk's cache."""

    path: Path

    @staticmethod
    def of(path: Path) -> _Mapped:
        """The content of a file that is not empty and, as objects, never changes."""
        with path.open("rb") as file:
            content = _Mapped(file.fileno(), 0, access=mmap.ACCESS_READ)
        content.path = path
        return content


def install(folder: Path) -> None:
    """Keep MiniStack from writing metadata files and from holding large bodies; `folder` is on the disk of the objects."""
    global _folder
    _folder = folder
    write, read_request, get, read = s3._atomic_write, app._read_request_body, s3._get_object, s3._read_body

    def write_objects_only(path: str, data: Any, *, text: bool = False) -> None:
        if path.endswith(_METADATA_SUFFIX):
            return
        if isinstance(data, _Mapped):
            _link(data, Path(path))
        else:
            write(path, data, text=text)

    async def read_request_body(receive: Receive, method: str, headers: dict[str, str]) -> Any:
        if not _is_large_object(method, headers):
            return await read_request(receive, method, headers)
        body = await _spool(receive, int(headers["content-length"]))
        app.pin_signed_body(body)  # pyright: ignore[reportArgumentType] - is used as bytes
        return body

    def get_object(*given: Any, **named: Any) -> tuple[int, dict[str, str], Any]:
        status, headers, body = get(*given, **named)
        return status, headers, _streamed(body) if isinstance(body, _Mapped) else body

    def read_body(bucket: str, key: str, record: dict[str, Any]) -> Any:
        path = (
            s3._object_disk_path(bucket, key) if record.get("body") is None and record.get("size", 0) >= LARGE else None
        )
        return _Mapped.of(Path(path)) if path else read(bucket, key, record)

    ministack_patches.replace(s3, "_atomic_write", write_objects_only)
    ministack_patches.replace(app, "_read_request_body", read_request_body)
    ministack_patches.replace(s3, "_get_object", get_object)
    ministack_patches.replace(s3, "_read_body", read_body)


def _is_large_object(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request has an object, as it is, for a body: PutObject and UploadPart alone are PUTs of this size."""
    length = headers.get("content-length", "")
    is_plain = not (
        headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
        or "aws-chunked" in headers.get("content-encoding", "")
        or headers.get("x-amz-decoded-content-length")
    )
    return method == "PUT" and is_plain and length.isdecimal() and int(length) >= LARGE


async def _spool(receive: Receive, length: int) -> _Mapped:
    """The request's body, written to the disk as it comes; the file goes when nobody looks at it any more."""
    handle, name = tempfile.mkstemp(dir=_folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise app._RequestBodyDisconnected
                file.write(message.get("body", b""))
                more = message.get("more_body", False)
            if file.tell() != length:
                raise app._RequestBodyDisconnected
        content = _Mapped.of(path)
    except BaseException:
        path.unlink()
        raise
    weakref.finalize(content, path.unlink, missing_ok=True)
    return content


def _link(content: _Mapped, path: Path) -> None:
    """Put a file with the content at the path, at once, without copying a byte."""
    if path.exists() and content.path.samefile(path):
        return
    beside = path.with_name(f"{path.name}.tmp")
    beside.unlink(missing_ok=True)
    beside.hardlink_to(content.path)
    beside.replace(path)


def _streamed(content: _Mapped) -> StreamingResponse:
    """An answer with the content; no more of it is sent once the client has gone, which the server would keep."""

    async def run(send: Send, receive: Receive) -> None:
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            for begin in range(0, len(content), _AT_ONCE):
                part = content[begin : begin + _AT_ONCE]
                await send({"type": "http.response.body", "body": part, "more_body": begin + _AT_ONCE < len(content)})
                await asyncio.sleep(0)  # for the connection's end to be seen
                if gone.done():
                    return
        finally:
            gone.cancel()

    return StreamingResponse(run)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
