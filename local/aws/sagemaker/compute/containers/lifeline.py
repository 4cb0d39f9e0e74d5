"""A container ends with the process that started it: standard input is a pipe from there, and its end is the end of the group.

A pipe is closed by the system however its holder ends. Linux's parent-death signal would not do: it comes when the
thread that started the process ends, and jobs are started from threads.
"""

from __future__ import annotations

import os
import signal
import threading


def hold() -> None:
    """Watch the pipe on standard input from a thread; when it closes, kill this process group."""
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def watch() -> None:
        while os.read(pipe, 1024):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
