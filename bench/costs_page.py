"""What a month costs, on paper: this pipeline beside other designs of the same work, from the shipped prices.

`python -m bench.costs_page` writes the tables into docs/costs.md. Quantities are assumptions, named here and on the page;
prices are those of REGION, the one Region of which every price of an instance that is needed ships.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from automl_pipeline import costs, prices
from automl_pipeline.costs import Use
from automl_pipeline.settings import Settings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "costs.md"
BEGIN, END = "<!-- computed: python -m bench.costs_page -->\n", "<!-- end of what is computed -->\n"

REGION, TYPE = "eu-west-1", "ml.m5.xlarge"
RUNS_A_MONTH = 4
SETTINGS = {
    "processing_instance_type": TYPE,
    "transform_instance_type": TYPE,
    "automl_instance_type": TYPE,
    "max_candidates": None,
    "champion": "Off",  # the other designs compare with none
}
NIGHT_INSTANCES, NIGHT_HOURS = 2, (20, 6)
"""A minimum of instances in the day, and EndpointNightHours."""
LIMIT_USD = 3.0
"""A max_cost_usd."""
START_MINUTES = 3
"""Until the instance of a job is there: waited for, not paid."""
CALL_SECONDS = 120
"""Of a processing job that only calls an API: its container starts, Python imports, the call is made."""
QUERY_SECONDS, EVALUATION_SECONDS, ENDPOINT_SECONDS = 180, 420, 540
"""Of processing jobs that wait: for a query, for a batch transform, for an endpoint to be in service."""

# The steps of the SageMaker Pipelines design that are processing jobs, with the seconds that each is paid for.
PIPELINES_JOBS = {
    "DataSource": QUERY_SECONDS,
    "PreprocessData": 300,
    "CreateModel": CALL_SECONDS,
    "EvaluateModel": EVALUATION_SECONDS,
    "RegisterModel": CALL_SECONDS,
    "DeployEndpoint": ENDPOINT_SECONDS,
}
# A function for each of the eight steps, and one that asks every minute whether a job, the query or the endpoint is done.
FUNCTION_STEPS, POLLS, FUNCTION_GB, FUNCTION_SECONDS = 8, 20 + 5 + 5 + 1 + 9, 0.5, 2


@dataclass(frozen=True)
class Design:
    """A way to build the pipeline: what one run uses, how many paid jobs that starts, and what runs all month."""

    name: str
    run: tuple[Use, ...]
    starts: int
    always_on: tuple[Use, ...]


def designs() -> list[Design]:
    """This pipeline first."""
    times = costs.assumed(SETTINGS)
    ours = costs.of_run(SETTINGS, times)
    trials = costs.TRIALS
    endpoint = Use("endpoint", prices.hosting(TYPE), costs.HOURS_OF_MONTH, "one instance")
    jobs = [use for use in ours if use.step in ("AutoMLTraining", "DataSource") or use.meter == prices.transform(TYPE)]
    processing = [
        Use(step, prices.processing(TYPE), seconds / 3600, "assumed") for step, seconds in PIPELINES_JOBS.items()
    ]
    calls = FUNCTION_STEPS + POLLS
    functions = [
        Use("functions", prices.LAMBDA_SECONDS, calls * FUNCTION_GB * FUNCTION_SECONDS, "assumed"),
        Use("functions", prices.LAMBDA_REQUESTS, calls, "assumed"),
        Use("machines", prices.TRANSITIONS, FUNCTION_STEPS + 3 * POLLS, "assumed"),
    ]
    own_jobs = [use for use in ours if use.meter in (prices.processing(TYPE), prices.transform(TYPE))]
    shared = [use for use in ours if use.step in ("AutoMLTraining", "DataSource")]
    server = Use("server", prices.hosting(TYPE), costs.HOURS_OF_MONTH, "one instance")
    return [
        Design("this pipeline", tuple(ours), len(_jobs_of_machine()) + trials, (endpoint,)),
        Design(
            "SageMaker Pipelines, each step a processing job",
            (*jobs, *processing),
            len(processing) + 1 + trials,
            (endpoint,),
        ),
        Design("Step Functions, each step a function", (*shared, *own_jobs, *functions), 2 + trials, (endpoint,)),
        Design(
            "a server that is always on, and trains by itself",
            tuple(use for use in ours if use.step == "DataSource"),
            0,
            (endpoint, server),
        ),
    ]


def _jobs_of_machine() -> list[str]:
    """The jobs that every run of the training machine starts beside Autopilot's; the champion's transform is not in every run."""
    machine = yaml.safe_load((ROOT / "statemachine" / "training.asl.yaml").read_text(encoding="utf-8"))
    names: list[str] = []

    def walk(states: dict[str, dict]) -> None:
        for name, state in states.items():
            if (
                re.search(r"create(Processing|Transform)Job\.sync", state.get("Resource", ""))
                and "Champion" not in name
            ):
                names.append(name)
            for branch in state.get("Branches", []):
                walk(branch["States"])

    walk(machine["States"])
    return names


def tables() -> str:
    """The computed part of the page."""
    table = prices.shipped(REGION)
    rows = []
    months: list[float] = []
    for design in designs():
        run, month = costs.bill(design.run, table), costs.bill(design.always_on, table)
        jobs_only = sum(usd or 0 for use, usd in run.items if use.step != "AutoMLTraining")
        months.append(RUNS_A_MONTH * run.usd + month.usd)
        rows.append(
            (
                design.name,
                str(design.starts),
                f"{design.starts * START_MINUTES}",
                _amount(run, prices.TRANSITIONS),
                _amount(run, prices.LAMBDA_SECONDS),
                f"${jobs_only:.3f}",
                f"${run.usd:.2f}",
                f"${month.usd:.2f}",
                f"**${months[-1]:.2f}**",
            )
        )
    head = (
        "design", "paid jobs a run", "minutes of instances starting", "transitions a run", "GB-s of functions a run",
        "a run without AutoML", "a run", "always on, a month", f"month with {RUNS_A_MONTH} runs",
    )  # fmt: skip
    ours = costs.bill(designs()[0].run, table)
    endpoint = costs.bill(designs()[0].always_on, table).usd
    parts = [
        f"Prices of {REGION}; {RUNS_A_MONTH} runs a month, one `{TYPE}` behind the endpoint, jobs on `{TYPE}`. "
        f"{costs.assumed(SETTINGS).basis[0].upper()}{costs.assumed(SETTINGS).basis[1:]}, on the same instance type, "
        f"which Autopilot chooses. A job that only calls an API is paid {CALL_SECONDS // 60} minutes, one that waits for "
        f"the endpoint {ENDPOINT_SECONDS // 60}.",
        "",
        *_markdown(head, rows),
        "",
        f"The endpoint is {endpoint / months[0]:.0%} of this pipeline's month, and AutoML, which every design but the server pays "
        f"alike, most of a run. The rest of a run costs {rows[0][5]} here and {rows[1][5]} with a processing job for each step.",
        "",
        f"An unchanged run (`skip_if_unchanged`) costs a query and {_unchanged_transitions()} transitions instead of "
        f"${ours.usd:.2f}.",
        "",
        f"With `AutoscalingMinCapacity={NIGHT_INSTANCES}`, `EndpointNightHours={NIGHT_HOURS[0]}-{NIGHT_HOURS[1]}` saves up to "
        f"${_night_saving(table):.2f} of ${NIGHT_INSTANCES * endpoint:.2f} a month. With one instance as the minimum there is "
        "nothing to save.",
        "",
        _limited(table),
        "",
        "What a run of this pipeline uses:",
        "",
        *_markdown(
            ("step", "usage", "how much", "price", "cost"),
            [
                (
                    use.step,
                    f"`{use.meter.usage}`",
                    f"{use.quantity:.4g} {use.meter.unit}",
                    _price(table, use),
                    "no price" if usd is None else f"${usd:.4f}",
                )
                for use, usd in ours.items
            ],
        ),
        "",
        "The prices that ship, with where and when they were read:",
        "",
        *_markdown(
            ("Region", "usage type", "unit", "US dollars", "read", "where"),
            [
                (region, f"`{row.usagetype}`", row.unit, _dollars(row.usd), row.read, row.source)
                for region in prices.shipped_regions()
                for row in prices.shipped(region).rows
            ],
        ),
    ]
    return "\n".join(parts) + "\n"


def page(text: str) -> str:
    """The page with its computed part as it is now."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.split(END)[1]}"


