"""The local cloud's end of `containers/standby.py`: one process with AutoGluon imported, from which containers are forked.

AutoGluon takes four to five seconds to import. A run needs it three times (training, batch transform, endpoint); a
server that calls `prepare` when it starts pays for it once, while it does other things.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

AVAILABLE = sys.platform == "linux"
"""Forking a process that has imported numerical libraries is sound on Linux; macOS's own libraries forbid it."""

THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}
"""For whatever trains: threads of LightGBM, XGBoost and scikit-learn that wait for one another sleep meanwhile. By default they
spin, and where other processes need the cores, too, those of one training wait for minutes for threads that are not running."""

_PROGRAM = Path(__file__).parent / "containers" / "standby.py"
_START_SECONDS = 120.0


@dataclass
class Fork:
    """A forked container: its process id and its end."""

    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    pid: int = 0
    code: int | None = None

    def wait(self, timeout: float | None) -> int | None:
        """The exit code, or None if the process still runs after `timeout` seconds."""
        return self.code if self.ended.wait(timeout) else None


class _Standby:
    """A standby process and what was forked from it. If it ends, its forks count as ended with code -9."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore", **THREADS}
        self._process = subprocess.Popen(
            [sys.executable, str(_PROGRAM), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._ids = itertools.count()
        self._forks: dict[int, Fork] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, name="standby", daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def fork(self, request: dict[str, Any], descriptors: Sequence[int]) -> Fork:
        fork = Fork()
        with self._lock:
            number = next(self._ids)
            self._forks[number] = fork
            message = json.dumps({"id": number, **request}).encode()
            socket.send_fds(self._control, [message], list(descriptors))
        if not fork.started.wait(_START_SECONDS) or fork.pid == 0:
            raise RuntimeError("The process that has AutoGluon imported does not answer; see the server's log.")
        return fork

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        while message := self._receive():
            answer = json.loads(message)
            fork = self._forks[answer["id"]]
            if "pid" in answer:
                fork.pid = answer["pid"]
                fork.started.set()
            else:
                fork.code = answer["code"]
                fork.ended.set()
                del self._forks[answer["id"]]
        for fork in self._forks.values():
            fork.code = -9
            fork.ended.set()
            fork.started.set()

    def _receive(self) -> bytes:
        try:
            return self._control.recv(1 << 16)
        except OSError:
            return b""


_lock = threading.Lock()
_running: list[_Standby] = []


def prepare() -> None:
    """Starts the standby process if there is none and returns at once; it imports while the caller goes on."""
    if AVAILABLE:
        _get()


def fork(
    program: str, arguments: Sequence[str], environment: dict[str, str], folder: Path, descriptors: Sequence[int]
) -> Fork:
    """Forks a container that runs `program`. `descriptors`: its standard input, its output, and any listener."""
    request = {
        "program": program,
        "arguments": list(arguments),
        "environment": environment,
        "folder": str(folder),
    }
    return _get().fork(request, descriptors)


def close() -> None:
    """Ends the standby process. Containers forked from it go on until their owner ends them."""
    with _lock:
        while _running:
            _running.pop().close()


def _get() -> _Standby:
    with _lock:
        if _running and not _running[0].alive:
            _running.pop().close()
        if not _running:
            _running.append(_Standby())
        return _running[0]


atexit.register(close)
