"""How far each column moves a model's answers: Shapley values by sampling orders of the columns (Štrumbelj and Kononenko, 2014).

They estimate what SageMaker Clarify estimates by Kernel SHAP; the estimator differs, the quantity does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

WALKS = 8
"""For each explained row, half of them the other half's orders reversed, which cancels much of the noise."""

MOST_ANSWERS, LEAST_ROWS, MOST_ROWS = 10_000, 5, 100
_ANSWERS_AT_ONCE = 2_500


def mean_sizes(
    answer: Callable[[pd.DataFrame], np.ndarray], rows: pd.DataFrame, *, seed: int, seconds: float
) -> tuple[np.ndarray, np.ndarray]:
    """The mean absolute Shapley value of each column for each output, columns by outputs, and the outputs' means.

    `answer` gives an array of rows by outputs. `rows` are drawn from, to be explained and to be compared with. How many
    are explained depends on the number of columns alone, unless it takes longer than `seconds`: then fewer, at least one chunk.
    """
    generator = np.random.default_rng(seed)
    width = rows.shape[1]
    explained = int(np.clip(MOST_ANSWERS // (WALKS * (width + 1)), LEAST_ROWS, min(MOST_ROWS, len(rows))))
    chosen = generator.permutation(len(rows))[:explained]
    at_once = max(1, _ANSWERS_AT_ONCE // (WALKS * (width + 1)))
    began = time.monotonic()
    sizes, ends = [], []
    for start in range(0, explained, at_once):
        if sizes and time.monotonic() - began > seconds:
            break
        contributions, reached = _walk(answer, rows, chosen[start : start + at_once], generator)
        sizes.append(np.abs(contributions))
        ends.append(reached)
    return np.concatenate(sizes).mean(axis=0), np.concatenate(ends).mean(axis=0)


def _walk(
    answer: Callable[[pd.DataFrame], np.ndarray], rows: pd.DataFrame, chosen: np.ndarray, generator: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Each chosen row's contributions (row, column, output), and the outputs of the rows that the walks begin with."""
    width, steps = rows.shape[1], rows.shape[1] + 1
    orders = np.array([generator.permutation(width) for _ in range(len(chosen) * WALKS // 2)])
    orders = np.stack([orders, orders[:, ::-1]], axis=1).reshape(-1, width)
    ranks = np.argsort(orders, axis=1)  # when a column takes the explained row's value
    walks = len(orders)
    # The two walks of opposite orders begin with the same row.
    others = np.repeat(generator.integers(len(rows), size=walks // 2), 2)
    own = np.repeat(chosen, WALKS)
    step = np.tile(np.arange(steps), walks)
    walk = np.repeat(np.arange(walks), steps)
    table = pd.DataFrame(
        {
            name: rows[name].take(np.where(ranks[walk, column] < step, own[walk], others[walk])).to_numpy()
            for column, name in enumerate(rows.columns)
        }
    ).astype(rows.dtypes.to_dict())
    answers = answer(table).reshape(walks, steps, -1)
    moved = np.diff(answers, axis=1)
    by_column = np.take_along_axis(moved, ranks[:, :, None], axis=1)
    return by_column.reshape(len(chosen), WALKS, width, -1).mean(axis=1), answers[:, 0]
