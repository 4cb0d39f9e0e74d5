"""The processing job: raw customers in, training and test rows out, and the preprocess container that encodes alike.

Reads the CSV files under `processing/input/raw`, writes under `processing/output`

- `train/train.csv`, `test/test.csv`: encoded features in the model's order, then the target; 80/20, stratified, or
  by time or group, and then with `validation/validation.csv`
- `evaluation_input/part-00000.jsonl` and so on: the test rows as a client would send them, one JSON object a line, with
  all columns but ids and target
- `preprocessing/preprocessing.json`, `preprocessing/model.tar.gz`: how to encode, and the container that does it
- `preprocessing/resources.json`: the time and memory that the job took
- `preprocessing/distributions.json`: what the training rows hold, which later rows are compared with. Those of an earlier
  run may be under `processing/input/previous`

Medians and categories are taken from the training rows alone, so that the test rows stand for customers never seen.
Data that cannot be trained on ends the job with one sentence in `output/message`, which SageMaker shows as the job's
ExitMessage; nothing is written then.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Callable, Sequence

import checks
import data_note
import distributions
import limits
import measured_use
import numpy
import previous
import splitting
import weights
from choices import DEFAULTS, Choices, check_columns, check_slices, parse
from columns import Spill
from csv_rows import path_of
from encoding import Encoder
from fitting import BINARY, REGRESSION, check_features, check_trainable, fit, read_target
from outputs import progress, write_artifacts, write_tables
from positive_class import positive_class
from query_result import Source, read_source
from request import FORMAT
from unusable_data import UnusableDataError, cut

# SageMaker mounts everything under /opt/ml; another root is for running the job elsewhere.
ROOT = os.environ.get("OPT_ML", "/opt/ml")
# The Feature Store's own. The group's record identifier and event time, whatever they are called, come with --drop-columns.
STORE_COLUMNS = ("write_time", "api_invocation_time", "is_deleted")
MESSAGE_BYTES = 1024


def read_csv(root: str, unread: Sequence[str], order: Sequence[str], **how: Any) -> Source:  # of other readers
    """The rows of the query's CSV file (`how`: see `query_result.read_source`). Raises UnusableDataError.

    `order`: the columns that the query has sorted the rows by.
    """
    folder, raw = os.path.join(root, "processing"), os.path.join(root, "processing/input/raw")
    limits.check_space(path_of(raw), folder, unread)
    return read_source(raw, unread, Spill(folder), **how)


def run(
    root: str,
    target: str,
    problem_type: str,
    ignored: Sequence[str],
    seed: int,
    choices: Choices = DEFAULTS,
    read_rows: Callable[..., Source] = read_csv,
) -> dict[str, Any]:
    """The whole job. Returns preprocessing.json's content. Raises UnusableDataError before anything is written."""
    os.makedirs(os.path.join(root, "processing"), exist_ok=True)
    apart = choices.group_column if choices.split == splitting.GROUP else None
    apart = choices.event_time_column if choices.split == splitting.TIME else apart
    ids = [*STORE_COLUMNS, *ignored, *([choices.event_time_column] if choices.event_time_column else [])]
    unread = [name for name in ids if name not in (target, apart)]
    source = read_rows(
        root,
        unread,
        ignored,
        unused=choices.exclude_columns,
        classes=None if problem_type == REGRESSION else target,
        key=apart if apart != target else None,
        keys=splitting.time_keys(apart or "") if choices.split == splitting.TIME else splitting.group_keys,
    )
    check_columns(source, target, apart, choices)
    progress(f"{source.rows} rows with {len(source.columns)} columns")
    usable, targets, labels = read_target(source, target, problem_type)
    check_trainable(targets, labels, source.rows, target, problem_type)
    counts = numpy.bincount(targets) if labels else numpy.empty(0)
    positive = positive_class(labels, counts, choices.positive_class, target) if problem_type == BINARY else None
    share = _test_share(source, targets, labels, apart)
    parts = _split(source, usable, targets, apart, problem_type, seed, choices, share)
    splitting.check_parts(parts, targets, labels, target, choices.split)
    roles = splitting.Roles(source.pieces, usable, parts, source.engine)
    progress(f"{len(parts.train)} rows to train on, {len(parts.validation)} to validate, {len(parts.test)} to test on")

    weighed = _weights(source, usable, targets, labels, parts, choices)
    excluded = [name for name in source.columns if name in choices.exclude_columns and name != apart]
    no_features = (target, apart, choices.weight_column)
    names = [name for name, column in source.columns.items() if column is not None and name not in no_features]
    read = list(roles.by_column(lambda column: fit(column, roles), [source.columns[name] for name in names]))
    # What serves now may use a column that this run leaves out, so the raw test rows have it all the same.
    unused = [feature for name, feature in zip(names, read) if feature is not None and name in excluded]
    fitted = [feature for name, feature in zip(names, read) if name not in excluded]
    names = [name for name in names if name not in excluded]
    if choices.split == splitting.GROUP and apart is not None and source.groups is not None:
        grouped = roles.by_column(lambda column: fit(column, roles), [source.groups])
        unused += [feature for feature in grouped if feature is not None]
    features = [feature for feature in fitted if feature is not None]
    empty = [name for name, feature in zip(names, fitted) if feature is None]
    check_features(features)
    check_slices(choices, [feature.specification["name"] for feature in features])

    apart_names = [name for name, column in source.columns.items() if column is None and name not in excluded]
    left_out = {
        **dict.fromkeys(empty, "holds no value in the training rows"),
        **dict.fromkeys(excluded, "named in exclude_columns"),
        **dict.fromkeys(apart_names, "the record's identifier or time"),
        **({apart: f"divides the rows (split: {choices.split})"} if apart else {}),
        **({weighed.column: "weighs the rows"} if weighed and not choices.balance_classes else {}),
    }
    notes, near_numeric = data_note.describe(features, roles, left_out)
    training = (target, targets[parts.train], labels, roles)
    drifted, since = previous.compare(root, choices.previous_run, features, *training)
    checked = checks.Rows(features, targets, labels, target, parts, roles, seed)
    found = _report([*checks.findings(checked, near_numeric), *drifted], choices.require_checks)

    counted = {
        "source": source.rows,
        "without_target": source.rows - len(targets),
        "train": len(parts.train),
        "validation": len(parts.validation),
        "test": len(parts.test),
        **_left_in_store(source),
    }
    specification = {
        "format": FORMAT,
        "target": target,
        "problem_type": problem_type,
        "labels": labels,
        "positive_class": positive[0] if positive else None,
        "positive_class_reason": positive[1] if positive else None,
        "features": [feature.specification for feature in features],
        "unseen_category_code": "the number of a feature's categories",
        "columns": list(source.columns),
        "renames": {name: column for name, column in choices.column_names.items() if name in source.columns},
        "dropped_columns": {
            "ids_and_metadata": [*apart_names, *([apart] if apart else [])],
            "excluded": excluded,
            "without_values": empty,
        },
        "rows": counted,
        "sample_weight": weighed.described() if weighed else None,
        "split": choices.split,
        "test_share": share,
        "seed": seed,
        "data_sha256": source.fingerprint,
        "data_note": {
            "warnings": [finding.text for finding in found],
            "misleading": [finding.text for finding in found if finding.misleads],
            "rows": counted,
            "columns": previous.beside(notes, since),
            "previous": since,
        },
    }
    Encoder(specification)  # what serving would refuse must not leave this job
    output = os.path.join(root, "processing/output")
    write_tables(output, features, unused, target, targets, labels, roles, weighed, choices.test_parts)
    for warning in [*_smaller_test(share, len(parts.test)), *limits.check_channels(output)]:
        progress("WARNING: " + warning)
        specification["data_note"]["warnings"].append(warning)
    write_artifacts(output, specification, distributions.describe(features, *training))
    return specification


