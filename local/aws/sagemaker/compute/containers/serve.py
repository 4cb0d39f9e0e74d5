"""`serve` of a model container: loads the program in the model's archive and answers with it, as AWS's toolkits do.

The scikit-learn image is built on sagemaker-containers (_transformer.py, _functions.py and _worker.py in
github.com/aws/sagemaker-containers; serving.py in github.com/aws/sagemaker-scikit-learn-container), Autopilot's AutoGluon
image on sagemaker-inference (transformer.py in github.com/aws/sagemaker-inference-toolkit). In both
- the module SAGEMAKER_PROGRAM is imported from SAGEMAKER_SUBMIT_DIRECTORY; `model_fn(model_dir)` loads once;
- `transform_fn(model, content, content_type, accept)`, or `input_fn`, `predict_fn` and `output_fn`, not both;
- content is text for exactly text/csv and application/json, bytes otherwise;
- without an Accept header, or with */*, accept is SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT, or else application/json.

With sagemaker-containers the answer is (content, type), of which Flask makes a response whose text types get
`; charset=utf-8`, or a Flask or Werkzeug response, with which alone a program can choose the status and the exact content
type; an exception of the program, of whatever class, is a 500 with a page that does not say what happened.
With sagemaker-inference the answer is (content, type), or content of the accepted type, and leaves as it is; an exception
is a 500 with its message and trace, without a content type.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import lifeline
from model_server import Reply, serve

TEXT_TYPES = ("application/json", "text/csv")
SERVER_ERROR = (
    b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n<title>500 Internal Server Error</title>\n'
    b"<h1>Internal Server Error</h1>\n<p>The server encountered an internal error and was unable to complete your "
    b"request. Either the server is overloaded or there is an error in the application.</p>\n"
)

# model, content, content type, accept → (content, content type) or a Response
Transform = Callable[[Any, "str | bytes", str, str], Any]


def transform_of(module: ModuleType) -> Transform:
    """The module's transform_fn, or one made of its input_fn, predict_fn and output_fn."""
    steps: list[Any] = [getattr(module, name, None) for name in ("input_fn", "predict_fn", "output_fn")]
    transform = getattr(module, "transform_fn", None)
    if transform is not None:
        if any(steps):
            raise TypeError("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn")
        return transform
    if not all(steps):
        raise NotImplementedError("Please provide transform_fn, or input_fn, predict_fn and output_fn.")
    read, predict, write = steps

    def run_steps(model: Any, content: str | bytes, content_type: str, accept: str) -> Any:
        return write(predict(read(content, content_type), model), accept)

    return run_steps


def flask_reply(result: Any, accept: str) -> Reply:
    """What a program returned to sagemaker-containers: (content, type), content, or Flask's or Werkzeug's response."""
    if hasattr(result, "status_code") and hasattr(result, "get_data"):
        return Reply(result.status_code, result.get_data(), result.content_type or accept)
    content, content_type = result if isinstance(result, tuple) else (result, accept)
    if content_type.startswith("text/") and "charset" not in content_type:
        content_type += "; charset=utf-8"
    return Reply(200, content.encode() if isinstance(content, str) else bytes(content), content_type)


def flask_failure(error: Exception) -> Reply:
    """The page of an exception."""
    return Reply(500, SERVER_ERROR, "text/html")


def model_server_reply(result: Any, accept: str) -> Reply:
    """What a program returned to sagemaker-inference, whose server sends texts, bytes and what is JSON."""
    content, content_type = result if isinstance(result, tuple) else (result, accept)
    if not isinstance(content, (str, bytes, bytearray)):
        try:
            content = json.dumps(content, indent=2)
        except TypeError:  # otf_message_handler.py in github.com/awslabs/multi-model-server
            return Reply(503, b"Unsupported model output data type.", "")
    return Reply(200, content.encode() if isinstance(content, str) else bytes(content), content_type)


def model_server_failure(error: Exception) -> Reply:
    """The text of an exception."""
    return Reply(500, f"{error}\n{traceback.format_exc()}".encode(), "")


# How each toolkit sends what a program returned, and what it raised.
TOOLKITS = {
    "sagemaker-containers": (flask_reply, flask_failure),
    "sagemaker-inference": (model_server_reply, model_server_failure),
}


def main() -> None:
    """Arguments: the descriptor of the listening socket, the toolkit. All else is in the environment, as in the image."""
    lifeline.hold()
    listener = socket.socket(fileno=int(sys.argv[1]))
    reply, failure = TOOLKITS[sys.argv[2]]
    here = Path(__file__).resolve().parent
    # The program sees what it would in the image: its own folder, not the files beside this one.
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    sys.path.insert(0, os.environ["SAGEMAKER_SUBMIT_DIRECTORY"])
    default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "application/json")
    module = importlib.import_module(os.environ["SAGEMAKER_PROGRAM"][: -len(".py")])
    transform = transform_of(module)
    model = module.model_fn(os.environ["SM_MODEL_DIR"])

    def invoke(content: bytes, content_type: str, accept: str) -> Reply:
        wanted = default_accept if accept in ("", "*/*") else accept
        try:
            data = content.decode("utf-8", "replace") if content_type in TEXT_TYPES else content
            return reply(transform(model, data, content_type, wanted), wanted)
        except Exception as error:
            traceback.print_exc()
            return failure(error)

    serve(listener, invoke)


if __name__ == "__main__":
    main()
