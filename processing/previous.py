"""Drift of the training rows against those of the newest registered run, whose preprocessing/ is an input of the job."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping, Sequence

import distributions
import numpy
from checks import NAMED, Finding, listed
from columns import known_of
from drift import MODERATE, MUCH_UNSEEN, STRONG, Bins, Drift
from fitting import Feature
from splitting import Roles
from unusable_data import cut

FOLDER = "processing/input/previous"


def compare(
    root: str,
    run: str | None,
    features: Sequence[Feature],
    target: str,
    targets: numpy.ndarray,
    labels: Sequence[str],
    roles: Roles,
) -> tuple[list[Finding], dict[str, Any] | None]:
    """What to say of the drift since `run`, and how far each column has moved; nothing if there is no such run.

    `targets`: of the training rows. The second is {"run_id", "problem": why nothing could be compared, or None, "columns":
    name → {"psi", "chance", "unseen"}, "new", "gone": features that only one of the runs has, "changed": those that were texts and are numbers, or the
    other way round}. A previous run that cannot be read is a finding, too, and no error.
    """
    if run is None:
        return [], None
    note: dict[str, Any] = {"run_id": run, "problem": None, "columns": {}, "new": [], "gone": [], "changed": []}
    try:
        before, specification = _read(os.path.join(root, FOLDER))
        bins = _bins(before, specification)
    except FileNotFoundError:
        return _unread(note, "left no distributions of its training rows")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        return _unread(note, f"left distributions that cannot be read ({cut(f'{type(error).__name__}: {error}', 80)})")
    known = {feature.specification["name"]: feature for feature in features}
    old = [name for name in bins if name != specification["target"]]
    note["new"] = [name for name in known if name not in old]
    note["gone"] = [name for name in old if name not in known]
    both = [name for name in known if name in old]
    note["changed"] = [name for name in both if bins[name].is_number != known[name].is_number]
    compared = [known[name] for name in both if name not in note["changed"]]
    found = list(
        roles.by_column(lambda feature: _of_feature(feature, bins[feature.specification["name"]], roles), compared)
    )
    if target == specification["target"] and bins[target].is_number == (not labels):
        found.append(_of_target(bins[target], targets, labels))
    note["columns"] = {
        drift.name: {"psi": round(drift.psi, 4), "chance": round(drift.chance, 4), "unseen": round(drift.unseen, 4)}
        for drift in found
    }
    return _findings(found, note, target), note


def beside(notes: Sequence[dict[str, Any]], since: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The columns' notes, each with its `drift`: the index, or None where nothing was compared."""
    moved = since["columns"] if since else {}
    return [{**note, "drift": moved[note["name"]]["psi"] if note["name"] in moved else None} for note in notes]


def _read(folder: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    documents = []
    for name in ("distributions.json", "preprocessing.json"):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            documents.append(json.load(file))
    return documents[0], documents[1]


def _bins(before: Mapping[str, Any], specification: Mapping[str, Any]) -> dict[str, Bins]:
    known = {feature["name"]: feature.get("categories", ()) for feature in specification["features"]}
    known[specification["target"]] = specification["labels"]
    return {feature["name"]: Bins(feature, known[feature["name"]]) for feature in before["features"]}


def _of_feature(feature: Feature, bins: Bins, roles: Roles) -> Drift:
    if feature.is_number:
        counts = numpy.zeros(len(bins.expected), numpy.int64)
        for values in distributions.trained(feature, roles)():
            there = known_of(values)
            counts[:-1] += distributions.count(there, bins.edges)
            counts[-1] += len(values) - len(there)
        return bins.compare(counts.tolist())
    return _of_words(bins, [*(feature.column.words or []), None], feature.trained)


def _of_target(bins: Bins, targets: numpy.ndarray, labels: Sequence[str]) -> Drift:
    if labels:
        return _of_words(bins, labels, numpy.bincount(targets, minlength=len(labels)))
    return bins.compare([*distributions.count(targets, bins.edges).tolist(), 0])


def _of_words(bins: Bins, words: Sequence[str | None], rows: numpy.ndarray) -> Drift:
    counts, unseen = [0] * len(bins.expected), 0
    for place in numpy.flatnonzero(rows):
        code, new = bins.of(words[place])
        counts[code] += int(rows[place])
        unseen += int(rows[place]) * new
    return bins.compare(counts, unseen)


def _unread(note: dict[str, Any], problem: str) -> tuple[list[Finding], dict[str, Any]]:
    note["problem"] = problem
    return [Finding(f"Drift was not checked: run {note['run_id']}, the newest registered one, {problem}.", False)], note


def _findings(found: Sequence[Drift], note: Mapping[str, Any], target: str) -> list[Finding]:
    said, run = [], note["run_id"]
    order = sorted(found, key=lambda drift: -drift.psi)
    for level, how, advice in (
        (STRONG, "strongly", " Check that these are the rows you mean to train on."),
        (MODERATE, "moderately", ""),
    ):
        moved = [drift for drift in order if drift.level == level]
        if moved:
            shown = [
                f"{'target ' if drift.name == target else ''}{drift.name!r} ({drift.psi:.2f})"
                for drift in moved[:NAMED]
            ]
            more = [f"{len(moved) - NAMED} more"] if len(moved) > NAMED else []
            said.append(
                Finding(
                    f"Since run {run} these columns have drifted {how} (population stability index of at least {level}): "
                    f"{cut(', '.join(shown + more), 400)}.{advice}",
                    level == STRONG,
                )
            )
    unseen = [drift for drift in order if drift.unseen >= MUCH_UNSEEN]
    if unseen:
        shown = ", ".join(f"{drift.name!r} ({drift.unseen:.0%} of the rows)" for drift in unseen[:NAMED])
        said.append(Finding(f"Run {run} never saw many of the categories in {cut(shown, 300)}.", False))
    for key, what in (
        ("new", "New features since"),
        ("gone", "Features no longer used since"),
        ("changed", "Features that changed between number and text since"),
    ):
        if note[key]:
            said.append(Finding(f"{what} run {run}: {listed(note[key])}.", False))
    return said
