"""Which step each state belongs to, read from the machines themselves, and how far an execution is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

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
TRAINING_MACHINE = Path(__file__).parents[1] / "statemachine" / "training.asl.yaml"


@dataclass
class Step:
    """A step of a run: when it began and, if it has, when it ended."""

    name: str
    began: datetime
    ended: datetime | None = None

    def seconds(self, now: datetime) -> float:
        """How long it took, or has taken until `now`."""
        return ((self.ended or now) - self.began).total_seconds()


@cache
def step_of_states() -> Mapping[str, str]:
    """The step of each state of the training machine: what its Comment says before the colon."""
    machine = yaml.safe_load(TRAINING_MACHINE.read_text(encoding="utf-8"))
    return {name: state["Comment"].split(":", 1)[0] for name, state in machine["States"].items()}


def steps_in(events: Iterable[Mapping[str, Any]]) -> list[Step]:
    """The steps that an execution's history shows, in their order; the last one is still open while it runs."""
    steps: list[Step] = []
    for event in events:
        entered = event.get("stateEnteredEventDetails")
        name = step_of_states().get(entered["name"]) if entered else None
        ended = event["type"] in ("ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")
        if steps and steps[-1].ended is None and (ended or (name and name != steps[-1].name)):
            steps[-1].ended = event["timestamp"]
        if name in STEPS and (not steps or steps[-1].name != name):
            steps.append(Step(name, event["timestamp"]))
    return steps
