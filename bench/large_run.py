"""The same run on 4,000 rows and on many: settings, seconds and memory of each step, and what the report says.

Each on a local cloud of its own, as a person would: the stack is deployed, a feature group loaded, an execution started.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from automl_pipeline import stored
from rich.console import Console
from rich.table import Table

from bench import tables
from cli import local_cloud, timing
from cli.steps import Step
from cli.watching import Finished, follow
from local.aws.featurestore import offline_store
from local.data import telco
from local.server import paths, process

SMALL, LARGE = 4_000, 1_000_000
"""Rows of the two runs; the second is the default, and ends within a quarter of an hour."""
STATE = paths.PROJECT / ".local/bench/large-run"
GROUP = "customers"
# What a person sets for a large table (docs/limits.md); nothing else differs between the runs.
TRAINING_SECONDS = {4_000: 120, 1_000_000: 300, 10_000_000: 900}
_SAMPLED_SECONDS = 0.5


def measure(console: Console, rows: int = LARGE) -> list[dict[str, Any]]:
    """Both runs, the small one first."""
    return [run(console, each) for each in (SMALL, rows)]


def settings(rows: int) -> dict[str, Any]:
    """The execution's input: every customer, and how long Autopilot may take."""
    seconds = next((seconds for most, seconds in TRAINING_SECONDS.items() if rows <= most), 3600)
    return {
        "feature_group_name": GROUP,
        "customer_id_start": None,
        "customer_id_end": None,
        "automl_max_runtime_sec": seconds,
        "max_runtime_sec": seconds,
    }


def run(console: Console, rows: int) -> dict[str, Any]:
    """One run, from loading to the endpoint, as JSON."""
    given = settings(rows)
    with process.running(state=STATE, wait_scale=local_cloud.WAIT_SCALE) as server:
        cloud = local_cloud.deploy_stack(server, lambda _: None)
        began = time.monotonic()
        _load(cloud, rows)
        loaded = time.monotonic() - began
        console.print(f"{rows:,} rows loaded in {loaded:.0f} s; settings: {json.dumps(given)}")
        states = cloud.client("stepfunctions")
        with _memory(server) as samples:
            execution = states.start_execution(
                stateMachineArn=cloud.outputs["TrainingStateMachineArn"], input=json.dumps(given)
            )["executionArn"]
            finished = follow(states, execution, console, sagemaker=cloud.client("sagemaker"), check=server.check)
        if finished.output is None:
            raise RuntimeError(f"The run on {rows:,} rows is {finished.status}: {finished.error}: {finished.cause}")
        return {"rows": rows, "settings": given, "load_seconds": loaded, **_described(finished, samples, cloud)}


def _load(cloud: local_cloud.LocalCloud, rows: int) -> None:
    """A feature group whose records arrived over hours, so that each file of the offline store has `tables.AN_HOUR` rows."""
    parts = tables.customers_in_hours(rows)
    first = next(parts)
    group = local_cloud.load_frame(cloud, first, GROUP, telco.RECORD_IDENTIFIER)
    for part in parts:
        offline_store.put_records(cloud.client("s3"), group.location, part, event_time=group.event_time)


def _described(
    finished: Finished, samples: list[tuple[float, dict[str, float]]], cloud: local_cloud.LocalCloud
) -> dict[str, Any]:
    output, s3 = finished.output or {}, cloud.client("s3")
    bucket, key = stored.place(output["run_prefix"])

    def read(name: str) -> dict[str, Any]:
        return json.loads(s3.get_object(Bucket=bucket, Key=f"{key}/{name}")["Body"].read())

    evaluation, prepared = read("evaluation/evaluation.json"), read("preprocessing/preprocessing.json")
    intervals = evaluation.get("intervals") or {}
    return {
        "outcome": output["outcome"],
        "verdict": output["verdict"],
        "warnings": output["warnings"],
        "rows_trained": prepared["rows"]["train"],
        "rows_tested": prepared["rows"]["test"],
        "metrics": output["metrics"],
        "intervals": intervals,
        "computed": dict(timing.computed(finished, cloud.client)),
        "steps": [_step(step, samples) for step in finished.steps],
    }


