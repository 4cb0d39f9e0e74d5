"""What the local cloud itself takes: transitions of a machine, executions at once, and the server's memory."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from bench.measuring import Row
from local.server import clients, paths, process

TRANSITIONS = 1000
AT_ONCE = 20
REPEATS = 3
MOST_SECONDS = 300.0


def measure(
    console: Console, transitions: int = TRANSITIONS, at_once: int = AT_ONCE, repeats: int = REPEATS
) -> list[Row]:
    """One server: `repeats` executions of a machine of Pass states, then as many as may run at once."""
    with (
        tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as folder,
        process.running(state=Path(folder) / "state") as server,
    ):
        states, iam = clients.client(server.endpoint_url, "stepfunctions"), clients.client(server.endpoint_url, "iam")
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
        role = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        machine = states.create_state_machine(name="bench", roleArn=role, definition=json.dumps(_machine(transitions)))
        console.print(f"{transitions:,} transitions {repeats} times, then in {at_once} executions at once")
        before = _memory()
        alone = [_run(states, machine["stateMachineArn"], 1) for _ in range(repeats)]
        together = [_run(states, machine["stateMachineArn"], at_once)]
        after = _memory()
    return [
        Row(f"local cloud: {transitions:,} transitions", alone),
        Row(f"local cloud: {at_once} executions at once, {transitions:,} transitions each", together),
        Row("local cloud: memory before and after them", [before, after], unit="MB"),
    ]


def _machine(transitions: int) -> dict[str, Any]:
    names = [f"State{place}" for place in range(transitions)]
    each = {
        name: {"Type": "Pass", **({"Next": following} if following else {"End": True})}
        for name, following in zip(names, [*names[1:], None], strict=True)
    }
    return {"QueryLanguage": "JSONata", "StartAt": names[0], "States": each}


def _run(states: Any, machine: str, count: int) -> float:
    """Seconds until all have ended."""
    began = time.monotonic()
    running = [states.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(count)]
    while running:
        if time.monotonic() - began > MOST_SECONDS:
            raise SystemExit(f"{len(running)} executions have not ended within {MOST_SECONDS:.0f} seconds.")
        status = states.describe_execution(executionArn=running[0])["status"]
        if status == "RUNNING":
            time.sleep(0.02)
        elif status == "SUCCEEDED":
            running.pop(0)
        else:
            raise SystemExit(f"An execution ended as {status}.")
    return time.monotonic() - began


def _memory() -> float:
    """Megabytes of the server's own memory."""
    servers = [one for one in psutil.Process(os.getpid()).children() if "local.server" in " ".join(one.cmdline())]
    return sum(one.memory_full_info().uss for one in servers) / 1e6