def _unchanged_transitions() -> int:
    """States from the start to Unchanged, by the machine's own order."""
    machine = yaml.safe_load((ROOT / "statemachine" / "training.asl.yaml").read_text(encoding="utf-8"))
    return list(machine["States"]).index("Unchanged") + 1


def _night_saving(table: prices.Prices) -> float:
    """US dollars a month, if the nights bring no requests that need a second instance."""
    evening, morning = NIGHT_HOURS
    instance_hours = (NIGHT_INSTANCES - 1) * (24 - evening + morning) * costs.HOURS_OF_MONTH / 24
    return costs.bill([Use("endpoint", prices.hosting(TYPE), instance_hours, "nights")], table).usd


def _limited(table: prices.Prices) -> str:
    """What a limit on a run's costs makes of its AutoML, and of the most that the run can cost, in one sentence."""
    settings = Settings.model_validate({**SETTINGS, "bucket": "bucket", "max_cost_usd": LIMIT_USD})
    seconds = costs.bounded(settings, table).automl_max_runtime_sec or 0
    longest = [
        Use("", prices.processing(TYPE), costs.LONGEST_PROCESSING_SECONDS / 3600, ""),
        Use("", prices.transform(TYPE), costs.LONGEST_TRANSFORM_SECONDS / 3600, ""),
        Use("", prices.training(TYPE), costs.TRIALS * settings.max_runtime_sec / 3600, ""),
    ]
    return (
        f"`max_cost_usd: {LIMIT_USD:g}` limits AutoML to {seconds // 60} minutes: a run's jobs cost ${LIMIT_USD:.2f} at most. With the "
        f"default `max_runtime_sec` and no limit it is ${costs.bill(longest, table).usd:.2f}."
    )


def _amount(bill: costs.Bill, meter: prices.Meter) -> str:
    total = sum(use.quantity for use, _ in bill.items if use.meter == meter)
    return f"{total:g}" if total else ""


def _price(table: prices.Prices, use: Use) -> str:
    price = table.of(use.meter)
    return "" if price is None else f"${_dollars(price.usd)}"


def _dollars(usd: float) -> str:
    return f"{usd:.10f}".rstrip("0").rstrip(".")


def _markdown(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, tuple("---" for _ in head), *rows)]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
