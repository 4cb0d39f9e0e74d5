"""A process that has AutoGluon imported and becomes containers by forking: 20 ms instead of five seconds each.

Every container is still a process of its own, with its own group, environment and files; what it shares with the
others is unchanged library code in memory. Argument: the descriptor of a socket (SOCK_SEQPACKET) to the local cloud.
A request is JSON {id, program, arguments, environment, folder} with two or three descriptors: standard input, output,
listener.
Answers: {id, pid} when forked, {id, code} when ended. Linux only: elsewhere forking after imports is not safe.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
from functools import cache
from typing import Any, NoReturn

MESSAGE_LIMIT = 1 << 18


def become(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """In the forked process: take on the container's group, files, environment and program, and end with it."""
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(descriptors[0], 0)
        os.dup2(descriptors[1], 1)
        os.dup2(descriptors[1], 2)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        listener = [str(descriptor) for descriptor in descriptors[2:]]
        for descriptor in descriptors[:2]:
            os.close(descriptor)
        sys.argv = [request["program"], *listener, *request["arguments"]]
        runpy.run_path(request["program"], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    import autogluon.tabular  # noqa: F401
    import lightgbm  # noqa: F401
    import pyarrow.csv  # noqa: F401
    import xgboost  # noqa: F401
    from autogluon.common.utils import utils

    # AutoGluon reads the versions of all packages for every model that it saves or loads, in a quarter of a second.
    utils.get_package_versions = cache(utils.get_package_versions)
    utils.get_package_versions()
    gc.collect()
    gc.freeze()
    wakeup, notify = socket.socketpair()
    notify.setblocking(False)
    signal.set_wakeup_fd(notify.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    requests: dict[int, int] = {}

    while True:
        ready, _, _ = select.select([control, wakeup], [], [])
        if wakeup in ready:
            wakeup.recv(4096)
            while requests:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                answer = {"id": requests.pop(pid), "code": os.waitstatus_to_exitcode(status)}
                control.send(json.dumps(answer).encode())
        if control in ready:
            message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_LIMIT, 3)
            if not message:
                return
            request = json.loads(message)
            pid = os.fork()
            if pid == 0:
                control.close()
                become(request, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            requests[pid] = request["id"]
            control.send(json.dumps({"id": request["id"], "pid": pid}).encode())


if __name__ == "__main__":
    main()
