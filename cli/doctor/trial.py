"""A smallest real run that shows what only an account can show, and the report of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from rich.console import Console

from cli import runs, watching
from cli.doctor import checklist
from cli.doctor.checklist import Evidence
from cli.doctor.finding import Finding
from cli.stack import Stack, client, endpoint_of
from cli.watching import Finished

# Autopilot needs 500 rows to train on beside the held-out fifth; some ids may have no record.
_CUSTOMERS = 2000
_MARKS = {"seen": "x", "wrong": " ", "not shown": " "}


def given(stack: Stack, *, serves: bool) -> dict[str, Any]:
    """The input of the run: few customers and one candidate. Where a model serves, the new one waits for approval."""
    defaults = stack.defaults()
    values: dict[str, Any] = {"max_candidates": 1}
    if (start := defaults.get("customer_id_start")) is not None:
        values["customer_id_end"] = min(defaults["customer_id_end"], start + _CUSTOMERS - 1)
    if serves:
        values["model_approval_status"] = "PendingManualApproval"
    return values


def run(stack: Stack, console: Console, started: Callable[[str], None]) -> Evidence:
    """Start the run and follow it to its end. `started` is called with its ARN. Raises what `runs.start` raises."""
    before = endpoint_of(stack) is not None
    arn = runs.start(given(stack, serves=before), stack)
    started(arn)
    finished = watching.follow(client("stepfunctions"), arn, console, sagemaker=client("sagemaker"))
    return Evidence(finished, stack.parameters, before)


def markdown(stack: Stack, region: str, findings: list[Finding], evidence: Evidence) -> str:
    """The report, without the account's number."""
    finished = evidence.finished
    place = "the local cloud, which shows nothing of AWS" if os.environ.get("AWS_ENDPOINT_URL") else region
    lines = [
        "# A run in an account",
        "",
        f"Version {metadata.version('automl-pipeline')}, stack {stack.name} in {place}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        "",
        "## Checks before the run",
        "",
        *(f"- {one.status}: {one.check}: {one.message}" for one in findings),
        "",
        "## The run",
        "",
        f"It ended as {finished.status}{_outcome(finished)}.",
        "",
        "| Step | Seconds | |",
        "| --- | --- | --- |",
        *(
            f"| {step.name} | {step.seconds(datetime.now(UTC)):.0f} | {'failed' if step.failed else 'done'} |"
            for step in finished.steps
        ),
        "",
        *([f"Error: {finished.error}", "", *_quoted(finished.cause), ""] if finished.error else []),
        "## What only an account can show",
        "",
        "Ticked: the run has shown it. The rest, docs/beliefs.md says how to see.",
        "",
        *(_line(item) for item in checklist.items(evidence)),
        "",
    ]
    return re.sub(r"\b[0-9]{12}\b", "ACCOUNT", "\n".join(lines))


def _outcome(finished: Finished) -> str:
    output = finished.output or {}
    return f", {output['outcome']}: {output.get('message', '')}".rstrip(": ").rstrip(".") if output else ""


def _quoted(cause: str | None) -> list[str]:
    return [f"> {line}" for line in (cause or "").splitlines()]


def _line(item: checklist.Item) -> str:
    wrong = f" **The run failed here.** Wrong if: {item.belief.wrong_if}." if item.answer == "wrong" else ""
    return f"- [{_MARKS[item.answer]}] {item.belief.text}.{wrong}"
