"""Athena's SQL as text → a parsed statement with its parameters filled in. Nothing is read or run here."""

# pyright: reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
# (sqlglot exports its names through star imports)

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokens import Token, TokenType

from local.aws.athena.errors import InvalidRequestError, QueryFailedError

_STATEMENTS = (
    *("ALTER", "ANALYZE", "CALL", "COMMENT", "COMMIT", "CREATE", "DEALLOCATE", "DELETE", "DENY", "DESC", "DESCRIBE"),
    *("DROP", "EXECUTE", "EXPLAIN", "GRANT", "INSERT", "MERGE", "PREPARE", "REFRESH", "RESET", "REVOKE", "ROLLBACK"),
    *("SET", "SHOW", "START", "TRUNCATE", "UNLOAD", "UPDATE", "USE"),
)
_QUERIES = ("SELECT", "WITH", "VALUES", "TABLE", "(")
_CATALOG_STATEMENTS = ("CREATE", "DROP", "ALTER", "SHOW", "DESCRIBE", "DESC", "MSCK")

_PROPERTY = re.compile(r"(\w+)\s*=\s*'([^']*)'")
_UNLOAD_TO = re.compile(
    r"\s*TO\s*'(?P<target>[^']+)'\s*WITH\s*\(\s*(?P<properties>{0}(\s*,\s*{0})*)\s*\)[\s;]*".format(
        r"\w+\s*=\s*'[^']*'"
    ),
    re.IGNORECASE,
)

_dialect = Trino()


class _Parser(TrinoParser):
    """Trino's grammar, in which every `?` remembers its place in the text: values are given in that order."""

    PLACEHOLDER_PARSERS = {  # noqa: RUF012 - sqlglot reads it from the class
        **TrinoParser.PLACEHOLDER_PARSERS,
        TokenType.PLACEHOLDER: lambda self: self.expression(exp.Placeholder(this=str(self._prev.start))),
    }


@dataclass
class Statement:
    """A statement that Athena took.

    `query` is the tree of a SELECT, alone or in an UNLOAD, and None for a statement about the catalog. `properties`: of an
    UNLOAD, by their lower-case names.
    """

    text: str
    kind: str  # SELECT, UNLOAD or CATALOG
    query: exp.Expr | None = None
    target: str = ""  # s3://…, of an UNLOAD
    properties: dict[str, str] = field(default_factory=dict)

    def position(self, node: exp.Expr | None) -> str:
        """`line 1:15` of a node in the text, as Athena's messages begin."""
        starts = [
            part.meta["start"]
            for part in (node.walk() if node is not None else ())
            if isinstance(part, exp.Identifier) and "start" in part.meta
        ]
        return _line_and_column(self.text, min(starts, default=0))

    def tables(self) -> list[exp.Table]:
        """The tables of the catalog that the query names, without its own WITH names. In the order of the text."""
        if self.query is None:
            return []
        found: dict[int, exp.Table] = {}
        for scope in traverse_scope(self.query):
            for source in scope.sources.values():
                if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
                    found[id(source)] = source
        return sorted(found.values(), key=lambda table: table.this.meta.get("start", 0))


def parse(text: str) -> Statement:
    """Read a statement. Raises InvalidRequestError (MALFORMED_QUERY) as StartQueryExecution does for a syntax error."""
    try:
        tokens = _dialect.tokenize(text)
    except TokenError as error:
        raise InvalidRequestError(f"line 1:1: {error}", "MALFORMED_QUERY") from None
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        tokens.pop()
    first = tokens[0].text.upper() if tokens else "<EOF>"
    if first in _QUERIES:
        return Statement(text, "SELECT", _parse_query(tokens, text))
    if first == "UNLOAD":
        return _parse_unload(tokens, text)
    if first in _CATALOG_STATEMENTS:
        return Statement(text, "CATALOG")
    if first in _STATEMENTS:
        raise InvalidRequestError("Queries of this type are not supported", "MALFORMED_QUERY")
    expected = ", ".join(f"'{word}'" for word in _STATEMENTS)
    place = _line_and_column(text, tokens[0].start if tokens else len(text))
    found = tokens[0].text if tokens else "<EOF>"
    raise InvalidRequestError(f"{place}: mismatched input '{found}'. Expecting: {expected}, <query>", "MALFORMED_QUERY")


