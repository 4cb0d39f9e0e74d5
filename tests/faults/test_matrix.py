"""Every fault of every Task state: told once or recovered from, nothing left running, nothing lost.

The cases come from the machines' own files: a new Task state joins by itself.
"""

from __future__ import annotations

import pytest

from tests.faults import kinds
from tests.faults.conftest import Matrix
from tests.faults.kinds import Case


@pytest.mark.parametrize("case", list(kinds.cases()), ids=str)
def test_fault(matrix: Matrix, case: Case) -> None:
    found = matrix.problems(case)
    assert not found, "\n".join(found)


def test_matrix_is_not_small() -> None:
    assert len(list(kinds.cases())) >= 120
