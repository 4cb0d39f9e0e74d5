"""What a query needs and whether its types fit, read off its tree and the catalog before anything is loaded.

Best effort: sqlglot does not know every construct of Trino. Where it cannot decide, every column is needed and the types
are left to the engine.
"""

# pyright: reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
# (sqlglot exports its names through star imports)

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from local.aws.athena.catalog import Table
from local.aws.athena.errors import QueryFailedError
from local.aws.athena.statement import Statement

_SCHEMA = "loaded"
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_TEXT = exp.DataType.TEXT_TYPES
_NUMERIC = exp.DataType.NUMERIC_TYPES


@dataclass(frozen=True)
class Analysis:
    """`columns`: of each table, by its internal name, the columns that must be read; None for all of them."""

    columns: dict[str, set[str] | None]


def analyse(statement: Statement, tree: exp.Expr, tables: dict[str, Table]) -> Analysis:
    """Find the columns to read, and refuse comparisons of text with numbers as Trino does (TYPE_MISMATCH).

    `tree` names the tables by the keys of `tables`. DuckDB would convert one side silently, so a query could pass here
    and fail on AWS.
    """
    schema = {
        _SCHEMA: {
            name: {column.name: _sql_type(column.hive_type) for column in table.all_columns}
            for name, table in tables.items()
        }
    }
    try:
        qualified = qualify(tree.copy(), schema=schema, db=_SCHEMA, dialect="trino", quote_identifiers=True)
        qualified = annotate_types(qualified, schema=schema, dialect="trino")
        mismatch = _mismatch(qualified)
        pruned = pushdown_projections(qualified)
        needed: dict[str, set[str] | None] = {name: set() for name in tables}
        for scope in traverse_scope(pruned):
            for alias, source in scope.sources.items():
                if isinstance(source, exp.Table) and source.name in needed:
                    columns = needed[source.name]
                    assert columns is not None
                    columns.update(column.name.lower() for column in scope.columns if column.table == alias)
    except (SqlglotError, KeyError, AttributeError, TypeError, ValueError, AssertionError):
        return Analysis(dict.fromkeys(tables))
    if mismatch is not None:
        node, message = mismatch
        raise QueryFailedError(f"{statement.position(node)}: {message}", "TYPE_MISMATCH")
    return Analysis(needed)


def _mismatch(tree: exp.Expr) -> tuple[exp.Expr, str] | None:
    for node in tree.walk():
        if isinstance(node, _COMPARISONS) and _differ(node.this, node.expression):
            sign = {exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}[type(node)]
            return node, f"Cannot apply operator: {_name(node.this)} {sign} {_name(node.expression)}"
        if isinstance(node, exp.Between):
            low, high = node.args["low"], node.args["high"]
            if _differ(node.this, low) or _differ(node.this, high):
                return node, f"Cannot check if {_name(node.this)} is BETWEEN {_name(low)} and {_name(high)}"
    return None


def _differ(left: exp.Expr, right: exp.Expr) -> bool:
    kinds = [side.type.this if side.type is not None else None for side in (left, right)]
    return any(one in _TEXT and other in _NUMERIC for one, other in (kinds, kinds[::-1]))


def _name(node: exp.Expr) -> str:
    if isinstance(node, exp.Literal) and node.is_string:
        return f"varchar({len(node.this)})"
    return node.type.sql("trino").lower() if node.type is not None else "unknown"


def _sql_type(hive_type: str) -> str:
    return {"string": "varchar", "float": "real", "binary": "varbinary", "int": "integer"}.get(hive_type, hive_type)
