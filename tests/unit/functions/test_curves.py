"""The report's curves: bounded in size, and the same rows whatever their order."""

from __future__ import annotations

import curves
import numpy
import pytest

GENERATOR = numpy.random.default_rng(0)


def test_rows_of_a_confidence_are_counted_with_those_that_were_right() -> None:
    probability = numpy.array([0.34, 0.51, 0.52, 0.97, 1.0])
    right = numpy.array([False, True, False, True, True])
    found = {row["from"]: row for row in curves.of_confidence(right, probability)}
    assert sum(row["rows"] for row in found.values()) == 5
    assert (found[0.5]["rows"], found[0.5]["right"]) == (2, 1)
    assert found[0.5]["mean_probability"] == pytest.approx(0.515)
    assert (found[0.95]["rows"], found[0.95]["right"]) == (2, 2)
    assert found[0.0]["mean_probability"] is None


def test_residuals_beyond_the_histogram_are_counted() -> None:
    residuals = GENERATOR.normal(size=5000)
    residuals[:3] = 1e9
    found = curves.of_residuals(residuals, numpy.zeros(5000))["histogram"]
    assert sum(found["rows"]) + found["below"] + found["above"] == 5000
    assert found["above"] >= 3
    assert found["edges"][-1] < 5


def test_residuals_that_are_all_the_same_have_a_histogram() -> None:
    found = curves.of_residuals(numpy.full(100, 0.3), numpy.full(100, 0.1))["histogram"]
    assert sum(found["rows"]) == 100


def test_errors_grow_with_the_prediction_where_they_do() -> None:
    predicted = numpy.linspace(1, 10, 2000)
    truth = predicted + predicted * GENERATOR.normal(0, 0.1, 2000)
    groups = curves.of_residuals(truth, predicted)["by_prediction"]
    widths = [group["high"] - group["low"] for group in groups]
    assert [group["rows"] for group in groups] == [200] * 10
    assert widths[-1] > 4 * widths[0]
    assert sorted(group["median_prediction"] for group in groups) == [group["median_prediction"] for group in groups]
