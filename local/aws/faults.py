"""Faults on demand: which state, operation or job fails, how, and how many times.

A faults file is a YAML list; a folder of such files is read like one: files that are put into it later count from
then on, and those that are taken out count no more. Each entry is a job that ends badly

    - service: sagemaker
      job: transform            # processing, automl, transform or endpoint
      outcome: Failed           # or Stopped, NothingWritten, Garbage, InProgress
      reason: no more disk      # optional; what the job gives as its FailureReason
      name: my-job              # optional; any job without it
      times: 1                  # optional, 1 if left out

or an operation that is refused, regardless of the caller

    - service: sagemaker        # also application-autoscaling
      operation: CreateModelPackage
      error: AccessDeniedException
      message: not today        # optional
      times: 2

or a Task state of a machine whose call goes wrong

    - state: RegisterModel
      machine: "*-pipeline"     # optional; name of the state machine, * and ? stand for anything
      execution: try-*          # optional; name of the execution, or of the one that started it
      error: Throttled          # AccessDenied, Throttled, ServiceError, Invalid: as the service spells it; or a code
      times: 2
    - state: PreprocessData
      outcome: Failed           # its job: Failed, Stopped, NothingWritten, Garbage; its call: AnswerLost, SentTwice, TimedOut, Malformed
      reason: no more disk

Entries are used up in their order.
"""

from __future__ import annotations

import fnmatch
import logging
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from local.aws import api_model
from local.aws.machine_states import states_of
from local.server import paths

logger = logging.getLogger("local.faults")
Job = Literal["processing", "automl", "transform", "endpoint"]
Reason = Annotated[str, Field(max_length=1024)]
Times = Annotated[int, Field(ge=1, strict=True)]
GARBAGE = b"\x00\xff\xfe<html>not what was asked for\n"
"""What stands where a job's results were, when its outcome is Garbage: neither text nor an archive."""
_REASON = "InternalServerError: injected by the faults file"


class JobFault(BaseModel):
    """A job that ends badly."""

    model_config = ConfigDict(extra="forbid")
    service: Literal["sagemaker"]
    job: Job
    outcome: Literal["Failed", "Stopped", "NothingWritten", "Garbage", "InProgress"] = "Failed"
    reason: Reason = _REASON
    name: str | None = None
    times: Times = 1


class OperationFault(BaseModel):
    """An operation that is refused."""

    model_config = ConfigDict(extra="forbid")
    service: Literal["sagemaker", "application-autoscaling"]
    operation: str
    error: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9.]*$")]
    message: str = "injected by the faults file"
    times: Times = 1

    @model_validator(mode="after")
    def _known(self) -> OperationFault:
        if self.operation not in api_model.service_model(self.service).operation_names:
            raise ValueError(f"{self.service} has no operation {self.operation!r}")
        return self


class StateFault(BaseModel):
    """A Task state whose call goes wrong.

    AnswerLost: the call succeeded, the connection broke before its answer came. SentTwice: likewise, and the SDK
    called again. TimedOut: the call succeeded, its answer or the end of its job comes too late. NothingWritten: the
    job says Completed and wrote nothing. Garbage: likewise, and what it wrote cannot be read. Malformed: the answer
    lacks every member that the API calls optional.
    """

    model_config = ConfigDict(extra="forbid")
    state: str
    machine: str = "*"
    execution: str = "*"
    error: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9.]*$")] | None = None
    outcome: Literal[
        "Failed", "Stopped", "NothingWritten", "Garbage", "AnswerLost", "SentTwice", "TimedOut", "Malformed"
    ] | None = None  # fmt: skip
    message: str | None = None
    reason: Reason = _REASON
    times: Times = 1

    @model_validator(mode="after")
    def _one_of_both(self) -> StateFault:
        if (self.error is None) == (self.outcome is None):
            raise ValueError("a state needs either error or outcome")
        if not fnmatch.filter(_task_states(), self.state):
            raise ValueError(f"no machine has a Task state {self.state!r}; there are {', '.join(_task_states())}")
        return self


