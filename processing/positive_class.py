"""Which of two classes precision, recall, F1 and AUC are about."""

from __future__ import annotations

from typing import Sequence

import numpy
from unusable_data import UnusableDataError, cut

# Words that tables use for the outcome that a binary prediction is about.
ANSWERS = frozenset([
    "yes", "y", "true", "t", "1", "1.0", "positive", "pos", "ja", "si", "sí", "oui",
    "churn", "churned", "left", "lost", "exited", "cancelled", "canceled", "unsubscribed",
    "default", "defaulted", "fraud", "fraudulent", "spam", "late", "delayed", "overdue",
    "failed", "failure", "defective", "sick", "malignant", "bought", "buyer", "converted", "responded", "clicked",
])  # fmt: skip


def positive_class(labels: Sequence[str], counts: numpy.ndarray, asked: str | None, target: str) -> tuple[str, str]:
    """The positive one of two labels, and the reason, as the end of a sentence.

    `counts`: how many rows each label has. `asked`: the setting positive_class. Raises UnusableDataError if that is none of
    the labels.
    """
    if asked is not None:
        for label in labels:
            if label == asked.strip():
                return label, "set by positive_class"
        first, second = (cut(repr(label), 80) for label in labels)
        raise UnusableDataError(
            f"positive_class is {cut(repr(asked), 80)}, and target column {target!r} has the classes {first} and {second}. "
            "Set positive_class to one of them, spelled as here, or leave it out."
        )
    answers = [label for label in labels if label.casefold() in ANSWERS]
    if len(answers) == 1:
        return answers[0], "guessed by its name; positive_class sets it"
    if counts[0] != counts[1]:
        return labels[int(counts.argmin())], "guessed, as it is the rarer class; positive_class sets it"
    return labels[1], "guessed, as it is the last in sorted order; positive_class sets it"
