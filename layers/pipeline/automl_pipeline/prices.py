"""What AWS charges: on-demand list prices by Region, each with the day and the place it was read.

The table that ships (prices.json) holds the prices that could be read somewhere; what it lacks has no price here and is never
guessed. `automl cost --refresh` reads the stack's Region from the AWS Price List API and keeps the answer in the stack's
bucket, where it takes the shipped table's place. Neither free tiers nor Savings Plans are counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

KEY = "prices.json"
"""The refreshed table, below the stack's prefix."""

_SHIPPED = Path(__file__).with_name(KEY)
# us-east-1 has no prefix in some services' usage types and USE1- in others'.
_REGION_PREFIX = re.compile(
    r"^(USE1|US[EW][12]|EU[A-Z]?[0-9]?|AP[A-Z][0-9]|CAN[0-9]|SAE1|AFS1|ME[A-Z][0-9]|ILC1|UG[EW]1)-"
)


class Meter(NamedTuple):
    """Something that is charged for: AWS's code of the service, the usage type without its Region, and the unit."""

    service: str
    usage: str
    unit: str


@dataclass(frozen=True)
class Price:
    """A price: US dollars for one unit of a usage type in a Region, when it was read, and where."""

    service: str
    usagetype: str
    unit: str
    usd: float
    read: str
    source: str

    @property
    def meter(self) -> Meter:
        """What the price is for."""
        return Meter(self.service, _REGION_PREFIX.sub("", self.usagetype), self.unit)


class Prices:
    """The prices of one Region. `of` answers with None where there is none."""

    def __init__(self, region: str, rows: Iterable[Price]):
        self.region = region
        self.rows = tuple(rows)
        self._by_meter = {row.meter: row for row in self.rows}

    def of(self, meter: Meter) -> Price | None:
        """The price of a meter."""
        return self._by_meter.get(meter)

    def document(self) -> dict[str, Any]:
        """As JSON, in the form of the shipped table."""
        return {self.region: [asdict(row) for row in self.rows]}


LAMBDA_SECONDS = Meter("AWSLambda", "Lambda-GB-Second-ARM", "Lambda-GB-Second")
LAMBDA_REQUESTS = Meter("AWSLambda", "Request-ARM", "Requests")
TRANSITIONS = Meter("AmazonStates", "StateTransition", "StateTransitions")
SCANNED = Meter("AmazonAthena", "DataScannedInTB", "Terabytes")
ALARMS = Meter("AmazonCloudWatch", "CW:AlarmMonitorUsage", "Alarms")

# What narrows GetProducts down, besides the Region; SageMaker's is the instance type.
FILTERS: Mapping[str, Mapping[str, str]] = {
    "AWSLambda": {"productFamily": "Serverless"},
    "AmazonStates": {},
    "AmazonAthena": {},
    "AmazonCloudWatch": {},
}


def processing(instance_type: str) -> Meter:
    """An hour of a processing job's instance."""
    return _instance("Processing", instance_type)


def training(instance_type: str) -> Meter:
    """An hour of a training job's instance; Autopilot's are such."""
    return _instance("Train", instance_type)


def transform(instance_type: str) -> Meter:
    """An hour of a batch transform's instance."""
    return _instance("Tsform", instance_type)


def hosting(instance_type: str) -> Meter:
    """An hour of an endpoint's instance."""
    return _instance("Host", instance_type)


def shipped(region: str) -> Prices:
    """The prices of a Region that ship with this version."""
    return parsed(_SHIPPED.read_bytes(), region)


def shipped_regions() -> list[str]:
    """The Regions of which the shipped table has prices."""
    return list(json.loads(_SHIPPED.read_bytes()))


def parsed(content: bytes, region: str) -> Prices:
    """The prices of a Region in a table's JSON."""
    return Prices(region, [Price(**row) for row in json.loads(content).get(region, [])])


def from_product(product: Mapping[str, Any], read: str) -> Price | None:
    """The price in one product of the Price List, an element of GetProducts' PriceList; None if it charges nothing.

    Of several steps it is the first that costs something: free tiers are steps at zero.
    """
    dimensions = [
        dimension
        for term in product["terms"].get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if float(dimension["pricePerUnit"].get("USD", 0)) > 0
    ]
    if not dimensions:
        return None
    first = min(dimensions, key=lambda dimension: float(dimension.get("beginRange") or 0))
    return Price(
        service=product["serviceCode"],
        usagetype=product["product"]["attributes"]["usagetype"],
        unit=first["unit"],
        usd=float(first["pricePerUnit"]["USD"]),
        read=read,
        source="AWS Price List API",
    )


def _instance(kind: str, instance_type: str) -> Meter:
    return Meter("AmazonSageMaker", f"{kind}:{instance_type}", "Hrs")
