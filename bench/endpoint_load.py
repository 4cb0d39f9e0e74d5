"""A minute of requests to the local cloud's endpoint: the pipeline's own model, asked with one raw customer at a time."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from cli import local_cloud
from local.data import telco
from local.server import paths, process

SECONDS = 60.0
WARM_UP_SECONDS = 5.0
CLIENTS = 8
RUN_SECONDS = 300.0


@dataclass
class Seen:
    """What the clients saw together."""

    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def report(console: Console, seconds: float = SECONDS) -> None:
    """Train a model, put the load on its endpoint, and print rate, latencies, errors and memory. Ends with any error."""
    with (
        tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as folder,
        process.running(state=Path(folder) / "state", wait_scale=local_cloud.WAIT_SCALE) as server,
    ):
        cloud = local_cloud.deploy_stack(server, lambda _: None)
        local_cloud.load_telco(cloud)
        endpoint = _trained(cloud)
        _load(cloud, endpoint, min(WARM_UP_SECONDS, seconds))
        before = _memory()
        seen = _load(cloud, endpoint, seconds)
        after = _memory()
    table = Table("endpoint under load", f"{CLIENTS} clients, {seconds:.0f} s")
    percentiles = statistics.quantiles(seen.latencies, n=100)
    table.add_row("requests a second", f"{len(seen.latencies) / seconds:.0f}")
    table.add_row("p50, p99", f"{percentiles[49] * 1e3:.1f} ms, {percentiles[98] * 1e3:.1f} ms")
    table.add_row("errors", f"{len(seen.errors)} of {len(seen.latencies) + len(seen.errors)}")
    table.add_row("memory of the server", f"{before[0]:.0f} MB before, {after[0]:.0f} MB after")
    table.add_row("memory of its containers", f"{before[1]:.0f} MB before, {after[1]:.0f} MB after")
    console.print(table)
    if seen.errors:
        raise SystemExit(f"A request failed: {seen.errors[0]}")


def _trained(cloud: local_cloud.LocalCloud) -> str:
    """Run the pipeline with its defaults. Returns the endpoint's name."""
    states = cloud.client("stepfunctions")
    run = states.start_execution(stateMachineArn=cloud.outputs["TrainingStateMachineArn"], input="{}")["executionArn"]
    until = time.monotonic() + RUN_SECONDS
    while (described := states.describe_execution(executionArn=run))["status"] == "RUNNING":
        if time.monotonic() > until:
            raise SystemExit("The run that trains the model has not ended.")
        time.sleep(0.2)
    if described["status"] != "SUCCEEDED":
        raise SystemExit(f"The run that trains the model failed: {described.get('cause')}")
    return json.loads(described["output"])["endpoint"]["name"]


def _load(cloud: local_cloud.LocalCloud, endpoint: str, seconds: float) -> Seen:
    customer = telco.load().drop(columns=telco.TARGET).iloc[[5000]].to_csv(index=False)
    runtime = cloud.client("sagemaker-runtime")
    seen, lock, until = Seen(), threading.Lock(), time.monotonic() + seconds

    def ask() -> None:
        latencies: list[float] = []
        errors: list[str] = []
        while time.monotonic() < until:
            began = time.perf_counter()
            try:
                answer: Any = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=customer)
                answer["Body"].read()
                latencies.append(time.perf_counter() - began)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
        with lock:
            seen.latencies += latencies
            seen.errors += errors

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def _memory() -> tuple[float, float]:
    """Megabytes of memory that are its own, of the local cloud and of all processes below it."""
    (server,) = [
        child for child in psutil.Process(os.getpid()).children() if "local.server" in " ".join(child.cmdline())
    ]
    below = sum(child.memory_full_info().uss for child in server.children(recursive=True))
    return server.memory_full_info().uss / 1e6, below / 1e6
