"""Runs a query: names resolved in Glue, Parquet read from S3, both as the caller; the SQL itself runs in DuckDB."""

# pyright: reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
# (sqlglot exports its names through star imports)

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from local.aws.athena import catalog
from local.aws.athena.analysis import analyse
from local.aws.athena.caller import Caller
from local.aws.athena.catalog import DataFile, Table
from local.aws.athena.errors import QueryFailedError
from local.aws.athena.reading import Run, read_table, schema_of
from local.aws.athena.statement import Statement

_MEMORY = "1GB"  # of the engine, which uses the disk for more
_ROWS_AT_ONCE = 1 << 17


@dataclass(frozen=True)
class Rows:
    """A query's rows: their names and types, and the rows themselves in parts, once."""

    schema: pa.Schema
    parts: Iterator[pa.Table]


@contextmanager
def execute(statement: Statement, database: str | None, run: Run) -> Iterator[Rows]:
    """The query's rows, which are computed while they are read. Raises QueryFailedError or QueryCancelledError, then too.

    Column names are lower case, as Athena's are. Tables, and what the engine sorts and counts, lie on the disk.
    """
    query = statement.query
    assert query is not None
    tree = query.copy()
    tables = _resolve(statement, tree, database, run.caller)
    _name_columns(tree)
    _literals_as_athena(tree)
    analysis = analyse(statement, tree, tables)
    sql = tree.sql(dialect="duckdb")
    with (
        tempfile.TemporaryDirectory(prefix="athena-") as name,
        duckdb.connect(
            ":memory:", config={"threads": 2, "memory_limit": _MEMORY, "temp_directory": name}
        ) as connection,
    ):
        run.interrupt = connection.interrupt
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET integer_division = true")  # 10 / 4 is 2 in Trino
        # Planned against empty tables first: a query that cannot run reads nothing, as on Athena.
        for table_name, table in tables.items():
            connection.register(table_name, schema_of(table, None).empty_table())
        _plan(connection, sql, statement)
        files = {table_name: catalog.list_files(run.caller, table) for table_name, table in tables.items()}
        _load(connection, tables, files, analysis.columns, run, Path(name))
        try:
            result = connection.sql(sql)
        except duckdb.BinderException:
            # The analysis left out a column that the query does use.
            _load(connection, tables, files, dict.fromkeys(tables), run, Path(name))
            result = connection.sql(sql)
        yield _rows(result, statement, run)


def _load(
    connection: duckdb.DuckDBPyConnection,
    tables: dict[str, Table],
    files: dict[str, list[DataFile]],
    columns: dict[str, set[str] | None],
    run: Run,
    folder: Path,
) -> None:
    run.scanned = 0
    for name, table in tables.items():
        connection.register(name, read_table(table, files[name], columns[name], run, folder))
    run.check()


def _rows(result: duckdb.DuckDBPyRelation, statement: Statement, run: Run) -> Rows:
    wide = [f"CAST(#{i + 1} AS BIGINT)" if kind == "HUGEINT" else f"#{i + 1}" for i, kind in enumerate(result.types)]
    names = [name.lower() for name in result.columns]
    # Trino adds up integers as bigint, DuckDB as hugeint.
    wanted = result.project(", ".join(wide)) if "HUGEINT" in result.types else result
    with _failing(statement, run):
        reader = wanted.to_arrow_reader(_ROWS_AT_ONCE)

    def batches() -> Iterator[pa.Table]:
        with _failing(statement, run):
            for batch in reader:
                run.check()
                yield pa.Table.from_batches([batch]).rename_columns(names)

    return Rows(pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)]), batches())


