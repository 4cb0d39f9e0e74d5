"""The processing job: raw customers in, training and test rows out, and the preprocess container that encodes alike.

Reads the CSV files under `processing/input/raw`, writes under `processing/output`

- `train/train.csv`, `test/test.csv`: encoded features in the model's order, then the target; 80/20, stratified
- `evaluation_input/test.jsonl`: the test rows as a client would send them, one JSON object a line
- `preprocessing/preprocessing.json`, `preprocessing/model.tar.gz`: how to encode, and the container that does it

Medians and categories are taken from the training rows alone, so that the test tells about customers never seen.
Data that cannot be trained on ends the job with one sentence in `output/message`, which SageMaker shows as the job's
ExitMessage; nothing is written then.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Sequence

from encoding import FORMAT, Encoder
from fitting import (
    BINARY,
    MULTICLASS,
    REGRESSION,
    TEST_SHARE,
    check_features,
    check_trainable,
    fit,
    read_target,
    split,
)
from outputs import progress, write_outputs
from query_result import UnusableData, cut, read_source

# SageMaker mounts everything under /opt/ml; another root is for running the job elsewhere.
ROOT = os.environ.get("OPT_ML", "/opt/ml")
STORE_COLUMNS = ("customer_id", "event_time", "write_time", "api_invocation_time", "is_deleted")
MESSAGE_BYTES = 1024


def run(root: str, target: str, problem_type: str, ignored: Sequence[str], seed: int) -> dict[str, Any]:
    """The whole job. Returns preprocessing.json's content. Raises UnusableData before anything is written."""
    ignored = [name for name in dict.fromkeys([*STORE_COLUMNS, *ignored]) if name != target]
    source = read_source(os.path.join(root, "processing/input/raw"), ignored)
    if target not in source.columns:
        raise UnusableData(
            f"Target column {target!r} is not in the data, which has: {cut(', '.join(source.columns), 600)}. "
            "Set target_attribute_name to one of them."
        )
    if source.rows == 0:
        raise UnusableData(
            "The query found no customer: the feature group has no record in the chosen range that is not deleted. "
            "Check customer_id_start and customer_id_end, and whether records have arrived in the offline store."
        )
    progress(f"{source.rows} rows with {len(source.columns)} columns")
    rows, targets, labels = read_target(source, target, problem_type)
    check_trainable(targets, labels, source.rows, target, problem_type)
    train, test = split(targets, problem_type, seed)
    progress(f"{len(train)} rows to train on, {len(test)} to test on")

    kept = None if len(rows) == source.rows else rows
    names = [name for name, column in source.columns.items() if column is not None and name != target]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        fitted = list(threads.map(lambda name: fit(name, source.columns[name], kept, train), names))
    features = [feature for feature in fitted if feature is not None]
    empty = [name for name, feature in zip(names, fitted) if feature is None]
    check_features(features, train)
    if empty:
        progress("left out, as they hold no value: " + ", ".join(empty))

    specification = {
        "format": FORMAT,
        "target": target,
        "problem_type": problem_type,
        "labels": labels,
        "features": [feature.specification for feature in features],
        "unseen_category_code": "the number of a feature's categories",
        "columns": list(source.columns),
        "dropped_columns": {
            "ids_and_metadata": [name for name, column in source.columns.items() if column is None],
            "without_values": empty,
        },
        "rows": {
            "source": source.rows,
            "without_target": source.rows - len(rows),
            "train": len(train),
            "test": len(test),
        },
        "test_share": TEST_SHARE,
        "seed": seed,
        "data_sha256": source.fingerprint,
    }
    Encoder(specification)  # what serving would refuse must not leave this job
    write_outputs(os.path.join(root, "processing/output"), specification, features, targets, labels, train, test)
    return specification


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Prepare training and test data for Autopilot.")
    parser.add_argument("--target", required=True)
    parser.add_argument("--problem-type", required=True, choices=[BINARY, MULTICLASS, REGRESSION])
    parser.add_argument("--drop-columns", default="", help="comma-separated, besides the feature store's own")
    parser.add_argument("--exclude-columns", action="append", default=[], help="comma-separated; may come again")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--root", default=ROOT, help="where SageMaker mounts everything")
    options = parser.parse_args(arguments)
    ignored = [name for names in [options.drop_columns, *options.exclude_columns] for name in names.split(",") if name]
    try:
        run(options.root, options.target, options.problem_type, ignored, options.seed)
    except UnusableData as problem:
        message = str(problem).encode()[:MESSAGE_BYTES].decode(errors="ignore")
        os.makedirs(os.path.join(options.root, "output"), exist_ok=True)
        with open(os.path.join(options.root, "output/message"), "w", encoding="utf-8") as file:
            file.write(message)
        print(message, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
