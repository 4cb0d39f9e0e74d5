"""What waits for an end looks again when something has ended, and misses no end."""

from __future__ import annotations

import threading
import time

from local.aws import ended


def test_end_between_looking_and_waiting_is_not_missed() -> None:
    seen = ended.count()
    ended.announce()
    began = time.monotonic()
    ended.wait(seen, 30)
    assert time.monotonic() - began < 10


def test_wait_returns_when_something_ends_meanwhile() -> None:
    seen = ended.count()
    waiting = threading.Thread(target=ended.wait, args=(seen, 30))
    waiting.start()
    ended.announce()
    waiting.join(10)
    assert not waiting.is_alive()


def test_wait_without_an_end_takes_its_time_and_no_longer() -> None:
    began = time.monotonic()
    ended.wait(ended.count(), 0.05)
    assert 0.05 <= time.monotonic() - began < 10
