"""Checks the limits of later steps before AutoML costs money. docs/limits.md has all limits with their sources."""

from __future__ import annotations

import math
import os
import shutil
from typing import Sequence

from csv_rows import first_rows
from unusable_data import UnusableDataError

# Autopilot's channels (docs.aws.amazon.com/sagemaker/latest/APIReference/API_AutoMLChannel.html): less than these.
MOST_TRAINING_BYTES, MOST_VALIDATION_BYTES = 100 * 10**9, 2 * 10**9
# It samples more than this (docs.aws.amazon.com/sagemaker/latest/dg/autopilot-quotas.html).
SAMPLED_BYTES = 5 * 10**9
# What EvaluateModel has memory and time for, the champion's answers included
# (docs/decisions/2026-11-26-most-test-rows.md).
MOST_TEST_ROWS, MOST_TEST_PROBABILITIES, MOST_TEST_CELLS = 10_000_000, 30_000_000, 1_000_000_000
# Bytes on disk for each value of a column, and the part of the volume that the container itself needs.
BYTES_OF_A_VALUE, SPARE_BYTES = 8, 1 << 30


def check_space(path: str, folder: str, unread: Sequence[str]) -> None:
    """Raises UnusableDataError if the disk of `folder` cannot hold what the job writes for the CSV at `path`.

    The job writes each column once more, the encoded rows, and a fifth of them as JSON with the columns' names.
    """
    size = os.path.getsize(path)
    names, rows, length = first_rows(path)
    if not rows:
        return
    used = [name for name in names if name not in unread]
    expected = size / length * rows
    columns = expected * len(used) * BYTES_OF_A_VALUE
    json_lines = 0.2 * (size + expected * sum(len(name.encode()) + 6 for name in used))
    needed = columns + size + json_lines + SPARE_BYTES
    usage = shutil.disk_usage(folder)
    if usage.free < needed:
        least = math.ceil((usage.used + needed) / 2**30)
        raise UnusableDataError(
            f"The volume has {_gigabytes(usage.free)} left, and the job needs about {_gigabytes(needed)} beside the "
            f"{_gigabytes(size)} of data. Set processing_volume_gb to {least} or more."
        )


def test_share(share: float, rows: int, columns: int, classes: int, excess: float = 1.0) -> float:
    """The share of the rows that test the model: `share`, or less, where that is more than EvaluateModel takes.

    `classes`: 0 for numbers. `excess`: how many times its share a split may reach at the most. Metrics are as certain of so
    many rows as of more; those that do not test the model train it.
    """
    most = min(MOST_TEST_ROWS, MOST_TEST_PROBABILITIES // max(classes, 1), MOST_TEST_CELLS // max(columns, 1))
    return min(share, most / excess / max(rows, 1))


def check_channels(folder: str) -> list[str]:
    """What Autopilot does with tables of the size of those under `folder`, in sentences for a person.

    Raises UnusableDataError, and removes what was written under `folder`, if it would refuse them.
    """
    for name, most in (("train", MOST_TRAINING_BYTES), ("validation", MOST_VALIDATION_BYTES)):
        size = _size(folder, name)
        if size >= most:
            shutil.rmtree(folder)
            raise UnusableDataError(
                f"{name}.csv has {_gigabytes(size)}, and Autopilot takes less than {_gigabytes(most)} of "
                f"{'training' if name == 'train' else name} data. Narrow the range of customers, or leave columns out with "
                "exclude_columns."
            )
    size = _size(folder, "train")
    if size <= SAMPLED_BYTES:
        return []
    return [
        f"train.csv has {_gigabytes(size)}, and Autopilot trains on a sample of about {_gigabytes(SAMPLED_BYTES)} that it "
        "draws itself, unless your account's quota 'Target dataset size for subsampling' is larger."
    ]


def _size(folder: str, name: str) -> int:
    path = os.path.join(folder, name, f"{name}.csv")
    return os.path.getsize(path) if os.path.exists(path) else 0


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:,.1f} GB"
