"""What runs inside a Lambda execution environment: imports the handler once, then answers invocations.

Started by `local.aws.awslambda.runtime` with the runtime's own interpreter, so it uses the standard library only. It reads one
JSON object a line from standard input and writes one a line to the pipe it got as standard output; whatever the
function prints goes to standard error, which becomes its log. Errors are named as Lambda's Python runtime names them.
"""

import importlib
import json
import os
import site
import sys
import threading
import time
import traceback
from pathlib import Path

_MEMORY_CHECK_SECONDS = 0.1


class Context:
    """The context object that a handler gets, with the attributes of AWS's."""

    identity = None
    client_context = None

    def __init__(self, call, settings):
        self.aws_request_id = call["request_id"]
        self.invoked_function_arn = call["invoked_function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = time.time() + settings["timeout"]

    def get_remaining_time_in_millis(self):
        """Milliseconds until this invocation times out."""
        return max(0, int((self._deadline - time.time()) * 1000))


def error(kind, message, trace=()):
    """An error answer in the shape of Lambda's runtime."""
    return {"status": "error", "error": {"errorMessage": message, "errorType": kind, "stackTrace": list(trace)}}


def load_handler(settings):
    """The handler function, or (None, error answer): import errors have names of their own on Lambda."""
    sys.path[0:0] = settings["path"]
    for folder in settings["site_folders"]:
        site.addsitedir(folder)
    module_name, _, function_name = settings["handler"].rpartition(".")
    if not module_name:
        return None, error("Runtime.MalformedHandlerName", f"Bad handler '{settings['handler']}'")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as problem:
        message = f"Unable to import module '{module_name}': {problem}"
        return None, error("Runtime.ImportModuleError", message, traceback.format_exc().splitlines())
    except SyntaxError as problem:
        message = f"Syntax error in module '{module_name}': {problem}"
        return None, error("Runtime.UserCodeSyntaxError", message, traceback.format_exc().splitlines())
    except Exception as problem:
        return None, error(type(problem).__name__, str(problem), traceback.format_exc().splitlines())
    handler = getattr(module, function_name, None)
    if handler is None:
        return None, error("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return handler, None


def answer(handler, call, settings):
    """Run one invocation."""
    try:
        result = handler(call["event"], Context(call, settings))
    except Exception as problem:
        trace = traceback.format_tb(problem.__traceback__)[1:]  # without this file's own line
        sys.stderr.write(
            f"[ERROR] {type(problem).__name__}: {problem}\nTraceback (most recent call last):\n{''.join(trace)}"
        )
        return error(type(problem).__name__, str(problem), trace)
    try:
        return {"status": "ok", "result": json.loads(json.dumps(result))}
    except (TypeError, ValueError) as problem:
        return error("Runtime.MarshalError", f"Unable to marshal response: {problem}")


def watch(memory_mb, parent, say):
    """End this process when it uses more memory than the function has, or when the server is gone."""
    page_mb = os.sysconf("SC_PAGE_SIZE") / 2**20
    while True:
        if os.getppid() != parent:
            os._exit(1)
        try:
            with Path("/proc/self/statm").open() as statistics:
                resident_mb = int(statistics.read().split()[1]) * page_mb
        except OSError:
            resident_mb = 0  # not Linux: no limit
        if resident_mb > memory_mb:
            say(error("Runtime.OutOfMemory", "Error: Runtime exited with error: signal: killed"))
            os._exit(137)
        time.sleep(_MEMORY_CHECK_SECONDS)


def main():
    """Serve invocations until standard input ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    speaking = threading.Lock()

    def say(message):
        with speaking:
            out.write(json.dumps(message) + "\n")
            out.flush()

    settings = json.loads(sys.stdin.readline())
    threading.Thread(target=watch, args=(settings["memory_mb"], settings["parent"], say), daemon=True).start()
    handler, problem = load_handler(settings)
    say(problem or {"status": "ready"})
    while handler is not None:
        line = sys.stdin.readline()
        if not line:
            return
        call = json.loads(line)
        if call.get("trace_id"):
            os.environ["_X_AMZN_TRACE_ID"] = call["trace_id"]
        say(answer(handler, call, settings))
        sys.stderr.flush()


if __name__ == "__main__":
    main()
