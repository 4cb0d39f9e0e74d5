"""When a schedule starts its next run, from its expression.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LOOK_AHEAD = timedelta(days=366 * 5)


def after(now: datetime, expression: str, timezone: str) -> datetime | None:
    """The first start after `now` (with a time zone), in UTC; None if there is none in five years or it cannot be known.

    Unknown are rates, which count from when the schedule was made, and L, W and # in cron expressions.
    """
    try:
        zone = ZoneInfo(timezone)
    except ZoneInfoNotFoundError:  # AWS knows more zones than some machines
        return None
    once = re.fullmatch(r"at\((.+)\)", expression)
    if once:
        at = datetime.fromisoformat(once[1]).replace(tzinfo=zone).astimezone(UTC)
        return at if at > now else None
    cron = re.fullmatch(r"cron\((.+)\)", expression)
    if not cron:
        return None
    try:
        minutes, hours, days, months, weekdays, years = _fields(cron[1])
    except ValueError:
        return None
    day, last = now.astimezone(zone).date(), now.astimezone(zone).date() + _LOOK_AHEAD
    while day <= last:
        if day.year in years and day.month in months and day.day in days and _weekday(day) in weekdays:
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    at = datetime.combine(day, time(hour, minute), zone).astimezone(UTC)
                    if at > now:
                        return at
        day += timedelta(days=1)
    return None


def _weekday(day: date) -> int:
    """1 is Sunday."""
    return day.isoweekday() % 7 + 1


def _fields(text: str) -> list[set[int]]:
    """The values of a cron expression's six fields. Raises ValueError for L, W and # and for what is no cron."""
    bounds = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (1, 7, _DAYS), (1970, 2199, ()))
    fields = []
    for field, (low, high, names) in zip(text.split(), bounds, strict=True):
        values: set[int] = set()
        for part in field.split(","):
            span, _, step = part.partition("/")
            first, _, end = span.partition("-")
            if span in ("*", "?"):
                start, stop = low, high
            else:
                start = _number(first, low, names)
                stop = _number(end, low, names) if end else high if step else start
            values |= set(range(start, stop + 1, int(step or 1)))
        fields.append(values)
    return fields


def _number(text: str, low: int, names: tuple[str, ...]) -> int:
    return names.index(text.upper()) + low if text.upper() in names else int(text)