@contextmanager
def _failing(statement: Statement, run: Run) -> Iterator[None]:
    """Errors of the engine as those of Athena. While rows are read they come as Arrow's, with the engine's message."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        run.check()
        raise _failure(error, statement) from None


def _resolve(statement: Statement, tree: exp.Expr, database: str | None, caller: Caller) -> dict[str, Table]:
    """Give every catalog table in the tree an internal name; its own becomes its alias."""
    copy = Statement(statement.text, statement.kind, tree)
    tables: dict[str, Table] = {}
    for node in copy.tables():
        place = statement.position(node)
        catalog_name, schema, name = node.catalog.lower(), (node.db or database or "").lower(), node.name.lower()
        if catalog_name not in ("", "awsdatacatalog"):
            raise QueryFailedError(f"{place}: Catalog '{node.catalog}' does not exist", "CATALOG_NOT_FOUND")
        if not schema:
            raise QueryFailedError(
                f"{place}: Schema must be specified when session schema is not set", "MISSING_SCHEMA_NAME"
            )
        internal = (
            next((key for key, table in tables.items() if (table.database, table.name) == (schema, name)), "")
            or f"t{len(tables)}"
        )
        tables.setdefault(internal, catalog.find_table(caller, schema, name, place))
        alias = node.alias or node.name
        node.set("this", exp.to_identifier(internal))
        node.set("db", None)
        node.set("catalog", None)
        if not node.args.get("alias"):
            node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
    for column in tree.find_all(exp.Column):
        column.set("db", None)
        column.set("catalog", None)
    return tables


def _name_columns(tree: exp.Expr) -> None:
    """Columns without a name are called _col0, _col1, … by their position."""
    outermost = tree
    while isinstance(outermost, (exp.SetOperation, exp.Subquery)):
        outermost = outermost.this
    if isinstance(outermost, exp.Select):
        for index, item in enumerate(outermost.expressions):
            if not isinstance(item, (exp.Alias, exp.Column, exp.Star, exp.Dot)):
                item.replace(exp.alias_(item.copy(), f"_col{index}"))


def _literals_as_athena(tree: exp.Expr) -> None:
    """Athena takes 1.5 for a double, DuckDB for a decimal."""
    for literal in list(tree.find_all(exp.Literal)):
        if not literal.is_string and "." in literal.this and not isinstance(literal.parent, exp.Cast):
            literal.replace(exp.cast(literal.copy(), "double"))


def _plan(connection: duckdb.DuckDBPyConnection, sql: str, statement: Statement) -> None:
    try:
        connection.sql(sql)
    except duckdb.Error as error:
        raise _failure(error, statement) from None


def _failure(error: Exception, statement: Statement) -> QueryFailedError:
    """DuckDB's error in Athena's words where they are known."""
    message = str(error)
    column = re.search(r'column (?:named )?"([^"]+)"(?: not found|\s*$)', message) or re.search(
        r'Referenced table "([^"]+)" not found', message
    )
    if column:
        node = _mention(statement, column[1])
        name = ".".join(part.name for part in node.parts) if node else column[1]
        return QueryFailedError(
            f"{statement.position(node)}: Column '{name.lower()}' cannot be resolved or requester is not authorized to "
            "access requested resources",
            "COLUMN_NOT_FOUND",
        )
    function = re.search(r"Function with name (\S+) does not exist", message)
    if function:
        place = re.search(rf"\b{re.escape(function[1])}\s*\(", statement.text, re.IGNORECASE)
        before = statement.text[: place.start() if place else 0]
        line = f"line {before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
        return QueryFailedError(f"{line}: Function '{function[1].lower()}' not registered", "FUNCTION_NOT_FOUND")
    first_line = message.split("\n", 1)[0]
    if first_line.startswith("Conversion Error: "):
        return QueryFailedError(first_line.removeprefix("Conversion Error: "), "INVALID_CAST_ARGUMENT")
    return QueryFailedError(re.sub(r"^\w+ Error: ", "", first_line), "GENERIC_USER_ERROR")


def _mention(statement: Statement, name: str) -> exp.Column | None:
    columns = statement.query.find_all(exp.Column) if statement.query is not None else ()
    matching = [column for column in columns if name.lower() in (column.name.lower(), column.table.lower())]
    return min(matching, key=lambda column: column.this.meta.get("start", 0), default=None)
