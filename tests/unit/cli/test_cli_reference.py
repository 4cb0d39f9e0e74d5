"""The commands' own help: docs/commands.md says the same, and each fits a screen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from cli.main import app

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"


def test_page_is_current(tmp_path: Path) -> None:
    made = tmp_path / "commands.md"
    generate = ["-m", "typer", "cli.main", "utils", "docs", "--name", "automl", "--title", "Commands", "--output"]
    subprocess.run([sys.executable, *generate, str(made)], check=True, capture_output=True, cwd=PAGE.parents[1])
    assert PAGE.read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), "Write it again: make docs/commands.md"


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("command", list(_commands(get_command(app))), ids=" ".join)
def test_help_fits_a_screen_and_has_an_example(command: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "100", "TERM": "dumb"})
    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) <= 40
    assert f"Example: automl {' '.join(command)}" in shown.output


def test_list_of_commands_fits_a_screen_and_has_an_example() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert len(shown.output.splitlines()) <= 50
    assert "Example: automl demo" in shown.output
