"""Starts the local cloud as a child process, waits until it serves, and stops it with everything it started."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from local.server import paths
from local.server.address import ACCESS_KEY, REGION, SECRET_KEY

START_TIMEOUT_SECONDS = 120.0
STOP_TIMEOUT_SECONDS = 15.0


class ServerError(Exception):
    """The server did not start or has ended; the message says why and what to do."""


@dataclass
class Server:
    """A running local cloud. `stop` ends it; it also ends when this process ends, however that happens."""

    endpoint_url: str
    state: Path
    _process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """Of the server; everything that it started is below it."""
        return self._process.pid

    @property
    def outbox(self) -> Path:
        """Where emails are written, one `.eml` file each."""
        return self.state / "outbox"

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self.state / "logs" / "server.log"

    def environment(self) -> dict[str, str]:
        """The variables with which boto3 and the AWS CLI talk to this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    def check(self) -> None:
        """Raises ServerError if the server has ended by itself."""
        status = self._process.poll()
        if status is not None:
            raise ServerError(f"The local cloud has ended (exit status {status}). Its log: {self.log}")

    def wait(self) -> int:
        """Wait until the server ends. Returns its exit status."""
        return self._process.wait()

    def stop(self) -> None:
        """Stop the server and everything it started. Does nothing if it has ended already."""
        if self._process.poll() is None and self._process.stdin:
            self._process.stdin.close()  # the server takes the end of its input as the word to stop
            try:
                self._process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def start(
    *, port: int = 0, state: Path = paths.STATE, faults: Path | None = None, wait_scale: float = 1.0,
    reuse: Path | None = None, timeout: float = START_TIMEOUT_SECONDS,
) -> Server:  # fmt: skip
    """Start a server and return when it serves.

    Port 0 takes a free one. `state` is emptied first; two servers need two directories. With `reuse`, a folder that any
    number of them may share, jobs restore what one of them computed before from the same content. Raises ServerError
    with the server's own words, for instance that the port is busy and by whom.
    """
    command = [sys.executable, "-m", "local.server", "--port", str(port), "--state", str(state.resolve())]
    command += ["--wait-scale", str(wait_scale)]
    for option, path in (("--faults", faults), ("--reuse", reuse)):
        if path is not None:
            command += [option, str(path.resolve())]
    process = subprocess.Popen(
        command,
        cwd=paths.PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C in the terminal reaches only this process, which then stops the server in order.
        start_new_session=True,
    )
    said: queue.Queue[str] = queue.Queue()
    errors: list[str] = []
    threading.Thread(target=_read_lines, args=(process.stdout, said), daemon=True).start()
    error_reader = threading.Thread(target=_read_into, args=(process.stderr, errors), daemon=True)
    error_reader.start()
    server = Server("", state.resolve(), process)
    deadline = time.monotonic() + timeout
    try:
        while not server.endpoint_url:
            word, _, url = said.get(timeout=max(0.0, deadline - time.monotonic())).partition(" ")
            if word == "ready":
                server.endpoint_url = url.strip()
            elif not word:
                process.wait(STOP_TIMEOUT_SECONDS)
                error_reader.join(1)
                reason = "".join(errors).strip() or f"exit status {process.returncode}, log: {server.log}"
                raise ServerError(f"The local cloud did not start. {reason}")
    except queue.Empty:
        server.stop()
        raise ServerError(f"The local cloud did not serve within {timeout:.0f} s. Its log: {server.log}") from None
    except BaseException:
        server.stop()
        raise
    return server


@contextmanager
def running(
    *, port: int = 0, state: Path = paths.STATE, faults: Path | None = None, wait_scale: float = 1.0,
    reuse: Path | None = None,
) -> Iterator[Server]:  # fmt: skip
    """A server for the length of a `with` block, also when that ends by Ctrl-C or an error."""
    server = start(port=port, state=state, faults=faults, wait_scale=wait_scale, reuse=reuse)
    try:
        yield server
    finally:
        server.stop()


def _read_lines(stream: IO[str], lines: queue.Queue[str]) -> None:
    for line in stream:
        lines.put(line)
    lines.put("")


def _read_into(stream: IO[str], lines: list[str]) -> None:
    for line in stream:
        lines.append(line)
        del lines[:-50]  # the last words are what matters
