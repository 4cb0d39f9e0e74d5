"""Lambda functions as on AWS: their own interpreter, packages, role, limits and error names.

MiniStack 1.5.33 runs workers with the server's own interpreter, so a function could import what it does not bring
along, and calls every error `Runtime.HandlerError`, so no state machine could retry or catch by name. `install`
replaces its execution environment (`ministack.core.lambda_runtime.Worker`) and checks functions' settings as AWS does.
"""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime as ministack_runtime
from ministack.services import lambda_svc

from local import lambda_interpreter, package_cache

_WORKER_SCRIPT = Path(__file__).with_name("lambda_worker.py")
_INIT_TIMEOUT_SECONDS = 60.0  # on AWS 10 s, then once more under the function's own timeout
_TASK_TIMED_OUT = "Sandbox.Timedout"
_LOG_QUIET_SECONDS = 0.02

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
_RESERVED_NAMES = {
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}  # fmt: skip
_NAME_PATTERN = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_ENVIRONMENT_LIMIT_BYTES = 4096
_HOST_ENVIRONMENT = ("LD_LIBRARY_PATH",)


def install() -> None:
    """Make MiniStack run Python functions with `RuntimeWorker`, and refuse the environments that AWS refuses."""
    lambda_interpreter.interpreter()
    ministack_worker_class_for = ministack_runtime._worker_class_for

    def worker_class_for(config: dict[str, Any]) -> type:
        python = str(config.get("Runtime", "")).startswith("python")
        return RuntimeWorker if python else ministack_worker_class_for(config)

    ministack_runtime._worker_class_for = worker_class_for
    ministack_execute = lambda_svc._execute_function_warm

    def execute(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        python = str((function.get("config") or function).get("Runtime", "")).startswith("python")
        return (_execute if python else ministack_execute)(function, event, request_id)

    lambda_svc._execute_function_warm = execute

    create, update = lambda_svc._create_function, lambda_svc._update_config

    def checked_create(data: dict[str, Any]) -> Any:
        return _refused(data) or create(data)

    def checked_update(name: str, data: dict[str, Any]) -> Any:
        return _refused(data) or update(name, data)

    lambda_svc._create_function = checked_create
    lambda_svc._update_config = checked_update


def shutdown() -> None:
    """End every worker."""
    ministack_runtime.reset()


def environment_problem(variables: dict[str, str]) -> str | None:
    """Why AWS would refuse this environment of a function, in its words; None if it would not."""
    prefix = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    reserved = sorted(_RESERVED_NAMES & variables.keys())
    if reserved:
        return (
            f"{prefix} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    for name in variables:
        if not _NAME_PATTERN.fullmatch(name):
            return (
                "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys "
                "must satisfy constraint: [Member must satisfy regular expression pattern: "
                f"{_NAME_PATTERN.pattern}] ({name})"
            )
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > _ENVIRONMENT_LIMIT_BYTES:
        return f"{prefix} exceeded the 4KB limit. String measured: {measured}"
    return None


def _refused(data: dict[str, Any]) -> Any:
    problem = environment_problem((data.get("Environment") or {}).get("Variables") or {})
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
            [str(lambda_interpreter.interpreter()), "-s", "-P", str(_WORKER_SCRIPT)],
            cwd=code,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=self._environment(code, layers),
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

    def _environment(self, code: Path, layers: list[Path]) -> dict[str, str]:
        """What a function finds in its environment on AWS, and the address of this cloud."""
        _, region = ministack_runtime._account_region_from_function_config(self.config)
        name = self.config.get("FunctionName", "")
        logging_config = self.config.get("LoggingConfig") or {}
        log_group = logging_config.get("LogGroup") or f"/aws/lambda/{name}"
        environment = {key: os.environ[key] for key in _HOST_ENVIRONMENT if key in os.environ}
        libraries = [str(layer / "lib") for layer in layers[::-1] if (layer / "lib").is_dir()]
        if libraries:
            environment["LD_LIBRARY_PATH"] = os.pathsep.join([*libraries, environment.get("LD_LIBRARY_PATH", "")])
        environment.update(
            PATH="/usr/local/bin:/usr/bin:/bin",
            LANG="en_US.UTF-8",
            TZ=":UTC",
            PYTHONUTF8="1",
            TMPDIR=str(self._tmpdir),
            _HANDLER=self.config.get("Handler", ""),
            LAMBDA_TASK_ROOT=str(code),
            AWS_EXECUTION_ENV=f"AWS_Lambda_{self.config.get('Runtime', '')}",
            AWS_LAMBDA_INITIALIZATION_TYPE="on-demand",
            AWS_LAMBDA_FUNCTION_NAME=name,
            AWS_LAMBDA_FUNCTION_VERSION=self.config.get("Version", "$LATEST"),
            AWS_LAMBDA_FUNCTION_MEMORY_SIZE=str(self.config.get("MemorySize", 128)),
            AWS_LAMBDA_LOG_GROUP_NAME=log_group,
            AWS_LAMBDA_LOG_STREAM_NAME=f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid.uuid4().hex}",
            AWS_LAMBDA_LOG_FORMAT=logging_config.get("LogFormat", "Text"),
            AWS_REGION=region,
            AWS_DEFAULT_REGION=region,
            AWS_ENDPOINT_URL=os.environ["AWS_ENDPOINT_URL"],
            AWS_EC2_METADATA_DISABLED="true",
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        )
        environment.update(ministack_runtime.execution_credentials(self.config))
        own = (self.config.get("Environment") or {}).get("Variables") or {}
        environment.update({key: str(value) for key, value in own.items() if key not in _RESERVED_NAMES})
        return environment

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
    try:
        result = worker.invoke(
            event,
            request_id,
            trace_id=lambda_svc._xray_trace_id_for_invocation(config),
            invoked_function_arn=config.get("FunctionArn", ""),
        )
    finally:
        ministack_runtime.release_worker(worker)
    if result["status"] == "ok":
        return {"body": result.get("result"), "log": result["log"]}
    return {"body": result["error"], "error": True, "function_error": "Unhandled", "log": result["log"]}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"status": "error", "error": {"errorType": kind, "errorMessage": message, "stackTrace": []}}


def _pump(stream: Any, lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line.rstrip("\n"))
    lines.put(None)
