"""The checklist of what only an account can show (docs/beliefs.md), ticked off by what a run has shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from cli.watching import Finished
from local.server import paths

PAGE = paths.PROJECT / "docs" / "beliefs.md"
_BELIEF = re.compile(r"- \[ \] (?P<text>.+?)\. Source: .+\. Wrong if: (?P<wrong>.+)\.")

Answer = Literal["seen", "wrong", "not shown"]


@dataclass(frozen=True)
class Belief:
    """A line of docs/beliefs.md: what is believed, and what would show it wrong."""

    text: str
    wrong_if: str


@dataclass(frozen=True)
class Evidence:
    """A run that has ended, the stack's parameters, and whether an endpoint served before it."""

    finished: Finished
    parameters: Mapping[str, str]
    served_before: bool

    def passed(self, *states: str) -> Answer:
        """Whether the run came through all of these states; wrong if it failed in one of them."""
        exited = {
            event["stateExitedEventDetails"]["name"]
            for event in self.finished.events
            if "stateExitedEventDetails" in event
        }
        failed = (self.finished.variables.get("failure") or {}).get("state")
        if failed in states:
            return "wrong"
        return "seen" if exited.issuperset(states) else "not shown"

    @property
    def deployed(self) -> bool:
        """Whether the run's model serves."""
        return (self.finished.output or {}).get("outcome") == "Deployed"


@dataclass(frozen=True)
class Item:
    """A belief, and what the run says of it."""

    belief: Belief
    answer: Answer


def items(evidence: Evidence) -> list[Item]:
    """Every belief, in the order of the page."""
    return [Item(one, _answer(one, evidence)) for one in beliefs()]


@cache
def beliefs() -> list[Belief]:
    """The beliefs of the page."""
    found = map(_BELIEF.fullmatch, PAGE.read_text(encoding="utf-8").splitlines())
    return [Belief(one["text"], one["wrong"]) for one in found if one]


def _answer(belief: Belief, evidence: Evidence) -> Answer:
    shown = next((show for start, show in SHOWN_BY.items() if belief.text.startswith(start)), None)
    return shown(evidence) if shown else "not shown"


def _deployment(evidence: Evidence) -> Answer:
    return "seen" if evidence.deployed else evidence.passed("DeployEndpoint")


def _update(evidence: Evidence) -> Answer:
    return _deployment(evidence) if evidence.served_before else "not shown"


def _with(parameter: str) -> Callable[[Evidence], Answer]:
    def show(evidence: Evidence) -> Answer:
        given = evidence.parameters.get(parameter, "") not in ("", "false")
        return evidence.passed("PreprocessData", "TransformTestData") if given else "not shown"

    return show


def _known_row(evidence: Evidence) -> Answer:
    asked = (evidence.finished.output or {}).get("smoke_test") or ""
    return "seen" if asked.startswith("passed") else "not shown"


def _states(*names: str) -> Callable[[Evidence], Answer]:
    return lambda evidence: evidence.passed(*names)


# How each belief begins that a run can show, and what shows it. The others are left to the person.
SHOWN_BY: dict[str, Callable[[Evidence], Answer]] = {
    "Answers of SDK integrations spell": _states("AutoMLJobStatus", "CreateModel"),
    "`createAutoMLJobV2` takes `Tags`": _states("StartAutoMLJob"),
    "`invokeEndpoint` sends an object": _known_row,
    "`State.RetryCount` begins with 0": _states("PreprocessData"),
    "Autopilot's program accepts exactly": _states("TransformTestData"),
    "It takes `SAGEMAKER_INFERENCE_OUTPUT": _states("EvaluateModel"),
    "It writes lists in double quotes": _states("EvaluateModel"),
    "In ensembling mode there is one container": _states("CreateModel", "EvaluateModel"),
    "The role's permissions, AWS's documented minimum": _states("StartAutoMLJob", "AutoMLJobStatus"),
    "Its containers serve under network isolation": _with("NetworkIsolation"),
    "A container in a chain gets": _states("TransformTestData"),
    "`ListModelPackages` is allowed": _deployment,
    "`CreateModel` from a model package needs": _deployment,
    "The registry reads images and models": _states("RegisterModel"),
    "The alarms of an update may be seen": _update,
    "SageMaker sends `aws:SourceAccount`": _states("PreprocessData", "TransformTestData"),
    "With `KmsKeyArn`, grants for disks": _with("KmsKeyArn"),
    "With `SubnetIds`, processing": _with("SubnetIds"),
    "Quotas for the instance types are there": _states("PreprocessData", "StartAutoMLJob", "TransformTestData"),
    "Athena needs the three `glue`": _states("ExtractFeatures"),
}
