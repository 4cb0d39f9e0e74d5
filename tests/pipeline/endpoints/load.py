"""A load of requests from several clients at once, each of which remembers what it saw in turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

MOST_REQUESTS = 20_000
MOST_SECONDS = 90.0


@dataclass
class Load:
    """What clients saw: for each client its answers in turn, or the errors in their place."""

    clients: list[list[bytes | str]] = field(default_factory=list)

    @property
    def seen(self) -> list[bytes | str]:
        """Everything that all clients saw."""
        return [one for client in self.clients for one in client]

    @property
    def errors(self) -> list[str]:
        """The errors among it."""
        return [one for one in self.seen if isinstance(one, str)]


@contextmanager
def running(runtime: Any, endpoint: str, body: bytes, clients: int = 4) -> Iterator[Load]:
    """Ask the endpoint again and again until the context is left. `runtime`: a client that does not retry."""
    load, ended, until = Load(), threading.Event(), time.monotonic() + MOST_SECONDS

    def ask(seen: list[bytes | str]) -> None:
        while not ended.is_set() and len(seen) < MOST_REQUESTS and time.monotonic() < until:
            try:
                answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=body)
                seen.append(answer["Body"].read())
            except ClientError as error:
                seen.append(str(error))
            except Exception as error:
                seen.append(f"{type(error).__name__}: {error}")

    threads = []
    for _ in range(clients):
        seen: list[bytes | str] = []
        load.clients.append(seen)
        threads.append(threading.Thread(target=ask, args=(seen,), daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        ended.set()
        for thread in threads:
            thread.join()
