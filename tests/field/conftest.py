"""The real parts that a table goes through: the demo's reader, the processing job, the container, `automl predict`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "processing"))

from tests.unit.cli.conftest import automl, endpoint, stack

__all__ = ["automl", "endpoint", "stack"]
