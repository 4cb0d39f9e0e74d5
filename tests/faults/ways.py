"""How an execution gets to a state: a plain scenario, or one with a fault before that leads there. Found by trying."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any

from tests.contract import machines
from tests.faults.kinds import KINDS, Case, Task, tasks
from tests.faults.stage import SCENARIOS, Ending, Entries, Scenario, Stage


class Unreached(Exception):
    """No scenario, and no fault before the state, leads there."""


@dataclass(frozen=True)
class Way:
    """A scenario, the faults of states before that lead to the state, and how the execution ends with no other fault."""

    scenario: Scenario
    before: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...] = ()
    ending: Ending | None = field(default=None, compare=False)

    def prepare(self, stage: Stage) -> Any:
        """Have things as the scenario begins."""
        return self.scenario.prepare(stage)

    def play(self, stage: Stage, case: Case | None = None, prepared: Any = None) -> Ending:
        """Run an execution by this way, with a fault of a state or without."""
        prepared = prepared or self.prepare(stage)
        name = stage.new_name()
        entries: Entries = [dict(entry) | {"state": state} for state, entry in self.before]
        if case:
            entries.append({**case.kind.entry, "state": case.task.name})
        creator = next(task.name for task in tasks() if task.operation.name == "CreateEndpoint")
        entries += [{**entry, "state": creator} for entry in self.scenario.creating]
        given = self.scenario.given(stage, prepared)
        ending = stage.play(self.scenario.machine, given, [{**entry, "execution": name} for entry in entries], name)
        if self.scenario.machine == "interrupted":
            ending.run_id, ending.running = stage.aborted_run_id, stage._jobs_running(stage.aborted_run_id)
        return ending

    def __str__(self) -> str:
        return " and ".join([self.scenario.name, *(f"{state}: {dict(entry)}" for state, entry in self.before)])


class Ways:
    """Ways that were found on a cloud, for all its stages."""

    def __init__(self) -> None:
        self._endings: dict[Way, Ending] = {}
        self._found: dict[Task, Way] = {}
        self._lock = threading.Lock()
        self._locks: dict[Any, threading.Lock] = {}

    def to(self, task: Task, stage: Stage) -> Way:
        """A way to a state, tried on a stage. Raises Unreached."""
        with self._lock_for(task):
            if task not in self._found:
                self._found[task] = self._find(task, stage, ())
            return self._found[task]

    def _lock_for(self, what: Any) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(what, threading.Lock())

    def _find(self, task: Task, stage: Stage, looked: tuple[Task, ...]) -> Way:
        plain = [Way(one) for one in SCENARIOS if one.machine == task.machine]
        for way in plain:
            if task.name in self._ending(way, stage).entered:
                return replace(way, ending=self._ending(way, stage))
        for earlier in _callers_that_lead_to(task):
            if earlier in looked:
                continue
            try:
                known = self._find(earlier, stage, (*looked, task))
            except Unreached:
                continue
            # Those first after which the execution can still end well.
            for kind in sorted(KINDS, key=lambda kind: not kind.recovers):
                if kind.applies(earlier) and kind.entry.get("times") != 2:
                    entry = tuple(kind.entry.items())
                    way = Way(known.scenario, (*known.before, (earlier.name, entry)))
                    ending = self._ending(way, stage)
                    if task.name in ending.entered:
                        return replace(way, ending=ending)
        raise Unreached(f"No execution comes to {task}: add a scenario that does to tests/faults/stage.py")

    def _ending(self, way: Way, stage: Stage) -> Ending:
        with self._lock_for(way):
            if way not in self._endings:
                self._endings[way] = way.play(stage)
            return self._endings[way]


def _callers_that_lead_to(task: Task) -> list[Task]:
    """Task states with a Catch from which the state can be reached before another Task state."""
    states = machines.source(task.machine)["States"]

    def leads(name: str, seen: frozenset[str]) -> bool:
        if name == task.name:
            return True
        state = states[name]
        if name in seen or state["Type"] == "Task":
            return False
        targets = [rule["Next"] for rule in state.get("Choices", [])] + [
            state[key] for key in ("Next", "Default") if key in state
        ]
        return any(leads(target, seen | {name}) for target in targets)

    return [
        Task(task.machine, name)
        for name, state in states.items()
        if name != task.name and any(leads(rule["Next"], frozenset()) for rule in state.get("Catch", []))
    ]
