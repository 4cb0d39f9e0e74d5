"""Wakes those who wait for a job, a query or an execution as soon as any of them ends; otherwise they poll once a second."""

from __future__ import annotations

import threading

SELDOM_SECONDS = 1.0
"""The longest wait while nothing ends: a status may also change in another way."""

_ends = 0
_ended = threading.Condition()


def announce() -> None:
    """To be called once the status of what has ended is final."""
    global _ends
    with _ended:
        _ends += 1
        _ended.notify_all()


def count() -> int:
    """The number of ends so far. Read it before the status, so that `wait` misses no end in between."""
    with _ended:
        return _ends


def wait(seen: int, seconds: float = SELDOM_SECONDS) -> None:
    """Returns when there have been more ends than `seen`, or after `seconds`."""
    with _ended:
        _ended.wait_for(lambda: _ends > seen, seconds)
