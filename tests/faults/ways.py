"""How an execution gets to a state: a plain scenario, or one with a fault before that leads there. Found by trying."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from local.server import paths
from tests.contract import machines
from tests.faults.kinds import KINDS, Case, Kind, Task, tasks
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.stage import Ending, Entries, Stage

# A call that was made twice is refused, as what it makes is there: the execution may still end well. A denied call fails for sure.
FIRST_TRIED = [kind for kind in KINDS if kind.name in ("answer lost, called again", "access denied")][::-1]


HINTS = Path(__file__).parent / "ways.json"
"""Ways that were found, for the first run of the matrix in a clone: a copy of the next one."""
OWN = paths.ROOT / "fault-ways.json"


class UnreachedError(Exception):
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
        entries += [{**entry, "state": self._caller(operation)} for operation, entry in self.scenario.faults]
        given = self.scenario.given(stage, prepared)
        ending = stage.play(self.scenario.machine, given, [{**entry, "execution": name} for entry in entries], name)
        if self.scenario.machine == "failure":
            ending.run_id, ending.running = stage.aborted_run_id, stage._jobs_running(stage.aborted_run_id)
        return ending

    def _caller(self, operation: str) -> str:
        return next(
            task.name for task in tasks() if (task.machine, task.operation.name) == (self.scenario.machine, operation)
        )

    def __str__(self) -> str:
        return " and ".join([self.scenario.name, *(f"{state}: {dict(entry)}" for state, entry in self.before)])


class Ways:
    """Ways that were found on a cloud, for all its stages. Those that led there once are tried first."""

    def __init__(self) -> None:
        self._led = _remembered()
        self._endings: dict[Way, Ending] = {}
        self._found: dict[Task, Way] = {}
        self._lock = threading.Lock()
        self._locks: dict[Any, threading.Lock] = {}

    def to(self, task: Task, stage: Stage) -> Way:
        """A way to a state, tried on a stage. Raises UnreachedError."""
        with self._lock_for(task):
            if task not in self._found:
                self._found[task] = self._find(task, stage)
            return self._found[task]

    def forget(self, task: Task) -> None:
        """Look for another way: what lies about on the stacks has changed, and the one that was found leads there no more."""
        with self._lock_for(task):
            way = self._found.pop(task, None)
            if way is not None:
                self._endings.pop(replace(way, ending=None), None)

    def remember(self) -> None:
        """Keep what was found for the next time."""
        led = {**_remembered(), **self._found}  # another process may have written meanwhile
        kept = {
            str(task): [way.scenario.name, [[state, dict(entry)] for state, entry in way.before]]
            for task, way in led.items()
        }
        paths.ROOT.mkdir(parents=True, exist_ok=True)
        staging = OWN.with_suffix(f".{os.getpid()}")
        staging.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", encoding="utf-8")
        staging.rename(OWN)

    def _lock_for(self, what: Any) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(what, threading.Lock())

    def _find(self, task: Task, stage: Stage) -> Way:
        if task in self._led:
            ending = self._ending(self._led[task], stage)
            if task.name in ending.entered:
                return replace(self._led[task], ending=ending)
        rest = [kind for kind in KINDS if kind not in FIRST_TRIED and kind.entry.get("times") != 2]
        for way in self._ways(task, stage, (), rest):
            return replace(way, ending=self._ending(way, stage))
        raise UnreachedError(f"No execution comes to {task}: add a scenario that does to tests/faults/scenarios.py")

    def _ways(self, task: Task, stage: Stage, looked: tuple[Task, ...], rest: Iterable[Kind] = ()) -> Iterator[Way]:
        """All ways that were found to lead to a state by the kinds tried first, then by the `rest`, if that is asked for."""
        seen: set[Way] = set()
        for way in self._trials(task, stage, (*looked, task), rest):
            if way not in seen and task.name in self._ending(way, stage).entered:
                yield way
            seen.add(way)

    def _trials(self, task: Task, stage: Stage, looked: tuple[Task, ...], rest: Iterable[Kind]) -> Iterator[Way]:
        """Ways that may lead to a state, what does least first."""
        plain = [Way(one) for one in SCENARIOS if one.machine == task.machine]
        yield from plain
        known: dict[Task, list[Way]] = {}
        for earlier in _callers_before(task):
            known[earlier] = [way for way in plain if earlier.name in self._ending(way, stage).entered]
            if not known[earlier] and earlier not in looked:
                for way in self._ways(earlier, stage, looked):
                    known[earlier].append(way)
                    yield way
        for kinds in (FIRST_TRIED, *([kind] for kind in rest)):
            for earlier, ways in known.items():
                for kind in [kind for kind in kinds if kind.applies(earlier)]:
                    for way in ways:
                        yield Way(way.scenario, (*way.before, (earlier.name, tuple(kind.entry.items()))))

    def _ending(self, way: Way, stage: Stage) -> Ending:
        with self._lock_for(way):
            if way not in self._endings:
                self._endings[way] = way.play(stage)
            return self._endings[way]


def _remembered() -> dict[Task, Way]:
    """What led to a state when it was last looked for: a hint, as machines change."""
    scenarios, known = {one.name: one for one in SCENARIOS}, {str(task): task for task in tasks()}
    led: dict[Task, Way] = {}
    for path in (HINTS, OWN):
        for name, (scenario, before) in json.loads(path.read_text(encoding="utf-8") if path.exists() else "{}").items():
            if name in known and scenario in scenarios:
                faults = tuple((state, tuple(entry.items())) for state, entry in before)
                led[known[name]] = Way(scenarios[scenario], faults)
    return led


def _callers_before(task: Task) -> list[Task]:
    """Task states from which the state can be reached before another Task state."""
    states = machines.states(task.machine)

    def leads(name: str, seen: frozenset[str]) -> bool:
        if name == task.name:
            return True
        if name in seen or states[name]["Type"] == "Task":
            return False
        return any(leads(target, seen | {name}) for target in machines.targets(states[name]))

    return [
        Task(task.machine, name)
        for name, state in states.items()
        if name != task.name
        and state["Type"] == "Task"
        and any(leads(one, frozenset()) for one in machines.targets(state))
    ]
