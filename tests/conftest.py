"""What the whole suite prints at its end, and which of its tests belong to one process."""

from __future__ import annotations

import signal

import pytest

from tests.faults.table import pytest_sessionstart, pytest_terminal_summary

__all__ = ["pytest_sessionstart", "pytest_terminal_summary"]

# Folders whose tests share a local cloud. Elsewhere a file's tests share what the file sets up.
SHARED = ("pipeline/endpoints", "unit/athena", "unit/local")


def pytest_configure() -> None:
    """Ctrl-C means the same however the suite was started: a script's `&` has it ignored, by every command tests start, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this hook, too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes (pytest -n 2 --dist loadgroup) nothing is set up in each that one can set up for all."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    folder = item.path.parent.relative_to(item.config.rootpath / "tests").as_posix()
    if folder in SHARED or (folder == "pipeline" and "cloud" in getattr(item, "fixturenames", ())):
        return folder
    return f"{folder}/{item.path.stem}"
