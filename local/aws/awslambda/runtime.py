"""Lambda functions as on AWS: their own interpreter, packages, role, limits and error names.

MiniStack 1.5.33 runs workers with the server's own interpreter, so a function could import what it does not bring
along, and calls every error `Runtime.HandlerError`, so no state machine could retry or catch by name. `install`
replaces its execution environment (`ministack.core.lambda_runtime.Worker`) and checks functions' settings as AWS does.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime as ministack_runtime
from ministack.services import lambda_svc

from local.aws import ministack_patches
from local.aws.awslambda import environment, interpreter, package_cache
from local.aws.cloudwatch import embedded

_WORKER_SCRIPT = Path(__file__).with_name("worker.py")
_INIT_TIMEOUT_SECONDS = 60.0  # on AWS 10 s, then once more under the function's own timeout
_TASK_TIMED_OUT = "Sandbox.Timedout"
_LOG_QUIET_SECONDS = 0.02


def install() -> None:
    """Make MiniStack run Python functions with `RuntimeWorker`, and refuse the environments that AWS refuses."""
    interpreter.interpreter()
    package_cache.forget_unused()
    ministack_worker_class_for = ministack_runtime._worker_class_for

    def worker_class_for(config: dict[str, Any]) -> type:
        python = str(config.get("Runtime", "")).startswith("python")
        return RuntimeWorker if python else ministack_worker_class_for(config)

    ministack_patches.replace(ministack_runtime, "_worker_class_for", worker_class_for)
    ministack_execute = lambda_svc._execute_function_warm

    def execute(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        python = str((function.get("config") or function).get("Runtime", "")).startswith("python")
        return (_execute if python else ministack_execute)(function, event, request_id)

    ministack_patches.replace(lambda_svc, "_execute_function_warm", execute)

    for operation in ("_create_function", "_update_config"):
        ministack_patches.refuse_first(lambda_svc, operation, _refused)


def shutdown() -> None:
    """End every worker."""
    ministack_runtime.reset()


def _refused(data: dict[str, Any]) -> Any:
    problem = environment.problem_with((data.get("Environment") or {}).get("Variables") or {})
    return problem and lambda_svc.error_response_json("InvalidParameterValueException", problem, 400)


class RuntimeWorker(ministack_runtime.Worker):
    """One execution environment: a process with the function's code, layers, role and limits."""

    _lines: queue.Queue[str | None]

    def invoke(
        self, event: Any, request_id: str, *, trace_id: str | None = None, depth: Any = None,
        durable: dict[str, str] | None = None, invoked_function_arn: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Run one invocation. Returns `{"status": "ok", "result", "log"}` or `{"status": "error", "error", "log"}`."""
        with self._lock:
            if self._proc is None or self._proc.poll() is not None:
                started = self._start()
                if started.get("status") != "ready":
                    return self._failed(started, request_id)
            call = {
                "event": event,
                "request_id": request_id,
                "trace_id": trace_id,
                "invoked_function_arn": invoked_function_arn or self.config.get("FunctionArn", ""),
            }
            timeout = float(self.config.get("Timeout", 3))
            answer = self._ask(call, timeout)
            if answer is None:
                message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
                return self._failed(_error(_TASK_TIMED_OUT, message), request_id)
            if answer.get("status") != "ok" and not self._alive_after_error(answer):
                return self._failed(answer, request_id)
            if "error" in answer:
                answer["error"]["requestId"] = request_id
            return {**answer, "log": self._log()}

    def _spawn(self) -> None:
        """Start the process now; raises RuntimeError with the function's own error (MiniStack's snapshot path)."""
        answer = self._start()
        if answer.get("status") != "ready":
            raise RuntimeError(answer["error"]["errorMessage"])

    def _start(self) -> dict[str, Any]:
        self._discard_tmpdir()
        self._tmpdir = tempfile.mkdtemp(prefix=f"lambda-{self.func_name}-")
        code = package_cache.unzipped(self.code_zip)
        layers = [package_cache.unzipped(archive) for archive in self._layer_archives()]
        self._proc = subprocess.Popen(
            [str(interpreter.interpreter()), "-s", "-P", str(_WORKER_SCRIPT)],
            cwd=code,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment.of_worker(self.config, code, layers, Path(self._tmpdir)),
        )
        self._stderr_queue = queue.Queue()
        self._lines = queue.Queue()
        threading.Thread(target=_pump, args=(self._proc.stderr, self._stderr_queue), daemon=True).start()
        threading.Thread(target=_pump, args=(self._proc.stdout, self._lines), daemon=True).start()
        later_first = layers[::-1]  # a later layer's files replace an earlier one's under /opt
        settings = {
            "handler": self.config.get("Handler", ""),
            "path": [str(code), *(str(layer / "python") for layer in later_first)],
            "site_folders": [
                str(folder) for layer in later_first for folder in layer.glob("python/lib/*/site-packages")
            ],
            "memory_mb": int(self.config.get("MemorySize", 128)),
            "timeout": float(self.config.get("Timeout", 3)),
            "parent": os.getpid(),
        }
        self._cold = False
        self._start_time = time.time()
        answer = self._ask(settings, _INIT_TIMEOUT_SECONDS)
        return answer or _error(_TASK_TIMED_OUT, f"Error: Init timed out after {_INIT_TIMEOUT_SECONDS:.2f} seconds")

    def _layer_archives(self) -> list[bytes]:
        archives = []
        for layer in self.config.get("Layers") or []:
            archive = lambda_svc._resolve_layer_zip(layer)
            if archive is None:
                raise RuntimeError(f"Layer {layer} has no content")
            archives.append(archive)
        return archives

    def _ask(self, message: dict[str, Any], timeout: float) -> dict[str, Any] | None:
        """Send one line and wait for the answer; None when it does not come in time."""
        assert self._proc is not None and self._proc.stdin is not None
        try:
            self._proc.stdin.write(json.dumps(message) + "\n")
            self._proc.stdin.flush()
        except OSError:
            pass  # the process has ended: the end of its output says so
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            return None
        if line is None:
            status = self._proc.wait()
            reason = f"exit status {status}" if status >= 0 else f"signal: {-status}"
            return _error("Runtime.ExitError", f"Error: Runtime exited with error: {reason}")
        return json.loads(line)

    def _alive_after_error(self, answer: dict[str, Any]) -> bool:
        """Whether the environment can be used again: after the function's own exceptions, not after a crash."""
        return (
            not answer["error"]["errorType"].startswith("Runtime.")
            or answer["error"]["errorType"] == "Runtime.MarshalError"
        )

    def _failed(self, answer: dict[str, Any], request_id: str) -> dict[str, Any]:
        """The answer of an environment that cannot go on; ends its process."""
        process, self._proc = self._proc, None
        if process is not None:
            process.kill()
            process.wait()
        detail = {**answer["error"], "requestId": request_id}
        if detail["errorMessage"].startswith("Error: "):
            detail["errorMessage"] = f"RequestId: {request_id} {detail['errorMessage']}"
        kind, message = detail["errorType"], detail["errorMessage"]
        log = "\n".join(part for part in (self._log(), f"[ERROR] {kind}: {message}", *detail["stackTrace"]) if part)
        return {"status": "error", "error": detail, "log": log}

    def _log(self) -> str:
        """What the function wrote since the last invocation."""
        lines = []
        while True:
            try:
                line = self._stderr_queue.get(timeout=_LOG_QUIET_SECONDS)
            except queue.Empty:
                return "\n".join(lines)
            if line is None:
                return "\n".join(lines)
            lines.append(line)


