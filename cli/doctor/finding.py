"""What a check found, and how a check that may not look says so."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

Status = Literal["ok", "warning", "problem", "could not check"]

_DENIED = re.compile(r"AccessDenied|AccessDeniedException|UnauthorizedOperation|AuthorizationError|NotAuthorized|403$")
# What an API answers that does not have the operation: the local cloud has not all of AWS.
_UNKNOWN = re.compile(
    r"UnknownOperation|InvalidAction|NotImplemented|UnknownService|UnsupportedOperation|(400|404|501)$"
)
_ACTION = re.compile(r"perform:? ([a-z0-9-]+:\w+)")


@dataclass(frozen=True)
class Finding:
    """One line of the answer: what was looked at, how it is, and what to do if it is not as it must be."""

    check: str
    status: Status
    message: str
    remedy: str | None = None

    def document(self) -> dict[str, Any]:
        """The line as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Check:
    """A question to AWS. `ask` answers with its findings; `actions` are the IAM actions that it calls."""

    name: str
    actions: tuple[str, ...]
    ask: Callable[[], Iterable[Finding]]

    def findings(self) -> list[Finding]:
        """The findings, or the one that it could not be checked: no check stops another."""
        try:
            return list(self.ask())
        except (ClientError, BotoCoreError) as error:
            return [unseen(self.name, error, self.actions)]
        except Exception as error:  # an answer in another form than documented must not hide the other checks
            return [Finding(self.name, "could not check", f"{type(error).__name__}: {error}")]


def unseen(check: str, error: ClientError | BotoCoreError, actions: Sequence[str]) -> Finding:
    """The finding that something could not be looked at, with the permission that is missing if that is the reason."""
    if not isinstance(error, ClientError):
        missing = isinstance(error, EndpointConnectionError)
        return Finding(check, "could not check", f"nothing answers ({error})" if missing else str(error))
    code = error.response.get("Error", {}).get("Code", "")
    if _DENIED.match(code):
        return Finding(check, "could not check", f"needs {_needed(error, actions)}")
    if os.environ.get("AWS_ENDPOINT_URL") and _UNKNOWN.match(code):
        return Finding(check, "could not check", "not here: the local cloud does not have it")
    return Finding(check, "could not check", str(error))


def _needed(error: ClientError, actions: Sequence[str]) -> str:
    """The action that was denied: the error's own word, else the check's by the operation, else all of the check's."""
    named = _ACTION.findall(str(error))
    if named:
        return named[0]
    called = [action for action in actions if action.split(":")[1] == error.operation_name]
    return ", ".join(called or actions)
