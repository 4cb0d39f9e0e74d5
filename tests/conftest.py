"""What the whole suite prints at its end."""

from tests.faults.table import pytest_sessionstart, pytest_terminal_summary

__all__ = ["pytest_sessionstart", "pytest_terminal_summary"]