def _report(found: list[checks.Finding], required: bool) -> list[checks.Finding]:
    """Puts the findings into the log and returns them. Raises UnusableDataError for grave ones where checks are required."""
    for finding in found:
        progress("WARNING: " + finding.text)
    grave = [finding.text for finding in found if finding.stops]
    if grave and required:
        raise UnusableDataError(_refusal(grave))
    return found


def _test_share(source: Source, targets: numpy.ndarray, labels: list[str], apart: str | None) -> float:
    excess = 1.0 if apart is None else splitting.MOST_REACHED
    return limits.test_share(splitting.TEST_SHARE, len(targets), len(source.columns), len(labels), excess)


def _smaller_test(share: float, rows: int) -> list[str]:
    if share == splitting.TEST_SHARE:
        return []
    return [
        f"The model is tested on {rows:,} rows, {share:.1%} of the table and not {splitting.TEST_SHARE:.0%}: more would not "
        "make its metrics more certain, and the evaluation takes no more. The others train it."
    ]


def _left_in_store(source: Source) -> dict[str, int]:
    """The records that the query passed over: those with a newer one of the same identifier, and deleted identifiers."""
    if source.records is None:
        return {}
    return {
        "superseded": source.records.total - source.records.identifiers,
        "deleted": source.records.identifiers - source.rows,
    }


