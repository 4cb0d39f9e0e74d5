"""What a run's later steps can take, asked before AutoML costs money. docs/limits.md has all limits with their sources."""

from __future__ import annotations

import math
import os
import shutil
from typing import Sequence

from query_result import UnusableDataError, first_rows

# Autopilot's channels (docs.aws.amazon.com/sagemaker/latest/APIReference/API_AutoMLChannel.html): less than these.
MOST_TRAINING_BYTES, MOST_VALIDATION_BYTES = 100 * 10**9, 2 * 10**9
# It samples more than this (docs.aws.amazon.com/sagemaker/latest/dg/autopilot-quotas.html).
SAMPLED_BYTES = 5 * 10**9
# EvaluateModel's 2 GB hold the answers for as many with room to spare: 2 million of two classes, without a model that serves
# beside, take 0.41 GB (docs/benchmarks.md). More classes and that model's answers take more.
MOST_TEST_ROWS, MOST_TEST_PROBABILITIES = 2_000_000, 6_000_000
# Of a value in the columns on disk, and of the rest of the volume that the container itself needs.
BYTES_OF_A_VALUE, SPARE_BYTES = 8, 1 << 30


def check_space(path: str, folder: str, unread: Sequence[str]) -> None:
    """Raises UnusableDataError if the disk of `folder` cannot hold what becomes of the CSV at `path`.

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


def check_evaluation(test_rows: int, classes: int) -> None:
    """Raises UnusableDataError if EvaluateModel could not hold the answers for the test rows (`classes`: 0 for numbers)."""
    most = min(MOST_TEST_ROWS, MOST_TEST_PROBABILITIES // max(classes, 1))
    if test_rows > most:
        raise UnusableDataError(
            f"There are {test_rows:,} test rows, and the evaluation takes at most {most:,}"
            f"{f' with {classes:,} classes' if classes > 2 else ''}. Narrow the range of customers."
        )


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
