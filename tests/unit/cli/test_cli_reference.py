"""docs/commands.md is what the commands' own help says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"


def test_page_is_current(tmp_path: Path) -> None:
    made = tmp_path / "commands.md"
    generate = ["-m", "typer", "cli.main", "utils", "docs", "--name", "automl", "--title", "Commands", "--output"]
    subprocess.run([sys.executable, *generate, str(made)], check=True, capture_output=True, cwd=PAGE.parents[1])
    assert PAGE.read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), "Write it again: make docs/commands.md"
