"""How a run's data was read: rows, and each column's kind, as the processing job wrote it into preprocessing.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from automl_pipeline import stored

from cli.watching import Finished

_COUNTED = (
    ("train", "for training"),
    ("validation", "for validation"),
    ("test", "for the test"),
    ("without_target", "left out without a target"),
    ("superseded", "superseded records"),
    ("deleted", "deleted records"),
)
_KINDS = (("number", "Numbers"), ("category", "Categories"), ("boolean", "Booleans"), ("left out", "Left out"))
_MOST_NAMES = 12
_MOST_DRIFTED = 3


def of(finished: Finished, s3: Any) -> list[str]:
    """The note of an execution (see `lines`); nothing if it did not come to preprocessing, or its folder is gone."""
    return lines(prepared_by(finished, s3))


def prepared_by(finished: Finished, s3: Any) -> dict[str, Any]:
    """The execution's preprocessing.json; empty if there is none."""
    return _read(finished, s3, "preprocessing.json")


def resources_of(finished: Finished, s3: Any) -> dict[str, Any]:
    """What the execution's processing job used (resources.json); empty if that is not known."""
    return _read(finished, s3, "resources.json")


def _read(finished: Finished, s3: Any, name: str) -> dict[str, Any]:
    prefix = finished.variables.get("run", {}).get("prefix_uri", "")
    if not prefix:
        return {}
    content = stored.read(s3, *stored.place(f"{prefix}/preprocessing/{name}"))
    return {} if content is None else json.loads(content)


def lines(prepared: Mapping[str, Any]) -> list[str]:
    """The note, a line for the rows and one for each kind of column. `prepared`: preprocessing.json.

    Its warnings are not among them: they are with the evaluation's.
    """
    note, rows = prepared.get("data_note") or {}, prepared.get("rows") or {}
    counted = [f"{rows[name]:,} {what}" for name, what in _COUNTED if rows.get(name)]
    found = [f"Rows: {', '.join(counted)}"] if counted else []
    renames = prepared.get("renames") or {}
    for kind, title in _KINDS:
        columns = [column for column in note.get("columns") or [] if column["kind"] == kind]
        if columns:
            shown = [_shown(column, renames) for column in columns[:_MOST_NAMES]]
            more = len(columns) - len(shown)
            found.append(f"{title}: {', '.join(shown)}" + (f" and {more} more" if more else ""))
    return [*found, *_drift(note.get("previous"), renames)]


def _drift(previous: Mapping[str, Any] | None, renames: Mapping[str, str]) -> list[str]:
    """How far the training rows have moved since the newest registered run, in one line; none if there was no such run.

    That they could not be compared is a warning already.
    """
    if not previous or previous["problem"] or not previous["columns"]:
        return []
    moved = sorted(((column["psi"], name) for name, column in previous["columns"].items()), reverse=True)
    most = ", ".join(f"{renames.get(name, name)} {psi:.2f}" for psi, name in moved[:_MOST_DRIFTED])
    return [f"Drift since run {previous['run_id']} (PSI), the largest: {most}"]


def _shown(column: Mapping[str, Any], renames: Mapping[str, str]) -> str:
    name = renames.get(column["name"], column["name"])
    reason = column.get("reason") or ""
    if column["kind"] == "left out" or reason.startswith("read as"):
        return f"{name} ({reason})"
    details = [
        *([f"{column['missing']:,} missing"] if column.get("missing") else []),
        *([f"{column['unseen']:,} test rows unseen in training"] if column.get("unseen") else []),
    ]
    return f"{name} ({', '.join(details)})" if details else name
