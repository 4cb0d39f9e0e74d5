"""What a person asks of the demo, checked as a whole before anything is started."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_pipeline import settings

from cli import objectives
from local.aws import faults
from local.data import csv_table, telco
from local.data.event_times import event_times
from processing import labels

MOST_CLASSES = 20
"""A numeric target with more distinct values than this is taken for a quantity."""

EVENT_TIME = "event_time"
"""The column that says when each record was true; without one, all are of now."""

LEAST_OF_A_CLASS = 5
"""Fewer rows of a class cannot be split between training and test; likewise."""

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
OBJECTIVES = {BINARY: "Accuracy", MULTICLASS: "Accuracy", REGRESSION: "RMSE"}
"""The objective metric of each problem type where none is named."""

_FLAGS = {
    "problem_type": "--problem-type",
    "objective_metric_name": "--objective",
    "accuracy_threshold": "--threshold",
    "max_runtime_sec": "--max-runtime",
}


class RefusedError(Exception):
    """The demo cannot be run as asked. The message has one line for each problem."""


@dataclass
class Options:
    """What a person asked for. Without `csv` the data is IBM's Telco table."""

    csv: Path | None = None
    target: str | None = None
    id_column: str | None = None
    problem_type: str | None = None
    objective: str | None = None
    threshold: float | None = None
    max_runtime: int | None = None
    faults: Path | None = None
    summary: Path | None = None
    port: int = 0
    keep: bool = False


@dataclass
class Request:
    """A demo that can be run: the table to load and its file (None is Telco), the run's input, and notes for the person."""

    table: csv_table.CsvTable | None
    csv: Path | None
    given: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def check(options: Options) -> Request:
    """The request behind the options. Raises RefusedError with everything that is wrong."""
    problems: list[str] = []
    table = _table(options, problems)
    request = Request(table, options.csv, {}, list(table.warnings) if table else [])
    if table is not None:
        request.given |= {"customer_id_start": None, "customer_id_end": None}
        if renamed := csv_table.column_names(table.frame):
            request.given["column_names"] = renamed
        request.given["problem_type"] = options.problem_type or problem_type_of(table)
        if request.given["problem_type"] == REGRESSION:
            table = request.table = csv_table.as_quantity(table)
        inferred = "" if options.problem_type else " (to change that: --problem-type)"
        request.notes.append(f"{options.target} is learned as {request.given['problem_type']}{inferred}.")
    elif options.problem_type:
        request.given["problem_type"] = options.problem_type
    problem_type = request.given.get("problem_type")
    asked = {
        "objective_metric_name": options.objective or OBJECTIVES.get(problem_type or ""),
        "accuracy_threshold": options.threshold,
        "max_runtime_sec": options.max_runtime,
    }
    request.given |= {key: value for key, value in asked.items() if value is not None}
    try:
        settings.resolve(request.given, {"bucket": "any-bucket", "accuracy_threshold": -1000})
    except settings.InvalidInputError as error:
        problems += [_with_flags(problem) for problem in error.problems]
    if table is not None and not problems:
        counts = {} if problem_type == REGRESSION else targets_of(table).astype(str).value_counts().to_dict()
        request.notes += [
            note.replace("Objective AUC", "--objective AUC")
            for note in objectives.notes(str(asked["objective_metric_name"]), str(problem_type), counts)
        ]
    if problem_type in OBJECTIVES and (table or options.csv is None):
        problems += _untrainable(table or _telco(), problem_type)
    problems += _unusable_files(options)
    if problems:
        raise RefusedError("\n".join(problems))
    return request


def problem_type_of(table: csv_table.CsvTable) -> str:
    """What a target looks like: two values, several classes, or a quantity."""
    counts = targets_of(table).value_counts()
    if len(counts) <= 2:
        return BINARY
    if csv_table.is_nearly_a_quantity(table):  # which is refused, naming the value that is no number
        return REGRESSION
    numeric = csv_table.as_quantity(table).frame[table.target].dtype.kind in "iuf"
    quantity = numeric and (len(counts) > MOST_CLASSES or counts.min() < LEAST_OF_A_CLASS)
    return REGRESSION if quantity else MULTICLASS


def _table(options: Options, problems: list[str]) -> csv_table.CsvTable | None:
    if options.csv is None:
        asked = (("--target", options.target), ("--id-column", options.id_column))
        problems += [f"{flag} goes with --csv FILE." for flag, value in asked if value]
        return None
    if not options.target or not options.id_column:
        problems.append(
            "--csv needs --target COLUMN (what to predict) and --id-column COLUMN (what identifies a row; number the rows "
            "if there is none)."
        )
        return None
    try:
        table = csv_table.read_table(options.csv, options.target, options.id_column)
        if EVENT_TIME in table.frame.columns:
            event_times(table.frame[EVENT_TIME])
        return table
    except csv_table.InvalidTableError as error:
        problems += error.problems
    except ValueError as error:  # of the event times
        problems += str(error).split("\n")
    return None


def _telco() -> csv_table.CsvTable:
    return csv_table.CsvTable(telco.load(), telco.TARGET, telco.RECORD_IDENTIFIER, [])


def targets_of(table: csv_table.CsvTable) -> Any:
    """The targets to learn from: of one id the last row counts, and rows without a target are left out."""
    rows = table.frame.drop_duplicates(table.id_column, keep="last")
    return rows[table.target].dropna()


def _untrainable(table: csv_table.CsvTable, problem_type: str) -> list[str]:
    """What the processing job would refuse, reported before anything is started."""
    values = targets_of(table)
    target, counts = table.target, values.value_counts()
    problems = []
    if problem_type == REGRESSION:
        if values.dtype.kind not in "iuf":
            odd, row = csv_table.first_without_number(table.frame[target])
            problems.append(
                f"--problem-type Regression needs numbers, and {target!r} holds {odd[:40]!r} in data row {row}."
            )
        return problems
    if problem_type == BINARY and len(counts) > 2:
        problems.append(f"--problem-type BinaryClassification takes two classes, and {target!r} has {len(counts)}.")
    elif counts.min() < LEAST_OF_A_CLASS:
        problems.append(
            f"Class {str(counts.index[-1])[:40]!r} of {target!r} has {counts.min()} row(s), and {LEAST_OF_A_CLASS} are "
            "needed to be in training and test. Merge it with another class, or leave its rows out."
        )
    elif unusable := labels.unusable(sorted(counts.index), target):
        problems.append(unusable)
    return problems


def _unusable_files(options: Options) -> list[str]:
    problems = []
    if options.faults:
        try:
            faults.load(options.faults)
        except OSError as error:
            problems.append(f"--faults {options.faults} cannot be read: {error.strerror}.")
        except ValueError as error:
            problems.append(f"--faults {options.faults}: {error}")
    if options.summary:
        folder = options.summary.resolve().parent
        if not folder.is_dir():
            problems.append(f"--summary {options.summary}: there is no folder {folder}.")
        elif options.summary.is_dir():
            problems.append(f"--summary {options.summary} is a folder; name a file.")
    if options.threshold is not None and not math.isfinite(options.threshold):
        problems.append("--threshold must be a number.")
    return problems


def _with_flags(problem: str) -> str:
    """A problem with a setting, in the words of the command line."""
    return re.sub(r"\b(" + "|".join(_FLAGS) + r")\b", lambda found: _FLAGS[found[0]], problem)
