"""Every fault of every Task state: reported once or recovered from, nothing left running, nothing lost.

The cases come from the machines' own files: a new Task state joins by itself.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults import covering, kinds
from tests.faults.conftest import Matrix
from tests.faults.kinds import Case, Task

COVERING = covering.cases()


def _cases() -> list[Any]:
    """All cases. Those that `make test` leaves to `make faults` are marked."""
    chosen = set(COVERING)
    return [
        pytest.param(case, id=str(case), marks=() if case in chosen else pytest.mark.exhaustive)
        for case in kinds.cases()
    ]


@pytest.mark.parametrize("case", _cases())
def test_fault(matrix: Matrix, case: Case) -> None:
    found = matrix.problems(case)
    assert not found, "\n".join(found)


def test_matrix_is_not_small() -> None:
    assert len(list(kinds.cases())) >= 120


@pytest.mark.parametrize("task", kinds.tasks(), ids=str)
def test_selection_has_each_state_fail_and_recover_by_each_retry(task: Task) -> None:
    chosen = [case.kind for case in COVERING if case.task == task]
    assert any(kind.name in covering.REFUSALS for kind in chosen)
    assert len([kind for kind in chosen if kind.recovers]) >= len(task.state["Retry"])


def test_selection_has_every_kind() -> None:
    """Each kind of fault, and each way in which a service refuses."""
    assert {case.kind.name for case in COVERING} == {case.kind.name for case in kinds.cases()}
