"""Lets what waits for an end (of a job, a query, an execution) look at once when something has ended, and seldom otherwise."""

from __future__ import annotations

import threading

SELDOM_SECONDS = 1.0
"""How long a wait takes at most when nothing ends: what is waited for may also have changed in another way."""

_ends = 0
_ended = threading.Condition()


def announce() -> None:
    """Something has ended, and its status says so."""
    global _ends
    with _ended:
        _ends += 1
        _ended.notify_all()


def count() -> int:
    """How many ends there have been: take it before looking, so that `wait` misses none that comes meanwhile."""
    with _ended:
        return _ends


def wait(seen: int, seconds: float = SELDOM_SECONDS) -> None:
    """Returns when there have been more ends than `seen`, or after `seconds`."""
    with _ended:
        _ended.wait_for(lambda: _ends > seen, seconds)