def _step(step: Step, samples: list[tuple[float, dict[str, float]]]) -> dict[str, Any]:
    """Seconds of a step, and for each kind of process the most megabytes that all of them had at once."""
    ended = step.ended or datetime.now(UTC)
    within = [sample for when, sample in samples if step.began.timestamp() <= when <= ended.timestamp()]
    kinds = {kind for sample in within for kind in sample}
    return {
        "step": step.name,
        "seconds": step.seconds(ended),
        "megabytes": max((sum(sample.values()) for sample in within), default=None),
        "of": {kind: max(sample.get(kind, 0.0) for sample in within) for kind in sorted(kinds)},
    }


@contextmanager
def _memory(server: process.Server) -> Iterator[list[tuple[float, dict[str, float]]]]:
    """While the block runs: when, and the megabytes of each kind of the local cloud's processes."""
    samples: list[tuple[float, dict[str, float]]] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLED_SECONDS):
            samples.append((time.time(), _megabytes(psutil.Process(server.pid))))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _megabytes(server: psutil.Process) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in [server, *server.children(recursive=True)]:
        try:
            kind = "local cloud" if one.pid == server.pid else _kind(one.cmdline())
            found[kind] = found.get(kind, 0.0) + _own(one)
        except (psutil.Error, OSError):
            continue
    return found


def _own(one: psutil.Process) -> float:
    """Megabytes that are its own: what it maps of files is the disk's cache, what it shares counts once."""
    for line in Path(f"/proc/{one.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _kind(command: list[str]) -> str:
    programs = {
        "entrypoint.py": "processing job",
        "serve.py": "model containers",
        "autopilot_fit.py": "Autopilot",
        "standby.py": "Autopilot and its containers",
        "worker.py": "functions",
    }
    return next((kind for name, kind in programs.items() if any(part.endswith(name) for part in command)), "others")


def report(console: Console, keep: Callable[[list[dict[str, Any]]], None], rows: int) -> None:
    """Measures, keeps and shows."""
    measured = measure(console, rows)
    keep(measured)
    table = Table("step", *(f"{one['rows']:,} rows" for one in measured))
    for line in lines(measured):
        table.add_row(*line)
    console.print(table)


def lines(measured: list[dict[str, Any]]) -> list[list[str]]:
    """The table's lines: what, and a cell for each run."""
    steps = [[_cell(step) for step in one["steps"]] for one in measured]
    names = [step["step"] for step in measured[0]["steps"]]
    return [
        *([f"`{name}`", *(json.dumps(one["settings"][name]) for one in measured)] for name in measured[0]["settings"]),
        *([name, *cells] for name, *cells in zip(names, *steps, strict=True)),
        ["rows trained on, tested on", *(f"{one['rows_trained']:,}, {one['rows_tested']:,}" for one in measured)],
        ["outcome", *(one["outcome"] for one in measured)],
        ["verdict", *(one["verdict"] for one in measured)],
        ["warnings", *(" ".join(one["warnings"]) or "none" for one in measured)],
        ["metrics", *(", ".join(_metric(one, name) for name in one["metrics"]) for one in measured)],
    ]


def _cell(step: dict[str, Any]) -> str:
    seconds = f"{step['seconds']:,.0f} s" if step["seconds"] >= 1 else "less than 1 s"
    return f"{seconds}, {step['megabytes']:,.0f} MB" if step["megabytes"] else seconds


def _metric(one: dict[str, Any], name: str) -> str:
    within = one["intervals"].get(name) or {}
    wide = f" ± {(within['upper'] - within['lower']) / 2:.4f}" if {"upper", "lower"} <= {*within} else ""
    return f"{name} {one['metrics'][name]:.4f}{wide}"