@cache
def _task_states() -> list[str]:
    """Names of the machines' Task states, also of those in branches."""
    machines = [
        yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        for path in (paths.PROJECT / "statemachine").glob("*.asl.yaml")
    ]
    return sorted({name for one in machines for name, state in states_of(one).items() if state["Type"] == "Task"})


Fault = JobFault | OperationFault | StateFault


class Faults:
    """What is left of the faults. Thread-safe. `folder` is looked into each time for files that were not there before."""

    def __init__(self, entries: Sequence[Fault], folder: Path | None = None):
        self._entries, self._folder = list(entries), folder
        self._by_file: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()

    def add(self, entry: Fault) -> None:
        """One more fault."""
        with self._lock:
            self._entries.append(entry)

    def withdraw(self, entry: Fault) -> None:
        """Take a fault back that has not been used up."""
        with self._lock:
            self._entries = [one for one in self._entries if one is not entry]

    def take_job(self, job: Job, name: str | None = None) -> JobFault | None:
        """The fault for a job that starts now, if there is one; it is used up once."""
        return self._take(lambda entry: isinstance(entry, JobFault) and entry.job == job and entry.name in (None, name))

    def take_state(self, machine: str, executions: Sequence[str], state: str) -> StateFault | None:
        """The fault for an attempt of a Task state that begins now, if there is one; it is used up once.

        `executions`: the name of the execution, and that of the one which started it.
        """
        return self._take(
            lambda entry: (
                isinstance(entry, StateFault)
                and fnmatch.fnmatchcase(state, entry.state)
                and fnmatch.fnmatchcase(machine, entry.machine)
                and any(fnmatch.fnmatchcase(name, entry.execution) for name in executions)
            )
        )

    def take_operation(self, service: str, operation: str) -> OperationFault | None:
        """The fault for a call that comes in now, if there is one; it is used up once."""
        return self._take(
            lambda entry: isinstance(entry, OperationFault) and (entry.service, entry.operation) == (service, operation)
        )

    def _take(self, fits: Any) -> Any:
        with self._lock:
            self._look_for_new_files()
            for entries in (self._entries, *self._by_file.values()):
                for entry in entries:
                    if fits(entry):
                        entry.times -= 1
                        if entry.times == 0:
                            entries.remove(entry)
                        return entry
        return None

    def _look_for_new_files(self) -> None:
        try:
            self.read_new_files()
        except (OSError, ValueError) as error:
            logger.error("Left out: %s", error)  # no caller waits for an answer

    def read_new_files(self) -> None:
        """Adds what lies in the folder and was not there before, and drops what is not there now. Raises OSError, ValueError."""
        if self._folder is None:
            return
        names = sorted(path.name for path in self._folder.glob("*.yaml"))
        for gone in self._by_file.keys() - set(names):
            del self._by_file[gone]
        for name in names:
            if name not in self._by_file:
                self._by_file[name] = []  # what cannot be read is logged once
                try:
                    self._by_file[name] = _read(self._folder / name)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None


def load(path: Path | None) -> Faults:
    """The faults in a file or a folder of files, none without one. Raises OSError, or ValueError with every problem."""
    if path is None:
        return Faults([])
    if not path.is_dir():
        return Faults(_read(path))
    faults = Faults([], path)
    faults.read_new_files()
    return faults


def _read(path: Path) -> list[Fault]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {error}") from None
    if not isinstance(content, list):
        raise ValueError("it must be a list of faults, each beginning with '- service: sagemaker' or '- state: NAME'")
    entries: list[Fault] = []
    problems: list[str] = []
    for number, item in enumerate(content, 1):
        keys = item.keys() if isinstance(item, dict) else ()
        kind = StateFault if "state" in keys else JobFault if "job" in keys else OperationFault
        try:
            entries.append(TypeAdapter(kind).validate_python(item))
        except ValidationError as error:
            problems += [
                f"entry {number}: {'.'.join(map(str, detail['loc'])) or 'it'}: {detail['msg']}"
                for detail in error.errors()
            ]
    if problems:
        raise ValueError("; ".join(problems))
    return entries
