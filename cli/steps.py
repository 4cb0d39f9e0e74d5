"""Which step each state belongs to, read from the machines themselves, and what an execution's history says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from local.aws.machine_states import states_of

STEPS = (
    "PrepareRun",
    "DataSource",
    "PreprocessData",
    "AutoMLTraining",
    "CreateModel",
    "EvaluateModel",
    "CheckModelQuality",
    "RegisterModel",
    "DeployEndpoint",
)
# What the comments of other states name: a wait belongs to the step that waits, a failure's report to none.
WAITING, REPORTING = "Capacity", "Failure"
MACHINES = tuple(
    Path(__file__).parents[1] / "statemachine" / name for name in ("training.asl.yaml", "deployment.asl.yaml")
)
_BAD_ENDS = ("ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")

Event = Mapping[str, Any]  # of GetExecutionHistory, as boto3 returns it


@dataclass
class Step:
    """A step of a run: when it began and, if it has, when it ended and whether it failed."""

    name: str
    began: datetime
    ended: datetime | None = None
    failed: bool = False

    def seconds(self, now: datetime) -> float:
        """How long it took, or has taken until `now`."""
        return ((self.ended or now) - self.began).total_seconds()


@cache
def step_of_states() -> Mapping[str, str]:
    """The step of each state of the machines: what its Comment says before the colon. A name in both has one step."""
    steps: dict[str, str] = {}
    for path in MACHINES:
        machine = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        steps |= {name: state["Comment"].split(":", 1)[0] for name, state in states_of(machine).items()}
    return steps


def steps_in(events: Iterable[Event]) -> list[Step]:
    """The steps that an execution's history shows, in their order; the last one is still open while it runs."""
    steps: list[Step] = []
    for event in events:
        entered = event.get("stateEnteredEventDetails")
        name = step_of_states().get(entered["name"]) if entered else None
        name = None if name == WAITING else name
        bad_end = event["type"] in _BAD_ENDS
        if steps and steps[-1].ended is None:
            ends = bad_end or event["type"] == "ExecutionSucceeded" or (name and name != steps[-1].name)
            if ends:
                steps[-1].ended = event["timestamp"]
                # The states that report a failure belong to no step; they come between it and the execution's end.
                steps[-1].failed = bad_end or (name is not None and name not in STEPS)
        if name in STEPS and (not steps or steps[-1].name != name or steps[-1].ended is not None):  # ended: a redrive
            steps.append(Step(name, event["timestamp"]))
    return steps


def current_state(events: Iterable[Event]) -> str:
    """The state entered last, empty before the first."""
    name = ""
    for event in events:
        name = event.get("stateEnteredEventDetails", {}).get("name", name)
    return name


def assigned(events: Iterable[Event]) -> dict[str, Any]:
    """The machine's variables (`run`, `evaluation`, `package`, `failure`, …) as the history leaves them."""
    variables: dict[str, Any] = {}
    for event in events:
        details = event.get("stateExitedEventDetails", {})
        if not details.get("assignedVariablesDetails", {}).get("truncated"):
            variables |= {name: json.loads(value) for name, value in details.get("assignedVariables", {}).items()}
    return variables
