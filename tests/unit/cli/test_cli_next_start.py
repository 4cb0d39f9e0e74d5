"""When a schedule starts next, in the words of EventBridge Scheduler."""

from __future__ import annotations

from datetime import datetime

import pytest

from cli import next_start

NOW = datetime.fromisoformat("2026-11-25T07:20:00+00:00")  # a Wednesday


@pytest.mark.parametrize(
    ("expression", "timezone", "expected"),
    [
        ("cron(0 0 1 * ? *)", "UTC", "2026-12-01T00:00"),
        ("cron(0 6 ? * MON *)", "UTC", "2026-11-30T06:00"),
        ("cron(0 6 ? * 2 *)", "UTC", "2026-11-30T06:00"),
        ("cron(0 6 ? * MON-FRI *)", "Europe/Berlin", "2026-11-26T05:00"),
        ("cron(0/15 7 * * ? *)", "UTC", "2026-11-25T07:30"),
        ("cron(20 7 * * ? *)", "UTC", "2026-11-26T07:20"),
        ("cron(0 12 29 FEB ? *)", "UTC", "2028-02-29T12:00"),
        ("cron(0 12 1,15 1/6 ? 2027)", "UTC", "2027-01-01T12:00"),
        ("cron(0 12 1 1 ? 2020)", "UTC", None),
        ("cron(0 12 L * ? *)", "UTC", None),
        ("cron(0 12 ? * 6#3 *)", "UTC", None),
        ("rate(7 days)", "UTC", None),
        ("at(2027-01-31T06:00:00)", "Asia/Tokyo", "2027-01-30T21:00"),
        ("cron(20 7 * * ? *)", "Nowhere/Else", None),
        ("at(2020-01-31T06:00:00)", "UTC", None),
    ],
)
def test_next_start(expression: str, timezone: str, expected: str | None) -> None:
    found = next_start.after(NOW, expression, timezone)
    assert (found and f"{found:%Y-%m-%dT%H:%M}") == expected
