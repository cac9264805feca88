"""SQL that the warehouse's emulator would refuse, rewritten into what it takes.

`CREATE TABLE t (columns) AS (SELECT …)` declares types and fills the table in one statement; dbt
writes it for every model with a contract. DuckDB has no such statement. The emulator turns
`… AS SELECT …` into casts, but not where the query stands in parentheses, and it forgets NOT NULL.
An external table it would make as an empty one: that is refused here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp

_EXTERNAL = re.compile(
    r"(?:\s|--[^\n]*\n|\#[^\n]*\n|/\*.*?\*/)*CREATE\s+(?:OR\s+REPLACE\s+)?EXTERNAL\s+TABLE\b",
    re.IGNORECASE | re.DOTALL,
)

_STATEMENTS = 64  # that are kept parsed: some at once, each asked for within milliseconds


def adapt() -> None:
    """Have the emulator rewrite these statements too."""
    from bqemulator.sql import translator

    usual = translator.rewrite_create_table_schema_ctas

    def rewritten(bq_sql: str) -> str:
        _refuse_external_tables(bq_sql)
        return usual(_without_parentheses(bq_sql))

    translator.rewrite_create_table_schema_ctas = rewritten
    _parse_once()


def _parse_once() -> None:
    """Have a statement parsed once and copied: the emulator parses each a dozen times over.

    A month's INSERT takes ten milliseconds each time, its copy one.
    """
    import sqlglot

    known = lru_cache(_STATEMENTS)(sqlglot.parse_one)

    def parse_one(sql: str, **how: Any) -> Any:
        return known(sql, **how).copy()

    names: Any = sqlglot  # what comes in does what is asked of it, and is of another type
    names.parse_one = parse_one


def _refuse_external_tables(text: str) -> None:
    from bqemulator.domain.errors import InvalidQueryError

    if _EXTERNAL.match(text):
        raise InvalidQueryError("the local warehouse has no external tables; Google's has")


def _without_parentheses(text: str) -> str:
    """The statement with its query bare and its NOT NULL in it; any other text as it is."""
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(text, read="bigquery")
    except sqlglot.errors.ParseError:
        return text  # the emulator itself says what is wrong with it
    if not isinstance(tree, exp.Create) or not isinstance(tree.this, exp.Schema):
        return text
    query = tree.expression
    while isinstance(query, exp.Subquery) and _only_parentheses(query):
        query = query.this
    columns = [
        expression for expression in tree.this.expressions if isinstance(expression, exp.ColumnDef)
    ]
    if isinstance(query, exp.Select) and len(columns) == len(query.expressions):
        query.set("expressions", [*map(_required, columns, query.expressions)])
    elif not isinstance(query, exp.Union) or any(map(_is_required, columns)):
        return text  # what the emulator can't rewrite either is refused by DuckDB
    tree.set("expression", query)
    return tree.sql(dialect="bigquery")


def _only_parentheses(query: exp.Subquery) -> bool:
    return not any(value for name, value in query.args.items() if name != "this")


def _is_required(column: exp.ColumnDef) -> bool:
    from sqlglot import exp

    return any(
        isinstance(constraint.kind, exp.NotNullColumnConstraint)
        for constraint in column.constraints
    )


def _required(column: exp.ColumnDef, projection: Any) -> Any:
    """The projection; of a column that is NOT NULL one that ends the statement at a null."""
    from sqlglot import exp

    if not _is_required(column):
        return projection
    value = projection.this if isinstance(projection, exp.Alias) else projection
    message = exp.Literal.string(f"Required field {column.name} cannot be null")
    failing = exp.Case(
        ifs=[
            exp.If(
                this=exp.Is(this=value.copy(), expression=exp.Null()),
                true=exp.Anonymous(this="ERROR", expressions=[message]),
            )
        ],
        default=value.copy(),
    )
    return exp.alias_(failing, column.name)
