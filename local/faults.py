"""Faults on demand: which operation or job fails, how, and how many times.

A faults file is a YAML list. Each entry is either a job that ends badly

    - service: sagemaker
      job: transform            # processing, automl, transform or endpoint
      outcome: Failed           # or Stopped
      reason: no more disk      # optional; what the job gives as its FailureReason
      times: 1                  # optional, 1 if left out

or an operation that is refused

    - service: sagemaker        # also application-autoscaling
      operation: CreateModelPackage
      error: AccessDeniedException
      message: not today        # optional
      times: 2

Entries are used up in their order.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from local import api_model

Job = Literal["processing", "automl", "transform", "endpoint"]


class JobFault(BaseModel):
    """A job that ends badly."""

    model_config = ConfigDict(extra="forbid")
    service: Literal["sagemaker"]
    job: Job
    outcome: Literal["Failed", "Stopped"] = "Failed"
    reason: Annotated[str, Field(max_length=1024)] = "InternalServerError: injected by the faults file"
    times: Annotated[int, Field(ge=1, strict=True)] = 1


class OperationFault(BaseModel):
    """An operation that is refused."""

    model_config = ConfigDict(extra="forbid")
    service: Literal["sagemaker", "application-autoscaling"]
    operation: str
    error: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9.]*$")]
    message: str = "injected by the faults file"
    times: Annotated[int, Field(ge=1, strict=True)] = 1

    @model_validator(mode="after")
    def _known(self) -> OperationFault:
        if self.operation not in api_model.service_model(self.service).operation_names:
            raise ValueError(f"{self.service} has no operation {self.operation!r}")
        return self


class Faults:
    """What is left of the faults. Thread-safe."""

    def __init__(self, entries: list[JobFault | OperationFault]):
        self._entries = entries
        self._lock = threading.Lock()

    def take_job(self, job: Job) -> JobFault | None:
        """The fault for a job that starts now, if there is one; it is used up once."""
        return self._take(lambda entry: isinstance(entry, JobFault) and entry.job == job)

    def take_operation(self, service: str, operation: str) -> OperationFault | None:
        """The fault for a call that comes in now, if there is one; it is used up once."""
        return self._take(
            lambda entry: isinstance(entry, OperationFault) and (entry.service, entry.operation) == (service, operation)
        )

    def _take(self, fits: Any) -> Any:
        with self._lock:
            for entry in self._entries:
                if entry.times > 0 and fits(entry):
                    entry.times -= 1
                    return entry
        return None


def load(path: Path | None) -> Faults:
    """The faults in a file, none without one. Raises OSError, or ValueError with every problem of the file."""
    if path is None:
        return Faults([])
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {error}") from None
    if not isinstance(content, list):
        raise ValueError("it must be a list of faults, each beginning with '- service: sagemaker'")
    entries: list[JobFault | OperationFault] = []
    problems: list[str] = []
    for number, item in enumerate(content, 1):
        kind = JobFault if isinstance(item, dict) and "job" in item else OperationFault
        try:
            entries.append(TypeAdapter(kind).validate_python(item))
        except ValidationError as error:
            problems += [
                f"entry {number}: {'.'.join(map(str, detail['loc'])) or 'it'}: {detail['msg']}"
                for detail in error.errors()
            ]
    if problems:
        raise ValueError("; ".join(problems))
    return Faults(entries)
