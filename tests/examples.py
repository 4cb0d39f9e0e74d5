"""How many examples a property is tried with."""

from __future__ import annotations

import os

ALL = os.environ.get("EXAMPLES") == "all"


def examples(count: int) -> int:
    """`count` in `make test-all`; in `make test` a quarter of that, which still finds what fails for more than a few tables in a hundred."""
    return count if ALL else max(10, count // 4)
