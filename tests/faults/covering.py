"""The part of the matrix that `make test` runs: every Catch and every Retry rule of every state, and every end of a job.

What is left to `make faults` is the full cross product: each kind of refusal at each state. The kinds that lead to the same
rule take turns over the states of a service, so that each is met by every service in several places.
"""

from __future__ import annotations

import itertools
from collections import defaultdict

from tests.contract import machines
from tests.faults import kinds
from tests.faults.kinds import Case, Task

# Each fails the call for good: the state's Catch, and the email that it leads to.
REFUSALS = ("access denied", "throttled for good", "invalid request", "service error", "task timeout")
# Each is met by the Retry rule for the service's own errors.
PASSING = ("throttled twice", "service error twice", "answer lost")
# Where a state has more than one Retry rule, throttling and the quota have one of their own, broken connections another.
OF_SEVERAL_RULES = ("throttled twice", "answer lost")
# A second call of what makes or changes something must not do so twice. Where it does not, no rule is met.
TWICE = "answer lost, called again"
MAKING = ("Create", "Start", "Register", "Update")


def cases() -> list[Case]:
    """The selection, in the order of the matrix."""
    by_task: dict[Task, list[Case]] = defaultdict(list)
    for case in kinds.cases():
        by_task[case.task].append(case)
    turns: dict[str, itertools.count[int]] = defaultdict(itertools.count)
    return [case for task, own in by_task.items() for case in _chosen(task, own, next(turns[task.service]))]


def _chosen(task: Task, cases_of_it: list[Case], turn: int) -> list[Case]:
    own = {case.kind.name for case in cases_of_it}
    # How jobs end, what they leave, quotas, malformed answers, errors that the state catches by name: all of them.
    chosen = own.difference(REFUSALS, PASSING, {TWICE})
    chosen.add(REFUSALS[turn % len(REFUSALS)])
    if any("States.Timeout" in rule["ErrorEquals"] for rule in machines.catch(task.machine, task.name)):
        chosen.add("task timeout")
    if len(task.state["Retry"]) > 1:
        chosen.update(OF_SEVERAL_RULES)
    else:
        chosen.add(PASSING[turn % len(PASSING)])
    if task.operation.name.startswith(MAKING):
        chosen.add(TWICE)
    return [case for case in cases_of_it if case.kind.name in chosen]