def _split(
    source: Source,
    usable: numpy.ndarray,
    targets: numpy.ndarray,
    apart: str | None,
    problem_type: str,
    seed: int,
    choices: Choices,
    share: float,
) -> splitting.Parts:
    if apart is None:
        return splitting.stratified(targets, problem_type == REGRESSION, seed, share)
    if choices.split == splitting.TIME:
        return splitting.by_time(splitting.times_of(source.columns[apart], apart)[usable], share)
    return splitting.by_group(splitting.groups_of(source.columns[apart])[usable], seed, share)


def _weights(
    source: Source,
    usable: numpy.ndarray,
    targets: numpy.ndarray,
    labels: Sequence[str],
    parts: splitting.Parts,
    choices: Choices,
) -> weights.Weights | None:
    if choices.weight_column is None:
        return None
    if choices.balance_classes:
        return weights.balanced(source, choices.weight_column, targets, labels, parts.train)
    return weights.of_column(source, choices.weight_column, usable)


def _refusal(grave: Sequence[str]) -> str:
    """The findings in one message, each cut so that all have a place in it."""
    count = f"{len(grave)} finding" + ("s" if len(grave) > 1 else "")
    lead = f"data_checks: Require stopped the run for {count} in the data. Correct them, or set data_checks to Warn."
    share = (MESSAGE_BYTES - len(lead)) // len(grave) - 6
    return " ".join([lead, *(f"({place}) {cut(text, share)}" for place, text in enumerate(grave, 1))])


class _WithoutPandas:
    """Finds no pandas: pyarrow imports it with the first Python value that it takes, which takes a quarter of a second."""

    def find_spec(self, name: str, *_: Any) -> None:
        """Raises ModuleNotFoundError for pandas."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def main(arguments: Sequence[str] | None = None, read_rows: Callable[..., Source] = read_csv) -> int:
    """Command line. Returns the exit code."""
    began = time.monotonic()
    options, choices = parse(arguments, ROOT)
    # In a process of its own alone, and not where pandas makes the keys of groups.
    if arguments is None and choices.split != splitting.GROUP:
        sys.meta_path.insert(0, _WithoutPandas())  # type: ignore[arg-type]
    try:
        run(options.root, options.target, options.problem_type, options.drop_columns, options.seed, choices, read_rows)
    except UnusableDataError as problem:
        message = str(problem).encode()[:MESSAGE_BYTES].decode(errors="ignore")
        os.makedirs(os.path.join(options.root, "output"), exist_ok=True)
        with open(os.path.join(options.root, "output/message"), "w", encoding="utf-8") as file:
            file.write(message)
        print(message, file=sys.stderr, flush=True)
        return 1
    measured_use.write(os.path.join(options.root, "processing/output/preprocessing/resources.json"), began)
    return 0


if __name__ == "__main__":
    sys.exit(main())
