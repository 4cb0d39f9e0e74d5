"""The web server of a model container: GET /ping and POST /invocations, HTTP/1.1 with connections kept open."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reply:
    """An answer of /invocations."""

    status: int
    body: bytes
    content_type: str
    """Empty: the answer has no such header."""


# content, Content-Type and Accept ("" if the request has none) of an invocation → its answer
Invoke = Callable[[bytes, str, str], Reply]


def serve(listener: socket.socket, invoke: Invoke) -> None:
    """Serves on a listening socket until the process ends. Invocations run one at a time, as in a worker on AWS."""
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16  # status line, headers and body leave in one packet

        def do_GET(self) -> None:
            self._answer(Reply(200 if self.path == "/ping" else 404, b"", "application/json"))

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path != "/invocations":
                self._answer(Reply(404, b"", "text/plain"))
                return
            content_type = self.headers.get("Content-Type") or "application/json"
            with turn:
                reply = invoke(content, content_type, self.headers.get("Accept") or "")
            self._answer(reply)

        def _answer(self, reply: Reply) -> None:
            self.send_response(reply.status)
            if reply.content_type:
                self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """No line for each request: the local cloud writes to a file, where thousands would hide the others."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(listener.getsockname(), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever()
