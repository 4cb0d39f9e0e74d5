"""Jobs' and endpoints' logs, in CloudWatch Logs under the group names that SageMaker uses."""

from __future__ import annotations

import contextlib
import threading
import time

from botocore.exceptions import ClientError

from local.server import sessions

_FLUSH_SECONDS = 1.0
_MOST_EVENTS = 5000


class LogStream:
    """Collects lines and writes them about once a second. `close` writes the rest."""

    def __init__(self, group: str, stream: str):
        self._group, self._stream = group, stream
        self._events: list[dict[str, object]] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._writer = threading.Thread(target=self._write_now_and_then, daemon=True)
        self._writer.start()

    def __call__(self, line: str) -> None:
        """Add a line."""
        if line.strip():
            with self._lock:
                self._events.append({"timestamp": int(time.time() * 1000), "message": line.rstrip()})

    def close(self) -> None:
        """Write what is left and end."""
        self._closed.set()
        self._writer.join()

    def _write_now_and_then(self) -> None:
        client = sessions.client("logs")
        for create in (
            lambda: client.create_log_group(logGroupName=self._group),
            lambda: client.create_log_stream(logGroupName=self._group, logStreamName=self._stream),
        ):
            with contextlib.suppress(ClientError):  # it is there already
                create()
        ended = False
        while not ended:
            ended = self._closed.wait(_FLUSH_SECONDS)
            with self._lock:
                events, self._events = self._events, []
            for first in range(0, len(events), _MOST_EVENTS):
                client.put_log_events(
                    logGroupName=self._group, logStreamName=self._stream, logEvents=events[first : first + _MOST_EVENTS]
                )
