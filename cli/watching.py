"""Follows an execution and shows each step with its time.

In a terminal the running step is a moving line, with the steps to come under it; elsewhere every event is one line of
plain text.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnectedError
from rich.console import Console
from rich.text import Text

from cli.steps import STEPS, Event, Step, assigned, current_state, steps_in

_POLL_SECONDS = 0.3
_POLL_SECONDS_AWS = 5.0
# Looks that may fail one after the other before the connection counts as lost: five minutes on AWS.
_PATIENCE = 60
# No answer, as opposed to a refusal.
NO_ANSWER = (NotConnectedError, HTTPClientError)
_SMALLER_IS_BETTER = ("MSE", "MAE", "RMSE")


@dataclass
class Finished:
    """An execution that has ended. `output` is what the machine answered, None if it failed."""

    arn: str
    status: str
    output: dict[str, Any] | None
    error: str | None
    cause: str | None
    events: list[Event] = field(default_factory=list)

    @property
    def steps(self) -> list[Step]:
        """Its steps, in their order."""
        return steps_in(self.events)

    @property
    def variables(self) -> dict[str, Any]:
        """What the machine had found out when it ended, by variable."""
        return assigned(self.events)

    @property
    def failed_step(self) -> str | None:
        """The step that failed, None if none did."""
        steps = self.steps
        return steps[-1].name if steps and steps[-1].failed else None


def follow(
    states: Any,
    execution_arn: str,
    console: Console,
    *,
    sagemaker: Any = None,
    check: Callable[[], None] | None = None,
    cost: Callable[[Finished], str] | None = None,
) -> Finished:
    """Show the steps of an execution until it has ended.

    `states`, `sagemaker`: boto3 clients; with the second the AutoML job's own status is shown. `check` is called at
    every look and may raise to end the watch. `cost` says in words what the run has cost so far.
    """
    pause = _POLL_SECONDS_AWS if "amazonaws" in states.meta.endpoint_url else _POLL_SECONDS
    events: list[Event] = []
    lost = 0
    with _Lines(console) as lines:
        while True:
            if check:
                check()
            try:
                # The status first: whatever the history lacks then, the execution still runs.
                described = states.describe_execution(executionArn=execution_arn)
                events += _events_after(states, execution_arn, events[-1]["id"] if events else 0)
                automl = _automl_status(sagemaker, events)
                spent = cost(Finished(execution_arn, described["status"], None, None, None, events)) if cost else ""
                lost = 0
            except (ClientError, *NO_ANSWER) as error:
                lost += 1
                # Before the first answer the address is wrong.
                if not events or lost > _PATIENCE or (isinstance(error, ClientError) and not _passes(error)):
                    raise
                lines.lost()
                time.sleep(pause)
                continue
            status = described["status"]
            lines.update(events, automl=automl, spent=spent)
            if status != "RUNNING":
                output = json.loads(described["output"]) if status == "SUCCEEDED" else None
                return Finished(execution_arn, status, output, described.get("error"), described.get("cause"), events)
            time.sleep(pause)


def _passes(error: ClientError) -> bool:
    """Whether an error is one of the service's own, or of too many calls, and not a refusal."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or "Throttl" in error.response.get("Error", {}).get("Code", "")


def _events_after(states: Any, execution_arn: str, last: int) -> list[Event]:
    """What has happened since event `last`, oldest first: a run that waits for hours has thousands of events."""
    news: list[Event] = []
    pages = states.get_paginator("get_execution_history").paginate(executionArn=execution_arn, reverseOrder=True)
    for page in pages:
        for event in page["events"]:
            if event["id"] <= last:
                return news[::-1]
            news.append(event)
    return news[::-1]


class _Lines:
    """What a person sees of an execution's steps."""

    def __init__(self, console: Console):
        self._console = console
        self._spinner = console.status("waiting for the first step")
        self._begun = self._done = 0
        self._automl = ""
        self._lost = False

    def __enter__(self) -> _Lines:
        self._spinner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._spinner.stop()

    def update(self, events: list[Event], *, automl: str, spent: str) -> None:
        """Show what is new in the history so far.

        `automl` is the secondary status of the AutoML job, if there is one; `spent` what the run has cost, in words.
        """
        if self._lost:
            self._plain("  status  connected again")
            self._lost = False
        steps = steps_in(events)
        for number, step in enumerate(steps):
            if number >= self._begun:
                self._plain(f"  started {step.name}")
                self._begun = number + 1
            if number >= self._done and step.ended is not None:
                mark = "[red]failed[/]" if step.failed else "[green]done[/]  "
                self._console.print(f"  {mark}  {step.name:<28} {step.seconds(step.ended):6.1f} s")
                self._done = number + 1
        if automl and automl != self._automl:
            self._plain(f"  status  AutoMLTraining: {automl}")
        self._automl = automl
        if steps and steps[-1].ended is None:
            self._spinner.update(_Moving(steps, automl or current_state(events), spent))

    def lost(self) -> None:
        """Say that the connection is lost and tried again."""
        said = "connection lost, retrying; the run continues"
        self._spinner.update(said)
        if not self._lost:
            self._plain(f"  status  {said}")
        self._lost = True

    def _plain(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(line)


@dataclass(frozen=True)
class _Moving:
    """What moves in a terminal: the running step, the total time, and the steps still to come."""

    steps: list[Step]
    doing: str
    spent: str

    def __rich__(self) -> Text:
        """As it is now: the terminal is drawn more often than the run is looked at."""
        now, step = datetime.now(UTC), self.steps[-1]
        what = f" · {self.doing}" if self.doing and self.doing != step.name else ""
        total = (now - self.steps[0].began).total_seconds()
        cost = f" · {self.spent} so far" if self.spent else ""
        line = f"{step.name} {duration(step.seconds(now))}{what} · {duration(total)} in total{cost}"
        # A deployment has one step; a run goes through all of them, unless a gate or a failure ends it.
        to_come = STEPS[STEPS.index(step.name) + 1 :] if self.steps[0].name == STEPS[0] else ()
        return Text.assemble(line, *((f"\n  to come {name}", "dim") for name in to_come))


def duration(seconds: float) -> str:
    """A duration for people: 42 s, 12 min, 3 h 05 min."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def _automl_status(sagemaker: Any, events: list[Event]) -> str:
    """The AutoML job's own status, and the candidates so far with the best metric."""
    steps = steps_in(events)
    if sagemaker is None or not steps or steps[-1].name != "AutoMLTraining" or steps[-1].ended:
        return ""
    job = assigned(events).get("run", {}).get("names", {}).get("automl_job")
    if not job:
        return ""
    try:
        status = sagemaker.describe_auto_ml_job_v2(AutoMLJobName=job)["AutoMLJobSecondaryStatus"]
        pages = sagemaker.get_paginator("list_candidates_for_auto_ml_job").paginate(AutoMLJobName=job)
        return status + candidates_in_words([item for page in pages for item in page["Candidates"]])
    except ClientError:  # not there yet, or not allowed to this person: the step's own time is shown all the same
        return ""


def candidates_in_words(candidates: list[dict[str, Any]]) -> str:
    """How many of Autopilot's candidates are trained and the best metric; empty before the first."""
    metrics = [
        found["FinalAutoMLJobObjectiveMetric"] for found in candidates if "FinalAutoMLJobObjectiveMetric" in found
    ]
    if not metrics:
        return ""
    name = metrics[0]["MetricName"]
    best = (min if name in _SMALLER_IS_BETTER else max)(metric["Value"] for metric in metrics)
    return f", {len(metrics)} candidate{'s' if len(metrics) > 1 else ''}, best {name} {best:.4f}"
