"""Every fault of every Task state: told once or recovered from, nothing left running, nothing lost.

The cases come from the machines' own files: a new Task state joins by itself.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults import kinds
from tests.faults.conftest import Matrix
from tests.faults.kinds import Case


def _groups() -> list[Any]:
    """The cases; with several processes (pytest -n 2 --dist loadgroup) half of the states for each of two."""
    numbers = {task: number for number, task in enumerate(kinds.tasks())}
    return [
        pytest.param(case, id=str(case), marks=pytest.mark.xdist_group(f"faults-{numbers[case.task] % 2}"))
        for case in kinds.cases()
    ]


@pytest.mark.parametrize("case", _groups())
def test_fault(matrix: Matrix, case: Case) -> None:
    found = matrix.problems(case)
    assert not found, "\n".join(found)


def test_matrix_is_not_small() -> None:
    assert len(list(kinds.cases())) >= 120
