"""What is good to know of a run's objective before it is started."""

from __future__ import annotations

from collections.abc import Mapping

from automl_pipeline import objectives

from processing.labels import RARE


def notes(objective: str, problem_type: str, counts: Mapping[str, int], of: str = "of the rows") -> list[str]:
    """What the objective means, and whether another one suits the classes better. `counts`: rows by class, if known."""
    note = objectives.note(objective, problem_type)
    found = [note] if note else []
    rows = sum(counts.values())
    if objective == "Accuracy" and len(counts) == 2 and min(counts.values()) < RARE * rows:
        rare, common = sorted(counts, key=lambda label: counts[label])
        found.append(
            f"Class {rare[:40]!r} is {counts[rare] / rows:.1%} {of}: a model that always answers {common[:40]!r} has accuracy "
            f"{counts[common] / rows:.3f}. Objective AUC chooses a model by how well it ranks the rows instead."
        )
    return found
