"""Starts what runs inside containers: a process group with a container's environment, its output going to a log."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.aws.sagemaker.compute import standby

CONTAINERS = Path(__file__).parent / "containers"
"""The programs that run inside containers; they import only the standard library and what their image has."""

GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL when a container is stopped (SageMaker gives up to 120)."""

_DRAIN_SECONDS = 2.0

Log = Callable[[str], None]


@dataclass
class Container:
    """A running container. `kill` it when done: that also closes its log, after which no more lines come."""

    pid: int
    _wait: Callable[[float | None], int | None]
    _lifeline: int
    _pump: threading.Thread
    _ending: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code, or None if it still runs after `timeout` seconds; a negative one is the signal's number."""
        return self._wait(timeout)

    def stop(self) -> None:
        """Asks the whole group to end, as SageMaker does, and kills what is left after the grace period."""
        self._signal(signal.SIGTERM)
        self.wait(GRACE_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Ends the whole group, if it has not ended, and waits for its last output. May be called more than once."""
        with self._ending:
            if self._lifeline < 0:
                return
            self._signal(signal.SIGKILL)
            self.wait(GRACE_SECONDS)
            os.close(self._lifeline)
            self._lifeline = -1
            self._pump.join(_DRAIN_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def start(
    program: str,
    arguments: Sequence[str],
    *,
    python: Path,
    environment: dict[str, str],
    folder: Path,
    log: Log,
    listener: socket.socket | None = None,
    needs_autogluon: bool = False,
) -> Container:
    """Starts one of the programs in `containers/` under `python`, working in `folder`.

    It sees the variables of `environment` and the few every container has, nothing of this process's. `listener` is
    handed down and its descriptor becomes the first argument. Programs that need AutoGluon start from the standby
    process where there is one.
    """
    script = str(CONTAINERS / program)
    lifeline_end, lifeline = os.pipe()
    reader, writer = os.pipe()
    variables = base_environment(python, folder) | environment
    try:
        if needs_autogluon and standby.AVAILABLE and python == Path(sys.executable):
            descriptors = [lifeline_end, writer, *([listener.fileno()] if listener else [])]
            forked = standby.fork(script, arguments, variables, folder, descriptors)
            pid, wait = forked.pid, forked.wait
        else:
            handed = [str(listener.fileno())] if listener else []
            child = subprocess.Popen(
                [str(python), script, *handed, *arguments],
                stdin=lifeline_end,
                stdout=writer,
                stderr=writer,
                env=variables,
                cwd=folder,
                pass_fds=[listener.fileno()] if listener else [],
                start_new_session=True,
            )
            pid, wait = child.pid, _waiter(child)
    except BaseException:
        os.close(lifeline)
        os.close(reader)
        raise
    finally:
        os.close(lifeline_end)
        os.close(writer)
    pump = threading.Thread(target=_pump, args=(reader, log), name=f"log of {program} {pid}", daemon=True)
    pump.start()
    return Container(pid, wait, lifeline, pump)


def base_environment(python: Path, folder: Path) -> dict[str, str]:
    """The variables every container has."""
    return {
        "PATH": os.pathsep.join([str(python.parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **standby.THREADS,
    }


def _waiter(child: subprocess.Popen[bytes]) -> Callable[[float | None], int | None]:
    def wait(timeout: float | None) -> int | None:
        try:
            return child.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    return wait


def _pump(reader: int, log: Log) -> None:
    with open(reader, encoding="utf-8", errors="replace", newline="\n") as lines:
        for line in lines:
            log(line.rstrip("\r\n"))


def wait_for_end(container: Container, stop: threading.Event, seconds: float, poll: float = 0.05) -> int | str:
    """Waits for the end of a container: its exit code, or "stop" or "time" if that came first and it was stopped."""
    deadline = time.monotonic() + seconds
    while (code := container.wait(poll)) is None:
        if stop.is_set():
            container.stop()
            return "stop"
        if time.monotonic() > deadline:
            container.stop()
            return "time"
    return code
