"""Which fleet answers a request: the one that serves, or a new one with its share of the requests."""

from __future__ import annotations

import contextlib
import threading

from local.aws.sagemaker.fleet import Fleet

_Answering = contextlib.AbstractContextManager[None]


class Traffic:
    """Shares out an endpoint's requests between two fleets at most. Each request is answered by one of them.

    The share is kept exactly: with a quarter, every fourth request goes to the new fleet.
    """

    def __init__(self) -> None:
        # Held for the moment between choosing a fleet and counting the request with it, so that none meets a closed one.
        self._lock = threading.Lock()
        self._serving: Fleet | None = None
        self._new: Fleet | None = None
        self._share = 0.0
        self._owed = 0.0

    @property
    def serving(self) -> Fleet | None:
        """The fleet that serves; during an update the old one."""
        return self._serving

    def begin(self) -> tuple[Fleet, _Answering] | None:
        """A fleet for one request, to be answered within the context; None if nothing serves."""
        with self._lock:
            fleet = self._serving
            if self._new is not None:
                self._owed += self._share
                if self._owed >= 1:
                    self._owed -= 1
                    fleet = self._new
            return (fleet, fleet.begin()) if fleet else None

    def shift(self, fleet: Fleet, share: float) -> None:
        """From now on this share of the requests, 0 to 1, goes to the new fleet."""
        with self._lock:
            self._new, self._share = fleet, share
            self._owed = 0.0

    def withdraw(self) -> None:
        """From now on all requests go to the old fleet again."""
        with self._lock:
            self._new = None

    def replace(self, fleet: Fleet | None) -> list[Fleet]:
        """From now on this fleet alone serves, or none. Returns those that did, to be closed."""
        with self._lock:
            before = [old for old in (self._serving, self._new) if old is not None and old is not fleet]
            self._serving, self._new = fleet, None
            return before
