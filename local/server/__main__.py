"""The local cloud: MiniStack's services with the project's own handlers, on one port of the loopback interface.

`python -m local.server --port 4566 --state .local/state` prints `ready http://127.0.0.1:4566` when it serves, and stops
on SIGTERM, on Ctrl-C, or when the pipe it got as standard input closes. `local.server.process` starts it as a child.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import logging
import os
import signal
import socket
import stat
import sys
import tempfile
import threading
from pathlib import Path

import psutil

from local.aws.sagemaker.compute import reuse
from local.server import paths
from local.server.address import ACCESS_KEY, ACCOUNT_ID, DEFAULT_PORT, HOST, REGION, SECRET_KEY
from local.server.state import StateDirectory, StateError, end_processes

EXIT_CANNOT_START = 3

_KEPT_ENVIRONMENT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "LOCAL_CLOUD_RECORDING",
    "LOCAL_CLOUD_PERMISSIONS",
)
_LOG_FORMAT = "%(asctime)s %(levelname)s [%(name)s] %(message)s"
_PR_SET_CHILD_SUBREAPER = 36


class CannotStartError(Exception):
    """The server cannot start; the message is for the person who started it."""


def main(argv: list[str] | None = None) -> int:
    """Run a server until it is stopped. Returns the process's exit code."""
    options = _parse(argv)
    try:
        listener = listen(options.port)
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return EXIT_CANNOT_START
    port = listener.getsockname()[1]
    try:
        state = StateDirectory.acquire(options.state, port)
    except StateError as error:
        print(error, file=sys.stderr)
        return EXIT_CANNOT_START
    try:
        set_environment(state, port)
        reuse.configure(options.reuse)
        logging.basicConfig(filename=state.folder("logs") / "server.log", level=logging.INFO, format=_LOG_FORMAT)
        _adopt_orphans()
        # Not asyncio.run, which would wait for every thread of a running execution before it returns.
        asyncio.new_event_loop().run_until_complete(_serve(listener, state, options.faults, options.wait_scale))
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return EXIT_CANNOT_START
    finally:
        end_processes(psutil.Process().children(recursive=True))
        state.release()
    return 0


def listen(port: int) -> socket.socket:
    """A socket bound to the port on the loopback interface; port 0 takes a free one. Raises CannotStartError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        if port and _connects(port):
            raise CannotStartError(
                f"Port {port} is in use by {_user_of(port)}. Stop that program, or choose another port with --port."
            ) from None
        raise CannotStartError(
            f"Cannot listen on {HOST}:{port}: {error.strerror}. Choose another port with --port."
        ) from None
    return listener


def set_environment(state: StateDirectory, port: int) -> None:
    """Leave in this process's environment only what MiniStack and its children should see.

    Credentials, profiles and endpoints of the person's own AWS account must not reach anything in here, and every
    directory that a library might write to lies inside the state directory.
    """
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    temporary = state.folder("tmp")
    os.environ.clear()
    os.environ.update(
        kept,
        HOME=str(state.folder("home")),
        TMPDIR=str(temporary),
        AUTH="true",
        GATEWAY_PORT=str(port),
        MINISTACK_REGION=REGION,
        MINISTACK_ACCOUNT_ID=ACCOUNT_ID,
        STATE_DIR=str(state.folder("ministack")),
        PERSIST_STATE="0",
        S3_PERSIST="1",
        S3_DATA_DIR=str(state.folder("s3")),
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        # No container engine is used, not even to look for containers of other MiniStacks.
        DOCKER_HOST=f"unix://{state.path}/no-container-engine",
        AWS_ACCESS_KEY_ID=ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY=SECRET_KEY,
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_ENDPOINT_URL=f"http://{HOST}:{port}",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )
    tempfile.tempdir = str(temporary)


async def _serve(listener: socket.socket, state: StateDirectory, faults: Path | None, wait_scale: float) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from local.server import services

    endpoint_url = f"http://{HOST}:{listener.getsockname()[1]}"
    try:
        installed = services.install(state, endpoint_url, faults=faults, wait_scale=wait_scale)
    except services.InvalidFaultsError as error:
        raise CannotStartError(str(error)) from error
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.shutdown_timeout = 5
    config.loglevel = "WARNING"
    stop = _stop_event()
    serving = asyncio.create_task(serve(installed.app, config, shutdown_trigger=stop.wait))
    try:
        await _wait_until_it_answers(listener.getsockname()[1], serving)
        print(f"ready {endpoint_url}", flush=True)
        await stop.wait()
    finally:
        await asyncio.to_thread(installed.shutdown)
        stop.set()
        await serving


def _stop_event() -> asyncio.Event:
    """Set on SIGTERM, SIGINT, or the end of standard input where that is a pipe."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def wait_for_end_of_input() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=wait_for_end_of_input, name="parent-watch", daemon=True).start()
    return stop


async def _wait_until_it_answers(port: int, serving: asyncio.Task[None]) -> None:
    request = f"GET /_ministack/health HTTP/1.0\r\nHost: {HOST}:{port}\r\n\r\n".encode()
    while not serving.done():
        # The socket listens from the start: a connection waits until the server accepts it.
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(request)
        answer = await reader.read(32)
        writer.close()
        if b" 200" in answer:
            return
        await asyncio.sleep(0.05)
    await serving


def _adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent ends, so that none can outlive this process (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _connects(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _user_of(port: int) -> str:
    """The program that listens on the port, as far as this user may see it."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        return "another program"
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            try:
                process = psutil.Process(connection.pid)
                command = " ".join(process.cmdline()[:4])
            except psutil.Error:
                return "another program"
            if "local.server" in command:
                return f"another local cloud (process {connection.pid})"
            return f"process {connection.pid} ({command})"
    return "another program"


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.server", description="Run the local cloud.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 chooses a free one")
    parser.add_argument("--state", type=Path, default=paths.STATE, help="directory for objects, emails and logs")
    parser.add_argument("--faults", type=Path, help="YAML file of faults to inject")
    parser.add_argument("--reuse", type=Path, help="folder for what jobs computed, by content; kept between servers")
    parser.add_argument("--wait-scale", type=float, default=1.0, help="factor on the machines' waits, e.g. 0.1")
    return parser.parse_args(argv)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # executions and timers may still have threads; nothing of theirs is needed any more
