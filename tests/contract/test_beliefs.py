"""docs/beliefs.md names a source and a way to be wrong for each belief, and witnesses that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/beliefs.md").read_text(encoding="utf-8")


def test_each_belief_has_its_source_and_what_would_show_it_wrong() -> None:
    beliefs = re.findall(r"^- .*$", PAGE, re.MULTILINE)
    assert len(beliefs) > 20
    form = re.compile(r"- \[ \] [A-Z`].+\. Source: .+\. Wrong if: .+\.")
    assert [one for one in beliefs if not form.fullmatch(one)] == []


def test_the_witnesses_it_names_are_there() -> None:
    named = re.findall(r"`((?:tests/)?[\w/]*test_\w+\.py)`", PAGE)
    assert len(named) > 3
    places = (ROOT, ROOT / "tests/contract")
    assert [name for name in named if not any((place / name).exists() for place in places)] == []
