"""What a run may choose: the job's command line, and whether the data has the columns that it names."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from typing import Mapping, Sequence

import splitting
from fitting import BINARY, MULTICLASS, REGRESSION
from query_result import Source
from unusable_data import UnusableDataError, cut


@dataclass(frozen=True)
class Choices:
    """What a run may choose besides target and problem type; settings.py describes each."""

    positive_class: str | None = None
    exclude_columns: Sequence[str] = ()
    split: str = splitting.STRATIFIED
    group_column: str | None = None
    event_time_column: str | None = None
    require_checks: bool = False
    column_names: Mapping[str, str] = field(default_factory=dict)
    report_slices: Sequence[str] = ()
    previous_run: str | None = None
    weight_column: str | None = None
    balance_classes: bool = False
    test_parts: int = 1


DEFAULTS = Choices()


def parse(arguments: Sequence[str] | None, root: str) -> tuple[argparse.Namespace, Choices]:
    """The command line: target, problem_type, drop_columns, seed and root (by default `root`), and the choices."""
    parser = argparse.ArgumentParser(description="Prepare training and test data for Autopilot.")
    parser.add_argument("--target", required=True)
    parser.add_argument("--problem-type", required=True, choices=[BINARY, MULTICLASS, REGRESSION])
    parser.add_argument(
        "--drop-columns", type=_names, default=[], help="comma-separated, besides the feature store's own"
    )
    parser.add_argument("--event-time-column", help="dropped, too; split: time goes by it")
    parser.add_argument("--positive-class")
    parser.add_argument(
        "--exclude-columns", action="extend", type=_names, default=[], help="comma-separated; may come again"
    )
    parser.add_argument(
        "--split", default=splitting.STRATIFIED, choices=[splitting.STRATIFIED, splitting.TIME, splitting.GROUP]
    )
    parser.add_argument("--split-group-column")
    parser.add_argument("--data-checks", default="Warn", choices=["Warn", "Require"])
    parser.add_argument(
        "--report-slices", action="extend", type=_names, default=[], help="comma-separated; may come again"
    )
    parser.add_argument("--column-names", action="append", default=[], help="JSON, feature to column; may be in parts")
    parser.add_argument("--weight-column", help="of the data, or with --class-weights the one to write")
    parser.add_argument("--class-weights", choices=["Balanced"])
    parser.add_argument("--previous-run", help="the run whose preprocessing/ is under processing/input/previous")
    parser.add_argument("--test-parts", type=int, default=1, help="files of raw test rows")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--root", default=root, help="where SageMaker mounts everything")
    options = parser.parse_args(arguments)
    return options, Choices(
        options.positive_class,
        options.exclude_columns,
        options.split,
        options.split_group_column,
        options.event_time_column,
        options.data_checks == "Require",
        json.loads("".join(options.column_names) or "{}"),
        options.report_slices,
        options.previous_run,
        options.weight_column,
        options.class_weights is not None,
        options.test_parts,
    )


def _names(text: str) -> list[str]:
    """The names in a list with commas between them."""
    return [name for name in text.split(",") if name]


def check_columns(source: Source, target: str, apart: str | None, choices: Choices) -> None:
    """Raises UnusableDataError for a column that is asked for and not there, and if there is no row."""
    has = f"which has: {cut(', '.join(source.columns), 600)}."
    if target not in source.columns:
        raise UnusableDataError(
            f"Target column {target!r} is not in the data, {has} Set target_attribute_name to one of them."
        )
    missing = [name for name in choices.exclude_columns if name not in source.columns]
    if missing:
        raise UnusableDataError(
            f"exclude_columns names {cut(', '.join(map(repr, missing)), 200)}, not in the data, {has}"
        )
    if apart is not None and apart not in source.columns:
        raise UnusableDataError(f"split: {choices.split} needs column {apart!r}, which is not in the data, {has}")
    if source.rows == 0:
        raise UnusableDataError(
            "The query found no customer: the feature group has no record in the chosen range that is not deleted. "
            "Check customer_id_start and customer_id_end, and whether records have arrived in the offline store."
        )


def check_slices(choices: Choices, used: Sequence[str]) -> None:
    """Raises UnusableDataError for a column that metrics cannot be shown by, before AutoML costs money."""
    unknown = [choices.column_names.get(name, name) for name in choices.report_slices if name not in used]
    if unknown:
        raise UnusableDataError(
            f"report_slices names {cut(', '.join(map(repr, unknown)), 200)}, not among the features that the model uses, "
            f"which are: {cut(', '.join(used), 500)}."
        )
