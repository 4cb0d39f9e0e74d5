"""Column names of a table as names of features.

A feature's name is, here, snake_case of ASCII letters, digits and `_`: it fits the Feature Store's pattern, it is the
column's name in the offline store (which Athena shows in lower case whatever the feature is called), and it needs no
care in SQL. The rule, in this order:

1. accents go (`Größe` → `Grosse`), and other letters outside ASCII become `_`;
2. a capital that begins a word begins it with `_` (`MonthlyCharges` → `monthly_charges`, `customerID` → `customer_id`);
3. everything else that is not a letter or digit becomes one `_`, none at either end;
4. a name with nothing left becomes `column_<position>`, counted from 1;
5. the store's own columns (`write_time`, `year`, …) get the prefix `feature_`;
6. more than 64 characters are cut to 55 and 8 of the name's SHA-256.

Names that already follow the rule stay as they are. The mapping is one to one, so it can be read backwards.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

STORE_COLUMNS = ("write_time", "api_invocation_time", "is_deleted")
PARTITION_COLUMNS = ("year", "month", "day", "hour")

_LONGEST = 64
_RESERVED = {*STORE_COLUMNS, *PARTITION_COLUMNS}
_WITHOUT_DECOMPOSITION = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"})


class NameCollisionError(ValueError):
    """Two columns would become one feature; the message names them and what to do."""


def feature_name(column: str, position: int = 1) -> str:
    """The feature's name of one column; `position` counts from 1 and matters only where no letter remains."""
    plain = unicodedata.normalize("NFKD", column.translate(_WITHOUT_DECOMPOSITION))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", plain)
    words = re.sub(r"([A-Z])([A-Z][a-z])", r"\1_\2", words)
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or f"column_{position}"
    if name in _RESERVED:
        name = f"feature_{name}"
    if len(name) > _LONGEST:
        name = f"{name[:55].rstrip('_')}_{hashlib.sha256(column.encode()).hexdigest()[:8]}"
    return name


def feature_names(columns: Iterable[str]) -> dict[str, str]:
    """Column → feature, in order. Raises NameCollisionError, naming every group of columns that would become one."""
    names = {column: feature_name(column, position) for position, column in enumerate(columns, start=1)}
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
