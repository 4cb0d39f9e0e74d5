"""What the suite itself relies on."""

from __future__ import annotations

import pytest


def test_each_test_belongs_to_one_process(request: pytest.FixtureRequest) -> None:
    """Groups without effect show only as twice the time, and as tests on one local cloud that disturb each other."""
    if not request.config.getvalue("loadgroup"):
        pytest.skip("one process plays everything")
    alone = [item.nodeid for item in request.session.items if "@" not in item.nodeid]
    assert not alone, f"pytest-xdist has put {len(alone)} tests into no group"
