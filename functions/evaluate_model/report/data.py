"""What the model was trained on, from preprocessing.json: its columns, and what somebody needs to repeat the run."""

from __future__ import annotations

from typing import Any

from report import words

_EXAMPLES = 4
_SPLITS = {
    "stratified": "at random, stratified by class",
    "time": "the newest rows are the test",
    "group": "each group on one side only",
}

Document = dict[str, Any]


def warnings(preprocessing: Document) -> list[str]:
    """What was found in the data before training."""
    return list((preprocessing.get("data_note") or {}).get("warnings") or [])


def columns(preprocessing: Document) -> list[Document]:
    """A row for each column: name, kind, distinct values, missing and unseen rows, drift, what is typical, and why it is as
    it is.

    What an earlier version of the processing job did not count is None.
    """
    features = {feature["name"]: feature for feature in preprocessing.get("features", [])}
    notes = (preprocessing.get("data_note") or {}).get("columns") or [_note(feature) for feature in features.values()]
    renames = preprocessing.get("renames") or {}
    return [
        {
            **note,
            "name": words.short(renames.get(note["name"], note["name"])),
            "drift": note.get("drift"),
            "used": note["kind"] != "left out",
            "typical": _typical(features.get(note["name"]) or {}),
            "odd": note["kind"] == "left out" or str(note.get("reason") or "").startswith("read as"),
        }
        for note in notes
    ]


def compared_with(preprocessing: Document) -> str | None:
    """The run since which drift was measured; None if there is none."""
    previous = (preprocessing.get("data_note") or {}).get("previous") or {}
    return None if previous.get("problem") else previous.get("run_id")


def facts(document: Document, preprocessing: Document) -> list[tuple[str, str]]:
    """Where the numbers come from."""
    rows = preprocessing.get("rows") or {}
    split = preprocessing.get("split")
    counted = (
        ("Rows for training", "train"),
        ("Rows for validation", "validation"),
        ("Rows without a target, left out", "without_target"),
        ("Superseded records, left out", "superseded"),
        ("Deleted records, left out", "deleted"),
    )
    found = [
        ("Run", document["run_id"]),
        ("Problem type", words.words(words.spaced(document["problem_type"]))),
        ("Objective of the training", _objective(document["objective_metric_name"])),
        *((title, f"{rows[name]:,}") for title, name in counted if rows.get(name)),
        ("Rows held out for this test", f"{document['rows']:,}"),
        ("Split", _SPLITS.get(str(split), split)),
        ("Weights in training", _weights(preprocessing.get("sample_weight"))),
        ("Seed", preprocessing.get("seed")),
        ("Fingerprint of the data (SHA-256)", preprocessing.get("data_sha256")),
        *((f"Version of {name}", version) for name, version in (document.get("versions") or {}).items()),
    ]
    return [(name, str(value)) for name, value in found if value is not None]


def _weights(weights: Document | None) -> str | None:
    if not weights:
        return None
    classes = weights["class_weights"]
    if classes is None:
        return f"column {words.short(weights['column'])}; the metrics here count each row once"
    shown = ", ".join(f"{words.short(label)} {words.plain(weight)}" for label, weight in [*classes.items()][:_EXAMPLES])
    more = ", …" if len(classes) > _EXAMPLES else ""
    return f"balanced by class ({shown}{more}); the metrics here count each row once"


def _objective(name: str) -> str:
    averaged = name.lower().endswith("macro")
    return words.words(words.spaced(name)) + (
        ": the mean over the classes, each of the same weight" if averaged else ""
    )


def _note(feature: Document) -> Document:
    categories = feature.get("categories")
    return {
        "name": feature["name"],
        "kind": {"numeric": "number", "categorical": "category"}.get(feature["kind"], feature["kind"]),
        "distinct": None if categories is None else len(categories),
        "missing": feature.get("missing"),
        "unseen": None,
        "reason": None,
    }


def _typical(feature: Document) -> str:
    if feature.get("median") is not None:
        return f"median {words.plain(feature['median'])}"
    known = feature.get("categories") or []
    return ", ".join(map(words.short, known[:_EXAMPLES])) + (", …" if len(known) > _EXAMPLES else "")
