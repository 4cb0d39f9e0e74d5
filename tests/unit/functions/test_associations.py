"""Which columns a model's answers go along with: the correlation ratio, whatever the column's scale and the answers' form."""

from __future__ import annotations

import associations
import numpy
import pandas
import pytest

GENERATOR = numpy.random.default_rng(0)
ROWS = 4000
TABLE = pandas.DataFrame(
    {
        "category": GENERATOR.integers(0, 4, ROWS),
        "amount": GENERATOR.lognormal(10, 2, ROWS),
        "noise": GENERATOR.normal(size=ROWS),
        "many": GENERATOR.integers(0, 45, ROWS),
        "constant": 1,
    }
)


def shares(answers: numpy.ndarray) -> dict[str, float]:
    found = associations.describe(TABLE, answers)
    assert [row["share"] for row in found] == sorted((row["share"] for row in found), reverse=True)
    return {row["column"]: row["share"] for row in found}


def test_column_that_decides_accounts_for_everything() -> None:
    effect = numpy.array([0.1, 0.9, 0.3, 0.5])[TABLE["category"]]
    found = shares(numpy.column_stack([1 - effect, effect]))
    assert found.pop("category") == pytest.approx(1)
    assert all(share < 0.01 for share in found.values())  # 45 groups too: chance is taken off


def test_two_columns_account_for_their_parts() -> None:
    rank = TABLE["amount"].rank().to_numpy() / ROWS
    answers = (TABLE["category"] % 2) * 0.5 + rank
    expected = {name: numpy.var(part) / numpy.var(answers) for name, part in (("category", (TABLE["category"] % 2) * 0.5), ("amount", rank))}  # fmt: skip
    found = shares(answers.to_numpy()[:, None])
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=0.05)
    assert found["constant"] == 0


def test_answer_that_never_changes_goes_along_with_nothing() -> None:
    assert associations.describe(TABLE, numpy.full((ROWS, 2), 0.5)) == []
