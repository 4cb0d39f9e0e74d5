"""What the whole suite prints at its end, and which of its tests belong to one process."""

from __future__ import annotations

import signal
import zlib

import pytest

from tests.faults.table import pytest_sessionstart, pytest_terminal_summary

__all__ = ["pytest_sessionstart", "pytest_terminal_summary"]

# Folders whose tests share a local cloud. Elsewhere a file's tests share what the file sets up.
SHARED = ("pipeline/endpoints", "unit/local/aws/athena")
# These ask the model of the default run, again and again, and need the local cloud of the others for nothing else.
ASKING = ("test_api_page", "test_full_run", "test_parity", "test_predict_command")
# What takes longest, longest first. xdist hands out groups in this order (--no-loadscope-reorder; by itself it goes by the
# number of tests), so that no process starts a long one when the others have nothing left to do.
LONGEST = (
    "pipeline",
    "faults",
    "faults-0",
    "faults-1",
    "pipeline/asking",
    "unit/local/aws/sagemaker/compute/test_automl",
    "contract/test_serving_stacks",
    "pipeline/test_protected_stack",
    "pipeline/endpoints",
    "pipeline/test_cleanup",
    "pipeline/test_killed_cloud",
    "unit/local",
    "unit/processing/test_toolkit",
    "unit/local/aws/sagemaker/compute/test_serving",
    "unit/local/aws/athena",
)


def pytest_configure() -> None:
    """Ctrl-C means the same however the suite was started: a script's `&` has it ignored, by every command tests start, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this hook, too
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes (pytest -n 3 --dist loadgroup) nothing is set up in each that one can set up for all."""
    halves = "exhaustive" not in config.option.markexpr  # the whole matrix is more than half of the work
    groups = {item: _group(item, halves) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    ranks = {group: rank for rank, group in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(groups[item], len(ranks)))


def _group(item: pytest.Item, halves: bool) -> str:
    folder = item.path.parent.relative_to(item.config.rootpath / "tests").as_posix()
    if folder == "faults":
        return f"faults-{_half(item)}" if halves else "faults"
    if folder == "pipeline" and "cloud" in getattr(item, "fixturenames", ()):
        return "pipeline/asking" if item.path.stem in ASKING else folder
    if folder in SHARED:
        return folder
    if folder.startswith("unit/local/") and "server" in getattr(item, "fixturenames", ()):
        return "unit/local"
    return f"{folder}/{item.path.stem}"


def _half(item: pytest.Item) -> int:
    """Half of the states for each of two processes."""
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec else None
    return zlib.crc32(str(case.task).encode()) % 2 if case else 0
