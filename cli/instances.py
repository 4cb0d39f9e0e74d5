"""Cheaper instance types that would have sufficed, from what a job or the endpoint was measured to use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from automl_pipeline import costs, prices
from automl_pipeline.prices import Meter, Prices


class Size(NamedTuple):
    """Processors and memory of an instance type."""

    processors: int
    gib: int


# aws.amazon.com/sagemaker/ai/pricing, tables of instances. Burstable types are left out: how long their credits last is
# not in what was measured, and an endpoint of them does not scale.
SIZES = {
    "ml.c5.large": Size(2, 4),
    "ml.m5.large": Size(2, 8),
    "ml.r5.large": Size(2, 16),
    "ml.c5.xlarge": Size(4, 8),
    "ml.m5.xlarge": Size(4, 16),
    "ml.r5.xlarge": Size(4, 32),
    "ml.c5.2xlarge": Size(8, 16),
    "ml.m5.2xlarge": Size(8, 32),
    "ml.r5.2xlarge": Size(8, 64),
    "ml.c5.4xlarge": Size(16, 32),
    "ml.m5.4xlarge": Size(16, 64),
    "ml.r5.4xlarge": Size(16, 128),
}
MEMORY_MARGIN, SYSTEM_GIB = 1.5, 1.0
"""Memory asked for: the peak times this, and what the system and the container around the job take."""
PROCESSOR_MARGIN = 2.0
"""Processors of the endpoint asked for: the busiest minute's times this."""
LEAST_SAVING = 0.05
"""Of the cost: less is no reason to change."""


@dataclass(frozen=True)
class Need:
    """What has to have room: `hours` are those that an instance of a size is paid for, inf where it would not do."""

    setting: str
    gib: float
    hours: Callable[[Size], float]
    current_hours: float
    per: str
    measured: str


@dataclass(frozen=True)
class Suggestion:
    """A cheaper type in place of another; `usd` and `instead_of_usd` are what each costs `per` run or month."""

    setting: str
    instance_type: str
    usd: float
    instead_of: str
    instead_of_usd: float
    per: str
    measured: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def in_words(self) -> str:
        """In one sentence."""
        return (
            f"{self.setting}: {self.instance_type} would have sufficed, ${self.usd:.4g} instead of "
            f"${self.instead_of_usd:.4g} a {self.per} with {self.instead_of} ({self.measured})."
        )


def for_job(
    setting: str,
    current: str,
    used: Mapping[str, float],
    paid_seconds: float,
    table: Prices,
    allowed: Iterable[str] = (),
) -> Suggestion | None:
    """For a processing job. `used`: the job's resources.json; `paid_seconds`: of its instance, its start included.

    With fewer processors than were busy on average the job takes longer in proportion. None if nothing is cheaper.
    """
    gib, busy = used["peak_memory_bytes"] / 2**30, used["processor_seconds"] / max(used["elapsed_seconds"], 1e-3)

    def hours(size: Size) -> float:
        slower = max(1.0, busy / size.processors) - 1.0
        seconds = paid_seconds + slower * used["elapsed_seconds"]
        return seconds / 3600 if seconds < costs.LONGEST_PROCESSING_SECONDS / 2 else math.inf

    measured = f"it used {gib:.2f} GiB and {busy:.1f} processors for {used['elapsed_seconds']:.0f} s"
    need = Need(setting, gib, hours, paid_seconds / 3600, "run", measured)
    return _cheapest(current, need, prices.processing, table, allowed)


def for_endpoint(
    current: str, instances: int, memory_percent: float, cpu_percent: float, table: Prices, allowed: Iterable[str] = ()
) -> Suggestion | None:
    """For the endpoint's instances. Percentages are CloudWatch's: the most of any minute; that of CPU is 100 for each processor."""
    if current not in SIZES:
        return None
    gib, busy = memory_percent / 100 * SIZES[current].gib, cpu_percent / 100

    def hours(size: Size) -> float:
        return instances * costs.HOURS_OF_MONTH if size.processors >= busy * PROCESSOR_MARGIN else math.inf

    measured = f"its busiest minutes used {gib:.2f} GiB and {busy:.1f} processors"
    need = Need("inference_instance_type", gib, hours, instances * costs.HOURS_OF_MONTH, "month", measured)
    return _cheapest(current, need, prices.hosting, table, allowed)


def _cheapest(
    current: str, need: Need, meter: Callable[[str], Meter], table: Prices, allowed: Iterable[str]
) -> Suggestion | None:
    now, only = table.of(meter(current)), {*allowed}
    if now is None:
        return None
    found = [
        (price.usd * need.hours(size), name)
        for name, size in SIZES.items()
        if (price := table.of(meter(name)))
        and (not only or name in only)
        and size.gib >= need.gib * MEMORY_MARGIN + SYSTEM_GIB
    ]
    usd, name = min(found, default=(math.inf, current))
    before = now.usd * need.current_hours
    if usd > before * (1 - LEAST_SAVING):
        return None
    return Suggestion(need.setting, name, usd, current, before, need.per, need.measured)
