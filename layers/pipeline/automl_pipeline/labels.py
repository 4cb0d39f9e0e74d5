"""A model's classes, however its answers spell them."""

from __future__ import annotations

from collections.abc import Sequence

NO_CLASS = -1


class Labels:
    """The classes as the training data spells them.

    Autopilot reads its training data with type inference, so it answers `1` for what stands there as `01`, and `True` for
    `true`. Classes that it could not distinguish are refused before training (processing/fitting.py).
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(labels)
        self._exact = {label: code for code, label in enumerate(labels)}
        meant = {_sense(label): code for code, label in enumerate(labels)}
        # There may be classes that differ in their spelling alone.
        self._meant = meant if len(meant) == len(labels) else {}

    def code(self, answer: str) -> int:
        """Which class an answer names: an index into the labels, or NO_CLASS."""
        for text in (answer, _unquoted(answer)):
            if text in self._exact:
                return self._exact[text]
        return self._meant.get(_sense(_unquoted(answer)), NO_CLASS)

    def spelled(self, answer: str) -> str:
        """The class that an answer names, as the training data spells it; the answer itself if it names none."""
        code = self.code(answer)
        return answer if code == NO_CLASS else self.labels[code]


def _unquoted(answer: str) -> str:
    quoted = len(answer) > 1 and answer[0] == answer[-1] == '"'
    return answer[1:-1].replace('""', '"') if quoted else answer


def _sense(label: str) -> str:
    """What a class's name stands for, however it is spelled: a number, or letters whose case does not count."""
    try:
        return repr(float(label))
    except ValueError:
        return label.strip().casefold()
