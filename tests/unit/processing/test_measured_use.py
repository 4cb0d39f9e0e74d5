"""The processing job measures its own time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROCESSING = Path(__file__).parents[3] / "processing"
MEBIBYTE = 1 << 20
_PROGRAM = f"""
import sys, time
began = time.monotonic()
sys.path.insert(0, {str(PROCESSING)!r})
import measured_use
held = b"x" * (200 << 20)
del held
while time.process_time() < 0.3:
    pass
measured_use.write(sys.argv[1], began)
"""


def test_peak_and_seconds_are_those_of_the_process(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM, str(tmp_path / "resources.json")], check=True)
    used = json.loads((tmp_path / "resources.json").read_text())
    assert 200 * MEBIBYTE < used["peak_memory_bytes"] < 300 * MEBIBYTE
    assert 0.3 <= used["processor_seconds"] < 3
    assert 0.2 < used["elapsed_seconds"] < 60
    assert used["processors"] == os.cpu_count()
