"""Column names of a table as names of features, and back: which column of a request is which feature.

The one definition for the demo, the processing job, the preprocess container and `automl predict`. Standard library only.

A feature's name is, here, snake_case of ASCII letters, digits and `_`: it fits the Feature Store's pattern, it is the
column's name in the offline store (which Athena shows in lower case whatever the feature is called), and it needs no
care in SQL. The rule, in this order:

1. accents go (`Größe` → `Grosse`), and other letters outside ASCII become `_`;
2. a capital that begins a word begins it with `_` (`MonthlyCharges` → `monthly_charges`, `customerID` → `customer_id`);
3. everything else that is not a letter or digit becomes one `_`, none at either end;
4. a name with nothing left becomes `column_` and 8 digits of the name's SHA-256;
5. the store's own columns (`write_time`, `year`, …) get the prefix `feature_`;
6. more than 64 characters are cut to 55 and 8 of the name's SHA-256.

Names that already follow the rule stay as they are. It depends on nothing but the name, so a request may name its columns
as the person's table does: the container applies the rule again.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Iterable, Mapping, Sequence

STORE_COLUMNS = ("write_time", "api_invocation_time", "is_deleted")
PARTITION_COLUMNS = ("year", "month", "day", "hour")

_LONGEST = 64
_RESERVED = {*STORE_COLUMNS, *PARTITION_COLUMNS}
_WITHOUT_DECOMPOSITION = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"})


class NameCollisionError(ValueError):
    """Two columns would become one feature; the message names them and what to do."""


class AmbiguousNameError(ValueError):
    """More than one column of a request can be meant: `feature` is the name the person knows, `columns` those found."""

    def __init__(self, feature: str, columns: Sequence[str]):
        super().__init__(f"{feature!r} can be {' or '.join(map(repr, columns))}")
        self.feature, self.columns = feature, list(columns)


def feature_name(column: str) -> str:
    """The feature's name of one column."""
    column = unicodedata.normalize("NFC", column)
    plain = unicodedata.normalize("NFKD", column.translate(_WITHOUT_DECOMPOSITION))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", plain)
    words = re.sub(r"([A-Z])([A-Z][a-z])", r"\1_\2", words)
    digest = hashlib.sha256(column.strip().encode()).hexdigest()[:8]
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or f"column_{digest}"
    if name in _RESERVED:
        name = f"feature_{name}"
    return f"{name[:55].rstrip('_')}_{digest}" if len(name) > _LONGEST else name


def feature_names(columns: Iterable[str]) -> dict[str, str]:
    """Column → feature, in order. Raises NameCollisionError, naming every group of columns that would become one."""
    names = {column: feature_name(column) for column in columns}
    groups: dict[str, list[str]] = {}
    for column, name in names.items():
        groups.setdefault(name, []).append(column)
    problems = [
        f"Columns {' and '.join(repr(column) for column in group)} would both become the feature {name!r}: rename one."
        for name, group in groups.items()
        if len(group) > 1
    ]
    if problems:
        raise NameCollisionError("\n".join(problems))
    return names


def fold(name: str) -> str:
    """What two spellings of one name have in common: case, white space around it and how Unicode composes it go."""
    return unicodedata.normalize("NFC", name.strip()).lower()


class Known:
    """The names of a model's training data, to find them among a request's columns.

    `features`: what the model takes, `others`: columns it does not take (ids, the target). `renames`: feature → column as
    the person's table had it, where that is known.
    """

    def __init__(self, features: Sequence[str], others: Iterable[str] = (), renames: Mapping[str, str] | None = None):
        self.features = list(features)
        self.renames = dict(renames or {})
        self._all = dict.fromkeys([*self.features, *others])
        self._by_spelling: list[dict[str, str]] = [{}, {}]
        for name in self._all:
            for spelled in (name, self.shown(name)):
                self._by_spelling[0].setdefault(spelled, name)
                self._by_spelling[1].setdefault(fold(spelled), name)

    def shown(self, feature: str) -> str:
        """The feature's name as the person knows it."""
        return self.renames.get(feature, feature)

    def meant_directly(self, column: str) -> tuple[int, str] | None:
        """As `meant`, without the rule at the top of this module: quick."""
        if column in self._by_spelling[0]:
            return 0, self._by_spelling[0][column]
        folded = fold(column)
        return (1, self._by_spelling[1][folded]) if folded in self._by_spelling[1] else None

    def meant(self, column: str) -> tuple[int, str] | None:
        """Which name of the training data `column` stands for, and how directly (0: exactly); None if for none."""
        direct = self.meant_directly(column)
        if direct is not None:
            return direct
        name = feature_name(column) if column.strip() else ""
        return (2, name) if name in self._all else None

    def places(self, columns: Sequence[str]) -> list[int | None]:
        """For each feature its place among `columns`, None where it was left out. Raises AmbiguousNameError.

        The most direct spelling counts: a table may hold `plan`, and a `Plan` that is something else.
        """
        found: dict[str, tuple[int, list[int]]] = {}
        for place, column in enumerate(columns):
            meant = self.meant(column)
            if meant is None:
                continue
            distance, name = meant
            best = found.get(name)
            if best is None or distance < best[0]:
                found[name] = distance, [place]
            elif distance == best[0]:
                best[1].append(place)
        for name in self.features:
            if name in found and len(found[name][1]) > 1:
                raise AmbiguousNameError(self.shown(name), [columns[place] for place in found[name][1]])
        return [found[name][1][0] if name in found else None for name in self.features]
