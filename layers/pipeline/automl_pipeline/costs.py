"""What a run costs: how much of what it uses, at which price, and how a limit on it bounds the run.

Amounts are US dollars at list prices (prices.py). What has no price is named and left out of the sum, never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from automl_pipeline import prices
from automl_pipeline.prices import Meter, Prices
from automl_pipeline.settings import InvalidInputError, Settings

HOURS_OF_MONTH = 730
LONGEST_PROCESSING_SECONDS = 7200
"""MaxRuntimeInSeconds of the processing job."""
LONGEST_TRANSFORM_SECONDS = 9000
"""TimeoutSeconds of both transform jobs in training.asl.yaml: batch transform has no limit of its own."""
TRIALS = 10
"""Trials of Autopilot in ensembling mode, each a training job, where max_candidates does not say how many.
docs.aws.amazon.com/sagemaker/latest/dg/autopilot-model-support-validation.html"""
LONGEST_AUTOML_SECONDS = 30 * 86_400
"""The most that settings take for automl_max_runtime_sec."""
LEAST_AUTOML_SECONDS = 300
"""With less time the AutoML job would find no model: the run is refused."""
LEAST_SCANNED_BYTES = 10 * 1024**2
"""The minimum that Athena charges for, per query."""

_TB, _GB_OF_FUNCTIONS = 1024**4, {"PrepareRun": 0.5, "EvaluateModel": 3008 / 1024}


@dataclass(frozen=True)
class Use:
    """The quantity of a meter, in its unit, that a step of a run uses; `basis` says where the figure comes from."""

    step: str
    meter: Meter
    quantity: float
    basis: str


@dataclass(frozen=True)
class Bill:
    """Uses with their costs; a cost is None where there is no price."""

    region: str
    items: tuple[tuple[Use, float | None], ...]

    @property
    def usd(self) -> float:
        """The sum of what has a price."""
        return sum(usd for _, usd in self.items if usd is not None)

    @property
    def unpriced(self) -> list[str]:
        """The usage types without a price."""
        return sorted({use.meter.usage for use, usd in self.items if usd is None and use.quantity})

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "usd": round(self.usd, 6),
            "complete": not self.unpriced,
            "unpriced": self.unpriced,
            "items": [
                {
                    "step": use.step,
                    "usage": use.meter.usage,
                    "quantity": use.quantity,
                    "unit": use.meter.unit,
                    "usd": usd,
                    "basis": use.basis,
                }
                for use, usd in self.items
            ],
        }


def bill(uses: Iterable[Use], table: Prices) -> Bill:
    """What these uses cost."""

    def cost(use: Use) -> float | None:
        price = table.of(use.meter)
        return None if price is None else use.quantity * price.usd

    return Bill(table.region, tuple((use, cost(use)) for use in uses))


@dataclass(frozen=True)
class Times:
    """How long the parts of a run take, and `basis`: how that is known.

    Seconds of instances, those of AutoML over all its training jobs; `automl_type` is what these ran on, None if unknown.
    """

    processing: float
    transform: float
    automl: float
    automl_type: str | None
    functions: Mapping[str, float]
    transitions: int
    scanned: int
    basis: str


def assumed(settings: Mapping[str, Any]) -> Times:
    """For a stack without a run: a table of some ten thousand rows."""
    trials = settings.get("max_candidates") or TRIALS
    transforms = 1 if settings.get("champion", "Report") == "Off" else 2
    each = min(settings.get("max_runtime_sec") or 600, settings.get("automl_max_runtime_sec") or 600, 600)
    return Times(
        processing=300 * settings.get("processing_instance_count", 1),
        transform=300 * transforms * settings.get("transform_instance_count", 1),
        automl=trials * each,
        automl_type=settings.get("automl_instance_type"),
        functions={"PrepareRun": 2, "EvaluateModel": 15},
        transitions=60 + 3 * 20,
        scanned=LEAST_SCANNED_BYTES,
        basis=f"assumed: 5 min a job, {trials} trials of {each / 60:g} min, 20 min of AutoML",
    )


def of_run(settings: Mapping[str, Any], times: Times) -> list[Use]:
    """What a run with these settings uses."""
    functions = sum(times.functions.get(name, 0) * size for name, size in _GB_OF_FUNCTIONS.items())
    automl = prices.training(times.automl_type or "of Autopilot's choice")
    return [
        Use("DataSource", prices.SCANNED, max(times.scanned, LEAST_SCANNED_BYTES) / _TB, times.basis),
        Use("PreprocessData", prices.processing(settings["processing_instance_type"]), times.processing / 3600, times.basis),
        Use("AutoMLTraining", automl, times.automl / 3600, times.basis),
        Use("EvaluateModel", prices.transform(settings["transform_instance_type"]), times.transform / 3600, times.basis),
        Use("functions", prices.LAMBDA_SECONDS, functions, times.basis),
        Use("functions", prices.LAMBDA_REQUESTS, len(times.functions), times.basis),
        Use("machines", prices.TRANSITIONS, times.transitions, times.basis),
    ]  # fmt: skip


def bounded(settings: Settings, table: Prices) -> Settings:
    """The settings with AutoML's time cut to what max_cost_usd leaves for it.

    The limit holds for what SageMaker's jobs cost at the most: each as long as it may run, and every trial of Autopilot as
    long as the whole AutoML job. A run's query, functions and transitions are cents; endpoint and storage are no part of it.
    Raises InvalidInputError where the limit cannot be promised.
    """
    limit = settings.max_cost_usd
    if limit is None:
        return settings
    transforms = 1 if settings.champion == "Off" else 2
    transforms *= settings.transform_instance_count
    longest = {prices.transform(settings.transform_instance_type): transforms * LONGEST_TRANSFORM_SECONDS}
    resumed = settings.resume_from is not None
    if not resumed:
        longest[prices.processing(settings.processing_instance_type)] = (
            settings.processing_instance_count * LONGEST_PROCESSING_SECONDS
        )
        if settings.automl_instance_type is None:
            raise InvalidInputError(
                [
                    "max_cost_usd: a limit cannot be promised, as Autopilot chooses its instances and the stack does not "
                    "know which. Deploy it with AutoMLInstanceType (`automl cost RUN` shows what a run was trained on), or "
                    "leave max_cost_usd out."
                ]
            )
    trained_on = prices.training(settings.automl_instance_type or "")
    missing = [meter.usage for meter in (*longest, *([] if resumed else [trained_on])) if table.of(meter) is None]
    if missing:
        raise InvalidInputError(
            [
                f"max_cost_usd: a limit cannot be promised, as there is no price in {table.region} for {', '.join(missing)}. "
                "Read the prices (automl cost --refresh), choose other instance types, or leave max_cost_usd out."
            ]
        )
    reserved = sum(_usd(table, meter) * seconds / 3600 for meter, seconds in longest.items())
    a_second = 0.0 if resumed else _usd(table, trained_on) / 3600 * (settings.max_candidates or TRIALS)
    wanted = min(settings.automl_max_runtime_sec or LEAST_AUTOML_SECONDS, LEAST_AUTOML_SECONDS)
    left = limit - reserved
    if left < a_second * wanted:
        raise InvalidInputError(
            [
                f"max_cost_usd: {limit:g} USD is too little. Processing and batch transform may cost {reserved:.2f} USD, "
                f"{wanted // 60} minutes of AutoML {a_second * wanted:.2f} USD. Set at least "
                f"{math.ceil((reserved + a_second * wanted) * 100) / 100:.2f}, or choose smaller instance types or fewer max_candidates."
            ]
        )
    if resumed:
        return settings
    affordable = min(int(left / a_second), LONGEST_AUTOML_SECONDS)
    whole = min(settings.automl_max_runtime_sec or affordable, affordable)
    return settings.model_copy(
        update={"automl_max_runtime_sec": whole, "max_runtime_sec": min(settings.max_runtime_sec, whole)}
    )


def _usd(table: Prices, meter: Meter) -> float:
    price = table.of(meter)
    return 0.0 if price is None else price.usd
