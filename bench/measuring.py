"""Whole processes, measured side by side: they take turns, so that what else the machine does meets all of them alike."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Cost:
    """Of one process with its children: seconds by the clock, seconds of processors, megabytes of the largest at its peak."""

    seconds: float
    processor: float
    megabytes: float


@dataclass
class Row:
    """A row of the table: what was measured, in which unit, our figures and the baseline's, each time."""

    what: str
    ours: Sequence[float]
    baseline: str = ""
    theirs: Sequence[float] = ()
    unit: str = "s"
    note: str = ""
    memory: Sequence[float] = field(default_factory=list)
    """Peak megabytes: ours, the baseline's."""

    @property
    def ratio(self) -> float | None:
        """Ours to the baseline's, of the medians."""
        return statistics.median(self.ours) / statistics.median(self.theirs) if self.theirs else None


# A process's peak includes that of the one it was forked from, so that a small one stands between.
_BETWEEN = """
import json, os, sys, time
began = time.monotonic()
_, status, usage = os.wait4(os.spawnvp(os.P_NOWAIT, sys.argv[2], sys.argv[2:]), 0)
reported = [time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status)]
os.write(int(sys.argv[1]), json.dumps(reported).encode())
"""


def once(command: Sequence[str], environment: Mapping[str, str] | None = None, log: int = subprocess.DEVNULL) -> Cost:
    """Runs a command. Raises CalledProcessError."""
    read, write = os.pipe()
    with os.fdopen(read) as reported:
        try:
            between = [sys.executable, "-S", "-c", _BETWEEN, str(write), *command]
            subprocess.run(between, stdout=log, env={**os.environ, **(environment or {})}, pass_fds=[write], check=True)
        finally:
            os.close(write)
        seconds, processor, kilobytes, status = json.loads(reported.read())
    if status:
        raise subprocess.CalledProcessError(status, [*command])
    return Cost(seconds, processor, kilobytes * 1024 / MEGABYTE)


def in_turns(commands: Mapping[str, Sequence[str]], repeats: int) -> dict[str, list[Cost]]:
    """Each command's costs."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            costs[name].append(once(command))
    return costs


def once_each(commands: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """Each command's costs of one run, as JSON."""
    return {
        way: {"seconds": cost.seconds, "processor_seconds": cost.processor, "megabytes": cost.megabytes}
        for way, [cost] in in_turns(commands, 1).items()
    }


def rows(what: str, costs: Mapping[str, Sequence[Cost]]) -> list[Row]:
    """Two rows for each baseline, which are the commands behind the first: by the clock, and of processors."""
    (_, ours), *baselines = costs.items()
    found = []
    for name, theirs in baselines:
        memory = [max(cost.megabytes for cost in way) for way in (ours, theirs)]
        for measured, unit in (("seconds", "s"), ("processor", "s of processors")):
            found.append(
                Row(
                    what,
                    [getattr(cost, measured) for cost in ours],
                    name,
                    [getattr(cost, measured) for cost in theirs],
                    unit,
                    memory=memory,
                )
            )
    return found
