"""Shapley values by sampling are those of models whose Shapley values are known."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from local.aws.sagemaker.compute import automl

sys.path.insert(0, str(Path(automl.__file__).parent / "containers"))

import shapley

GENERATOR = np.random.default_rng(3)
ROWS = pd.DataFrame(
    {
        "a": GENERATOR.normal(size=600),
        "b": GENERATOR.normal(size=600),
        "kind": GENERATOR.choice(["x", "y"], 600),
        "still": GENERATOR.normal(size=600),
    }
)


def linear(rows: pd.DataFrame) -> np.ndarray:
    value = 3 * rows["a"] - rows["b"] + 2.0 * (rows["kind"] == "y")
    return np.column_stack([value, -value])


def test_a_linear_models_values_are_its_weights_times_the_distance_from_the_mean() -> None:
    sizes, means = shapley.mean_sizes(linear, ROWS, seed=1, seconds=60)
    distance = np.sqrt(2 / np.pi)  # mean distance of a standard normal number from its mean
    # Each row is compared with four others drawn at random, which adds a quarter of the column's variance.
    expected = np.array([3 * distance, distance, 1.0, 0.0]) * np.sqrt(1 + 2 / shapley.WALKS)
    assert sizes[:, 0] == pytest.approx(expected, rel=0.2, abs=1e-12)
    assert sizes[:, 1] == pytest.approx(sizes[:, 0])
    assert means == pytest.approx(linear(ROWS).mean(axis=0), abs=0.5)


def test_columns_that_work_only_together_share_the_effect() -> None:
    def both(rows: pd.DataFrame) -> np.ndarray:
        return (rows["a"] * rows["b"]).to_numpy()[:, None]

    sizes, _ = shapley.mean_sizes(both, ROWS, seed=1, seconds=60)
    assert sizes[0, 0] == pytest.approx(sizes[1, 0], rel=0.35)
    assert sizes[0, 0] > 0.3
    assert sizes[2:, 0] == pytest.approx([0, 0], abs=1e-12)


def test_types_reach_the_model_as_they_are() -> None:
    seen: list[dict] = []

    def answer(rows: pd.DataFrame) -> np.ndarray:
        seen.append(rows.dtypes.to_dict())
        return np.zeros((len(rows), 1))

    mixed = ROWS.assign(whole=np.arange(600), gap=pd.array([1, None] * 300, dtype="Int64"))
    shapley.mean_sizes(answer, mixed, seed=1, seconds=60)
    assert seen[0] == mixed.dtypes.to_dict()


def test_time_bounds_the_rows_and_one_chunk_is_always_done() -> None:
    asked: list[int] = []

    def answer(rows: pd.DataFrame) -> np.ndarray:
        asked.append(len(rows))
        return np.zeros((len(rows), 1))

    shapley.mean_sizes(answer, ROWS, seed=1, seconds=-1)
    assert len(asked) == 1
    asked.clear()
    shapley.mean_sizes(answer, ROWS, seed=1, seconds=60)
    assert sum(asked) == shapley.MOST_ROWS * shapley.WALKS * (ROWS.shape[1] + 1)
