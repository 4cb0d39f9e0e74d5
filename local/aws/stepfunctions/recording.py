"""Writes down every expression that executions evaluate: LOCAL_CLOUD_RECORDING names the file. Off without it.

Each line is a JSON object with `expression`, `bindings` (the machine's variables and `states`, whose context names
machine and state) and `result`, or `error` if it gave none. `python -m tests.contract.record` makes test data of it.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

VARIABLE = "LOCAL_CLOUD_RECORDING"
_writing = threading.Lock()

Evaluate = Callable[[str, dict[str, Any]], Any]


def recorded(evaluate: Evaluate) -> Evaluate:
    """The function itself or, where a recording is wanted, one that also writes down what it was asked and answers."""
    path = os.environ.get(VARIABLE)
    if not path:
        return evaluate

    def writing(expression: str, bindings: dict[str, Any]) -> Any:
        line = {"expression": expression, "bindings": bindings}
        try:
            line["result"] = evaluate(expression, bindings)
        except Exception as error:
            line["error"] = str(error)
            raise
        finally:
            text = json.dumps(line, default=str)
            with _writing, Path(path).open("a", encoding="utf-8") as file:
                file.write(text + "\n")
        return line["result"]

    return writing
