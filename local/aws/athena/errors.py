"""The two ways in which Athena says no: a request it refuses at once, and a query that it took and that failed.

Wordings and numbers are those observed on Athena engine version 3.
"""

from __future__ import annotations

INTERNAL_ERROR, INTERNAL_ERROR_TYPE = 1, 200
USER_ERROR = 2

# AthenaError.ErrorType by the name that begins the message; names whose number is not known have 1000.
_ERROR_TYPES = {
    "COLUMN_NOT_FOUND": 1006,
    "CATALOG_NOT_FOUND": 1006,
    "TYPE_MISMATCH": 1002,
    "DIVISION_BY_ZERO": 1001,
    "INVALID_CAST_ARGUMENT": 1100,
    "NOT_SUPPORTED": 1200,
    "TABLE_NOT_FOUND": 1301,
    "SCHEMA_NOT_FOUND": 1301,
    "FUNCTION_NOT_FOUND": 1303,
}
_OTHER_ERROR_TYPE = 1000


class InvalidRequestError(Exception):
    """Answered with InvalidRequestException; no query comes into being.

    `code` is the answer's AthenaErrorCode: INVALID_INPUT, MALFORMED_QUERY, QUERY_EXECUTION_NOT_FOUND and so on.
    """

    def __init__(self, message: str, code: str = "INVALID_INPUT") -> None:
        super().__init__(message)
        self.code = code


class QueryFailedError(Exception):
    """Ends a query as FAILED; the message becomes its StateChangeReason."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(f"{name}: {message}" if name else message)
        self.error_type = _ERROR_TYPES.get(name, _OTHER_ERROR_TYPE)


class QueryCancelledError(Exception):
    """Ends a query as CANCELLED, with the message as its StateChangeReason."""


class NotOursError(Exception):
    """A request for MiniStack: about the catalog, or a query that it keeps."""
