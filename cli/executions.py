"""What is known of runs: one line of each for lists, everything of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from cli import results, runs
from cli.stack import RefusedError, Stack, client
from cli.steps import Event, assigned, steps_in
from cli.terminal import typed
from cli.watching import Finished


@dataclass(frozen=True)
class Run:
    """A run as a list shows it. `outcome` is the machine's, or the error's name; `metric` is a name and its value.

    `doubt`: why a model that passed the gate is of no use or not to be trusted; "" if nothing says so.
    """

    run_id: str
    execution_arn: str
    status: str
    started: datetime
    ended: datetime | None
    outcome: str | None
    metric: tuple[str, float] | None
    version: int | None
    doubt: str = ""

    @property
    def seconds(self) -> float:
        """How long it took, or has taken until now."""
        return ((self.ended or datetime.now(UTC)) - self.started).total_seconds()

    def document(self) -> dict[str, Any]:
        """The run as JSON."""
        return {
            "run_id": self.run_id,
            "execution_arn": self.execution_arn,
            "status": self.status,
            "started": self.started.isoformat(),
            "ended": self.ended.isoformat() if self.ended else None,
            "seconds": round(self.seconds, 1),
            "outcome": self.outcome,
            "doubt": self.doubt or None,
            "metric": dict([self.metric]) if self.metric else None,
            "version": self.version,
        }


def newest(stack: Stack, count: int, status: str | None = None) -> list[Run]:
    """The newest runs, newest first."""
    states = client("stepfunctions")
    rows = islice(runs.listed(stack, status=status), count)
    return [of(states.describe_execution(executionArn=row["executionArn"])) for row in rows]


def of(described: Mapping[str, Any]) -> Run:
    """A run from DescribeExecution's answer."""
    output = json.loads(described.get("output") or "{}")
    package = output.get("model_package_arn")
    return Run(
        run_id=runs.run_id_of(described["executionArn"], described["startDate"]),
        execution_arn=described["executionArn"],
        status=described["status"],
        started=described["startDate"],
        ended=described.get("stopDate") if described["status"] != "RUNNING" else None,
        outcome=output.get("outcome") or described.get("error"),
        metric=_metric(output.get("metrics") or {}),
        version=int(package.rsplit("/", 1)[1]) if package else None,
        doubt=results.doubt_in(output.get("verdict") or ""),
    )


def _metric(metrics: Mapping[str, float]) -> tuple[str, float] | None:
    """The metric that the quality gate looks at."""
    return next(((name, metrics[name]) for name in ("accuracy", "r2") if name in metrics), None)


@dataclass(frozen=True)
class Details:
    """Everything of a run: its line, its input, and what its history shows so far."""

    run: Run
    given: dict[str, Any]
    finished: Finished

    @property
    def variables(self) -> dict[str, Any]:
        """The machine's variables."""
        return assigned(self.finished.events)

    @property
    def names(self) -> dict[str, str]:
        """Names of the run's jobs; empty before PrepareRun has given them."""
        return self.variables.get("run", {}).get("names", {})

    @property
    def settings(self) -> dict[str, Any]:
        """All settings of the run; empty before PrepareRun has checked them."""
        return self.variables.get("run", {}).get("settings", {})

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics on the held-out rows, by name; empty before the evaluation."""
        output = self.finished.output or {}
        return output.get("metrics") or self.variables.get("evaluation", {}).get("metrics") or {}

    def document(self) -> dict[str, Any]:
        """The run as JSON."""
        steps = steps_in(self.finished.events)
        return self.run.document() | {
            "input": self.given,
            "settings": self.settings,
            "jobs": self.names,
            "steps": [
                {
                    "name": step.name,
                    "state": "failed" if step.failed else "done" if step.ended else "running",
                    "seconds": round(step.seconds(datetime.now(UTC)), 1),
                }
                for step in steps
            ],
            "metrics": self.metrics,
            "output": self.finished.output,
            "error": self.finished.error,
            "cause": self.finished.cause,
            "failure": self.variables.get("failure"),
        }


def details(stack: Stack, reference: str | None) -> Details:
    """A run by its id, execution name or ARN; None is the newest. Raises RefusedError if there is none."""
    states, arn = client("stepfunctions"), runs.arn_of(reference, stack)
    described = states.describe_execution(executionArn=arn)
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
    events: list[Event] = [event for page in pages for event in page["events"]]
    output = described.get("output")
    finished = Finished(
        arn,
        described["status"],
        json.loads(output) if output else None,
        described.get("error"),
        described.get("cause"),
        events,
    )
    return Details(of(described), json.loads(described.get("input") or "{}"), finished)


def stop(stack: Stack, reference: str | None) -> Run:
    """Abort a run; the stack then stops its jobs. Returns the run. Raises RefusedError if it has ended."""
    states, arn = client("stepfunctions"), runs.arn_of(reference, stack)
    run = of(states.describe_execution(executionArn=arn))
    if run.status != "RUNNING":
        raise RefusedError(f"Run {run.run_id} has ended already ({run.status}). Nothing was stopped.")
    states.stop_execution(executionArn=arn, error="Stopped", cause="Stopped with automl stop.")
    return run


# Steps after the AutoML job: a run that fails there has paid for its model.
_AFTER_AUTOML = ("CreateModel", "EvaluateModel", "RegisterModel")


def retry(stack: Stack, reference: str | None) -> str:
    """Start a new run with the input of one that has ended, going on from its AutoML job if that is done. Returns its ARN.

    Raises RefusedError if the run still runs, or if its version is registered and only has to be deployed.
    """
    found = details(stack, reference)
    if found.run.status == "RUNNING":
        raise RefusedError(
            f"Run {found.run.run_id} is still running. Stop it first: {typed(f'stop {found.run.run_id}')}"
        )
    step = found.finished.failed_step
    if step == "DeployEndpoint":
        raise RefusedError(
            f"Run {found.run.run_id} registered its version and failed to deploy it. Deploy it again: {typed('deploy')}"
        )
    given = dict(found.given)
    if step in _AFTER_AUTOML:
        given.setdefault("resume_from", found.run.run_id)
    return runs.start(given, stack)
