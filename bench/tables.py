"""Tables of any size as Athena writes them, made without holding them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy
import pandas

from local.data import telco

AT_ONCE = 1 << 22  # cells
AN_HOUR = 100_000  # rows


def customers(path: Path, rows: int) -> None:
    """Telco's customers, drawn again and again."""
    path.parent.mkdir(parents=True)
    table = telco.load().assign(event_time="2026-01-01T00:00:00Z")
    at_once = 200_000
    for begin in range(0, rows, at_once):
        part = table.sample(min(at_once, rows - begin), replace=True, random_state=begin)
        part.to_csv(path, index=False, header=begin == 0, mode="a", quoting=csv.QUOTE_ALL)


def customers_in_hours(rows: int) -> Iterator[Any]:
    """Customers like Telco's under ids of their own: a table for each hour of event time, of `AN_HOUR` rows.

    Each is one of Telco's with other months and charges, and leaves as often as those of its contract, internet service and
    first year do: the same customers again and again would be known by heart from the training rows.
    """
    table = telco.load()
    alike = [table["contract_type"], table["internet_service"], table["tenure_months"] <= 12]
    shares = (table[telco.TARGET] == "Yes").groupby(alike).transform("mean")
    for hour, begin in enumerate(range(0, rows, AN_HOUR)):
        generator = numpy.random.default_rng(begin)
        part = table.sample(min(AN_HOUR, rows - begin), replace=True, random_state=begin)
        months = (part["tenure_months"] + generator.integers(-2, 3, len(part))).clip(0)
        charges = (part["monthly_charges"] + generator.normal(0, 3, len(part))).clip(18).round(2)
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
        yield part.assign(
            customer_id=[f"CUST_{begin + number:08d}" for number in range(1, len(part) + 1)],
            tenure_months=months,
            monthly_charges=charges,
            total_charges=(months * charges).round(2).astype(str).where(months > 0, " "),
            churn=numpy.where(generator.random(len(part)) < shares[part.index], "Yes", "No"),
            event_time=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        ).reset_index(drop=True)


def wide(path: Path, rows: int, columns: int) -> None:
    """A table with `columns` features, half numbers with four digits, half texts of ten values, 3 % of them missing."""
    path.parent.mkdir(parents=True)
    generator = numpy.random.default_rng(0)
    texts = numpy.array([f"value {letter}" for letter in "abcdefghij"], dtype=object)
    at_once = max(1, AT_ONCE // columns)
    for begin in range(0, rows, at_once):
        count = min(at_once, rows - begin)
        part = {"customer_id": numpy.arange(begin, begin + count), "event_time": "2026-01-01T00:00:00Z"}
        for place in range(columns):
            values = generator.integers(0, 10_000, count)
            column = pandas.Series(values / 10 if place % 2 else texts[values % 10])
            part[f"feature_{place}"] = column.mask(generator.random(count) < 0.03)
        part["churn"] = numpy.where(generator.random(count) < 0.27, "Yes", "No")
        pandas.DataFrame(part).to_csv(path, index=False, header=begin == 0, mode="a", quoting=csv.QUOTE_ALL)