def bind(statement: Statement, values: list[str]) -> None:
    """Put the ExecutionParameters in the places of the `?`, in order. Raises QueryFailedError if their number is wrong.

    As observed on Athena: a value that reads as an expression without names is that expression, anything else is the
    text itself; values for a query without any `?` are ignored.
    """
    if statement.query is None:
        return
    places = sorted(
        (node for node in statement.query.find_all(exp.Placeholder) if (node.name or "").isdigit()),
        key=lambda node: int(node.name),
    )
    if not places:
        return
    if len(places) != len(values):
        raise QueryFailedError(
            f"line 1:1: Incorrect number of parameters: expected {len(places)} but found {len(values)}",
            "INVALID_PARAMETER_USAGE",
        )
    for place, value in zip(places, values, strict=True):
        place.replace(_parameter(value))


def _parameter(value: str) -> exp.Expr:
    """The tree of one value: whatever it says, it stays one operand where it stands."""
    as_text = exp.Literal.string(value)
    try:
        trees = _dialect.parse(value)
    except SqlglotError:
        return as_text
    tree = trees[0] if len(trees) == 1 else None
    if tree is None or tree.find(exp.Identifier, exp.Query, exp.Command, exp.Placeholder, exp.Star):
        return as_text
    if isinstance(tree, (exp.Literal, exp.Null, exp.Boolean, exp.Cast)):
        return tree
    return exp.Paren(this=tree) if isinstance(tree, exp.Condition) else as_text


def _parse_query(tokens: list[Token], text: str) -> exp.Expr:
    try:
        trees = [tree for tree in _Parser(dialect=_dialect).parse(list(tokens), text) if tree is not None]
    except ParseError as error:
        raise _malformed(error, text) from None
    if len(trees) != 1:
        raise InvalidRequestError("Only one sql statement is allowed. Got: " + text, "MALFORMED_QUERY")
    query = trees[0]
    if not isinstance(query, exp.Query):
        raise InvalidRequestError("Queries of this type are not supported", "MALFORMED_QUERY")
    for table in query.find_all(exp.Table):
        # FROM read_csv('…') is DuckDB's, not Trino's: its grammar has names there, or TABLE(…).
        if not isinstance(table.this, exp.Identifier):
            place = Statement(text, "SELECT").position(table)
            raise InvalidRequestError(f"{place}: mismatched input '('. Expecting: ',', <EOF>", "MALFORMED_QUERY")
    return query


def _parse_unload(tokens: list[Token], text: str) -> Statement:
    """UNLOAD (query) TO 's3://…' WITH (name = 'value', …): docs.aws.amazon.com/athena/latest/ug/unload.html"""
    depth = end = 0
    while (depth or not end) and end + 1 < len(tokens):
        end += 1
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(tokens[end].token_type, 0)
    if end < 2 or depth or tokens[2].text.upper() not in _QUERIES:
        wrong = tokens[min(end, 2)] if end > 1 else tokens[-1]
        raise InvalidRequestError(
            f"{_line_and_column(text, wrong.start)}: mismatched input '{wrong.text}'. Expecting: '(' <query> ')'",
            "MALFORMED_QUERY",
        )
    place = tokens[end].end + 1
    tail = _UNLOAD_TO.fullmatch(text, place)
    if tail is None:
        raise InvalidRequestError(
            f"{_line_and_column(text, place)}: mismatched input. Expecting: TO '<location>' WITH (<property> = '<value>')",
            "MALFORMED_QUERY",
        )
    properties = {name.lower(): value for name, value in _PROPERTY.findall(tail["properties"])}
    return Statement(text, "UNLOAD", _parse_query(tokens[2:end], text), tail["target"], properties)


def _malformed(error: ParseError, text: str) -> InvalidRequestError:
    detail = error.errors[0] if error.errors else {}
    word = str(detail.get("highlight") or "<EOF>")
    ended = not str(detail.get("end_context") or "").strip() and re.search(
        rf"{re.escape(word)}\s*;?\s*$", text, re.IGNORECASE
    )
    line, column = detail.get("line") or 1, detail.get("col") or 1
    if ended and "missing" in str(detail.get("description")):
        # The text ends where something should follow.
        place, word = _line_and_column(text, len(text)), "<EOF>"
    else:
        place = f"line {line}:{max(1, int(column) - len(word) + 1)}"
    return InvalidRequestError(f"{place}: mismatched input '{word}'", "MALFORMED_QUERY")


def _line_and_column(text: str, offset: int) -> str:
    before = text[:offset]
    return f"line {before.count(chr(10)) + 1}:{offset - before.rfind(chr(10))}"
