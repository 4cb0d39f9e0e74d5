"""The Task states of the machines, and the faults that can occur in each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from local.aws.stepfunctions import sdk_shapes
from local.aws.stepfunctions.state_faults import JOBS
from tests.contract import machines

REASON = "ClientError: the disk of instance algo-1 is full"
NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)


@dataclass(frozen=True)
class Task:
    """A Task state of a machine, as its file holds it."""

    machine: str
    name: str

    @cached_property
    def state(self) -> dict[str, Any]:
        return machines.states(self.machine)[self.name]

    @property
    def step(self) -> str:
        """The step that emails name: what the Comment begins with."""
        return self.state["Comment"].partition(": ")[0]

    @cached_property
    def _resource(self) -> tuple[str, str, str]:
        service, _, action = self.state["Resource"].partition(":::")[2].removeprefix("aws-sdk:").partition(":")
        action, _, pattern = action.partition(".")
        return service, action, pattern

    @property
    def service(self) -> str:
        return self._resource[0]

    @property
    def waits(self) -> bool:
        """Whether it waits for the end of what it starts."""
        return bool(self._resource[2])

    @cached_property
    def operation(self) -> Any:
        return sdk_shapes.operation(*self._resource[:2])

    @property
    def sends_email(self) -> bool:
        return self.service == "sns"

    @property
    def reports_failure(self) -> bool:
        """Whether it starts the failure machine."""
        return "FailureStateMachineArn" in str(self.state["Arguments"])

    @property
    def starts(self) -> bool:
        """Whether it starts something that ends by itself, well or badly."""
        return self.operation.name in JOBS or self.operation.name in ("StartQueryExecution", "StartExecution")

    @property
    def caught(self) -> list[str]:
        """The errors of its API that it catches by name and goes on from, as they come over the wire."""
        return self._named(False)

    @property
    def explained(self) -> list[str]:
        """The errors of its API that it catches by name and fails with, likewise."""
        return self._named(True)

    def _named(self, fails: bool) -> list[str]:
        rules = [rule for rule in machines.catch(self.machine, self.name) if self._always_fails(rule["Next"]) == fails]
        named = {name.partition(".")[2] for rule in rules for name in rule["ErrorEquals"]}
        codes = [shape.name for shape in self.operation.error_shapes]
        return [code for code in codes if f"{code.removesuffix('Exception')}Exception" in named]

    @property
    def writes(self) -> bool:
        """Whether what it starts leaves files behind."""
        return self.starts and self.operation.name not in ("StartExecution", "CreateEndpoint", "UpdateEndpoint")

    @property
    def only_looks(self) -> bool:
        """Whether its call changes nothing."""
        return self.operation.name.startswith(("Describe", "List", "Get"))

    @property
    def reads_answer(self) -> bool:
        """Whether the state takes something from the answer of its call."""
        return "$states.result" in json.dumps(self.state)

    @property
    def waits_for_quota(self) -> bool:
        return "ResourceLimitExceeded" in json.dumps(self.state["Retry"])

    @property
    def must_fail(self) -> bool:
        """Whether no way from its Catch of States.ALL leads to a good end."""
        rule = next(rule for rule in machines.catch(self.machine, self.name) if "States.ALL" in rule["ErrorEquals"])
        return self._always_fails(rule["Next"])

    @property
    def may_fail(self) -> bool:
        """Whether a way from its Catch of States.ALL leads to the failure before any other call, one that waits for capacity included."""
        rule = next(rule for rule in machines.catch(self.machine, self.name) if "States.ALL" in rule["ErrorEquals"])
        states, seen, ahead = machines.states(self.machine), set[str](), [rule["Next"]]
        while ahead:
            here = ahead.pop()
            state = states[here]
            if state["Type"] == "Fail" or (state["Type"] == "Task" and Task(self.machine, here).reports_failure):
                return True
            if here not in seen and state["Type"] != "Task":
                seen.add(here)
                ahead += machines.targets(state)
        return False

    @property
    def is_optional(self) -> bool:
        """Whether its errors stay in its branch of a Parallel state: the execution goes on without what it does."""
        return "Catch" in self.state and machines.around(self.machine, self.name) is not None

    @property
    def follows_failure(self) -> bool:
        """Whether the execution has failed already when the state is entered: no way from there leads to a good end."""
        return "Next" in self.state and self._always_fails(self.state["Next"])

    def _always_fails(self, name: str) -> bool:
        states, seen, ahead = machines.states(self.machine), set[str](), [name]
        while ahead:
            here = ahead.pop()
            if states[here]["Type"] == "Succeed" or states[here].get("End"):
                return False
            if here not in seen:
                seen.add(here)
                ahead += machines.targets(states[here])
        return True

    def __str__(self) -> str:
        return f"{self.machine}.{self.name}"


@dataclass(frozen=True)
class Kind:
    """A kind of fault: what the faults file says of the state, and in which states it can occur."""

    name: str
    entry: dict[str, Any] = field(compare=False)
    applies: Callable[[Task], bool] = lambda task: True
    # What the execution must then do whatever the state: go on to a good end, or not.
    recovers: bool | None = None
    # What is missing may do for the state itself, and be missed by a later step, which then reports it.
    noticed_later: bool = False
    # Without what the state is to leave behind no execution may end well.
    spoils: bool = False


ALWAYS = 99
_BADLY = {"reason": REASON}
KINDS = [
    Kind("access denied", {"error": "AccessDenied", "times": ALWAYS}),
    Kind("throttled twice", {"error": "Throttled", "times": 2}, recovers=True),
    Kind("service error twice", {"error": "ServiceError", "times": 2}, recovers=True),
    Kind("quota reached twice", {"error": "ResourceLimitExceeded", "times": 2}, lambda task: task.waits_for_quota, recovers=True),
    Kind("throttled for good", {"error": "Throttled", "times": ALWAYS}),
    Kind("service error", {"error": "ServiceError", "times": ALWAYS}),
    Kind("invalid request", {"error": "Invalid", "times": ALWAYS}),
    Kind("job failed", {"outcome": "Failed", **_BADLY}, lambda task: task.starts),
    Kind("no capacity", {"outcome": "Failed", "reason": NO_CAPACITY},
         lambda task: task.operation.name in ("CreateProcessingJob", "CreateTransformJob"), recovers=True),
    # Nobody can stop an endpoint, only delete it.
    Kind("job stopped", {"outcome": "Stopped", **_BADLY}, lambda task: task.starts and "Endpoint" not in task.operation.name),
    Kind("task timeout", {"outcome": "TimedOut", "times": ALWAYS}),
    Kind("nothing written", {"outcome": "NothingWritten"}, lambda task: task.writes, noticed_later=True, spoils=True),
    Kind("garbage written", {"outcome": "Garbage"}, lambda task: task.writes, noticed_later=True, spoils=True),
    # A call that starts something answers with its name, which the API requires.
    Kind("malformed answer", {"outcome": "Malformed", "times": ALWAYS}, lambda task: task.reads_answer and not task.waits,
         noticed_later=True),
    Kind("answer lost", {"outcome": "AnswerLost"}, recovers=True),
    # A call that only reads gets the same answer the second time.
    Kind("answer lost, called again", {"outcome": "SentTwice"}, lambda task: not task.only_looks, recovers=True),
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One fault of one state."""

    task: Task
    kind: Kind

    def __str__(self) -> str:
        return f"{self.task}-{self.kind.name}"


@cache
def tasks() -> list[Task]:
    """Every Task state of every machine."""
    return [
        Task(machine, name)
        for machine in machines.NAMES
        for name, state in machines.states(machine).items()
        if state["Type"] == "Task"
    ]


def cases() -> Iterator[Case]:
    """Every fault of every Task state, where it can be."""
    for task in tasks():
        for kind in KINDS:
            if kind.applies(task):
                yield Case(task, kind)
        # Of what a call would start, such an error means that it exists: the lost answers are those cases.
        for code in task.caught if not task.starts else ():
            yield Case(task, Kind(code, {"error": code}, recovers=True))
        for code in task.explained:
            yield Case(task, Kind(code, {"error": code, "times": ALWAYS}))