def _execute(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    """Run an invocation in a free environment. Replaces MiniStack's, which loses the error's name."""
    config = function.get("config") or function
    name, qualifier = config.get("FunctionName", ""), config.get("Version", "$LATEST")
    archive = function.get("code_zip")
    if not archive:
        detail = {
            "errorType": "Runtime.InvalidEntrypoint",
            "errorMessage": f"Function {name} has no code",
            "stackTrace": [],
        }
        return {"body": detail, "error": True, "log": ""}
    lambda_svc._ensure_reaper_thread()
    worker, _ = ministack_runtime.acquire_worker(name, config, archive, qualifier=qualifier)
    assert isinstance(worker, RuntimeWorker)  # there is no limit on their number
    try:
        result = worker.invoke(
            event,
            request_id,
            trace_id=lambda_svc._xray_trace_id_for_invocation(config),
            invoked_function_arn=config.get("FunctionArn", ""),
        )
    finally:
        ministack_runtime.release_worker(worker)
    embedded.publish(result["log"])
    if result["status"] == "ok":
        return {"body": result.get("result"), "log": result["log"]}
    return {"body": result["error"], "error": True, "function_error": "Unhandled", "log": result["log"]}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"status": "error", "error": {"errorType": kind, "errorMessage": message, "stackTrace": []}}


def _pump(stream: Any, lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line.rstrip("\n"))
    lines.put(None)
