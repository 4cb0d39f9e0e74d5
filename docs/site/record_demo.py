"""Records a real `automl demo` as docs/images/demo.svg: `.venv/bin/python docs/site/record_demo.py`.

Run it twice in a fresh clone: the first demo also builds functions and layers.
"""

import io
import re
import sys
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.status import Status

from cli import demo
from cli.demo_request import Options
from local.server import paths

FILE = paths.PROJECT / "docs" / "images" / "demo.svg"
WIDTH = 126


class Terminal(Console):
    """A terminal that keeps what it shows, apart from the lines that move while something runs."""

    def status(self, *given: Any, **named: Any) -> Status:
        """A moving line that nobody sees."""
        return Console(file=io.StringIO()).status(*given, **named)


def main() -> bool:
    """Returns whether the run succeeded; only then the picture is written."""
    terminal = Terminal(file=io.StringIO(), force_terminal=True, record=True, width=WIDTH, highlight=False)
    terminal.print("$ make demo")
    succeeded = demo.run(Options(), terminal)
    if succeeded:
        without_fonts = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)  # none are loaded
        FILE.write_text(terminal.export_svg(title="make demo", code_format=without_fonts), encoding="utf-8")
    return succeeded


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
