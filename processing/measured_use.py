"""The time and memory that the processing job used, from which a smaller instance type can be suggested."""

from __future__ import annotations

import json
import os
import resource
import sys
import time

_STATUS = "/proc/self/status"


def write(path: str, began: float) -> None:
    """Writes the seconds since `began` (time.monotonic), those of processors, and the peak of memory, as JSON."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    content = {
        "elapsed_seconds": round(time.monotonic() - began, 3),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_memory_bytes": _peak(),
        "processors": os.cpu_count(),
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)


def _peak() -> int:
    """Bytes of the largest resident set. getrusage's counts the process that this one was forked from, too."""
    if os.path.exists(_STATUS):
        with open(_STATUS, encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
