"""Whether the fault matrix notices a mutant: the cases of its state, on a stack whose machine was mutated."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli import local_cloud
from local.server import paths, process
from tests.contract import machines
from tests.faults import judgement, kinds
from tests.faults.conftest import WAIT_SCALE
from tests.faults.stage import Stage
from tests.faults.ways import UnreachedError, Ways
from tests.mutations.mutants import MachineMutant


@contextmanager
def stage() -> Iterator[Stage]:
    """A local cloud with one stack."""
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        faults = Path(folder) / "faults"
        faults.mkdir()
        state = Path(folder) / "state"
        with process.running(state=state, faults=faults, wait_scale=WAIT_SCALE, reuse=paths.REUSE) as server:
            local_cloud.load_telco(local_cloud.LocalCloud(server, {}))
            made = Stage(server, faults, "mutations")
            made.deploy()
            yield made


def _concerns(state: str, task: kinds.Task) -> bool:
    """Whether it is the task, or the Parallel state around it that catches its errors."""
    around = machines.around(task.machine, task.name)
    return task.name == state or (around == machines.states(task.machine)[state] and "Catch" not in task.state)


def noticed(mutant: MachineMutant, on: Stage, ways: Ways) -> str | None:
    """The case of the matrix that is not as it must be with the mutant; None if all are."""
    task = next((one for one in kinds.tasks() if one.machine == mutant.machine and _concerns(mutant.state, one)), None)
    if task is None:
        return None
    try:
        way = ways.to(task, on)  # on the machine as it is: what the mutant must not change
    except UnreachedError:
        return None
    states, arn = on.client("stepfunctions"), on.machine_arns[mutant.machine]
    definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
    cases = [case for case in kinds.cases() if case.task == task]
    sound = [case for case in cases if case.kind.recovers]
    try:
        for case in sorted(cases, key=lambda case: case not in sound):
            on.settle()
            states.update_state_machine(stateMachineArn=arn, definition=definition)
            prepared = way.prepare(on)
            states.update_state_machine(stateMachineArn=arn, definition=json.dumps(mutant.of(json.loads(definition))))
            ending = way.play(on, case, prepared)
            if list(judgement.problems(case, way, ending, on)):
                states.update_state_machine(stateMachineArn=arn, definition=definition)
                original = way.play(on, case)
                if not list(judgement.problems(case, way, original, on)):
                    return f"matrix: {case}"
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=definition)
    return None
