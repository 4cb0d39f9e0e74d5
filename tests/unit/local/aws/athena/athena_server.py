"""MiniStack with the project's Athena and nothing else of it, for the tests of this folder.

`python athena_server.py DIRECTORY` prints its URL when it serves; it ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from pathlib import Path


def main() -> None:
    state = Path(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    os.environ.update(
        AUTH="true",
        GATEWAY_PORT=url.rsplit(":", 1)[1],
        MINISTACK_REGION="us-west-2",
        STATE_DIR=str(state),
        S3_DATA_DIR=str(state / "s3"),
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        DOCKER_HOST=f"unix://{state}/none",
        AWS_ENDPOINT_URL=url,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="us-west-2",
    )
    asyncio.run(_serve(listener, url))


async def _serve(listener: socket.socket, url: str) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app

    from local.aws.athena import handler as athena
    from local.server import in_process, sessions

    sessions.configure(url, in_process.Session(app.app, asyncio.get_running_loop()))
    athena.install()
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.graceful_timeout = 1
    config.loglevel = "WARNING"
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_end_of_input() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_end_of_input, daemon=True).start()
    print(url, flush=True)
    await serve(app.app, config, shutdown_trigger=stop.wait)


if __name__ == "__main__":
    main()
