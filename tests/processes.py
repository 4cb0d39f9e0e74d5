"""What tests ask about processes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psutil


def until(condition: Any, seconds: float = 15.0) -> bool:
    """Whether the condition comes to hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def running_in(folder: Path) -> list[int]:
    """The processes, this one apart, whose command or environment names the folder."""
    found = []
    for candidate in psutil.process_iter():
        try:
            if str(folder) in " ".join(candidate.cmdline()) or str(folder) in " ".join(candidate.environ().values()):
                found.append(candidate.pid)
        except psutil.Error:
            continue
    return [pid for pid in found if pid != os.getpid()]
