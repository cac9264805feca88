"""NUMERIC in the warehouse: what it is in BigQuery, and read from text in a tenth of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp

_NUMERIC = "DECIMAL(38, 9)"


def adapt() -> None:
    """Have the emulator say NUMERIC so to DuckDB."""
    from sqlglot.dialects.duckdb import DuckDB

    generator: Any = DuckDB.Generator
    usual_type, usual_cast = generator.datatype_sql, generator.cast_sql

    def datatype_sql(self: Any, expression: exp.DataType) -> str:
        # The bare word has 18 digits and 3 decimals: the rest would be cut off without a word
        usual: str = usual_type(self, expression)
        return _NUMERIC if usual == "DECIMAL" else usual

    def cast_sql(self: Any, expression: exp.Cast, safe_prefix: str | None = None) -> str:
        usual: str = usual_cast(self, expression, safe_prefix)
        if usual.endswith(f" AS {_NUMERIC})") and not safe_prefix and _is_text(expression.this):
            return _of_text(self.sql(expression.this), usual)
        return usual

    generator.datatype_sql, generator.cast_sql = datatype_sql, cast_sql


def _is_text(value: exp.Expression) -> bool:
    """Whether it is `NULLIF(column, 'text')`: then the column is text, and cheap to name twice."""
    from sqlglot import exp

    return (
        isinstance(value, exp.Nullif)
        and isinstance(value.this, exp.Column)
        and isinstance(value.expression, exp.Literal)
        and value.expression.is_string
    )


def _of_text(text: str, usual: str) -> str:
    """The cast of a text: by numbers of 64 bits where these hold it, else the `usual` one.

    DuckDB takes ten times as long to read a number of 128 bits. Both have nine decimals and round
    alike, but for texts with an exponent: those are read the long way.
    """
    plain = f"NOT CONTAINS({text}, 'e') AND NOT CONTAINS({text}, 'E')"
    short = f"CAST(TRY_CAST({text} AS DECIMAL(18, 9)) AS {_NUMERIC})"
    return f"COALESCE(CASE WHEN {plain} THEN {short} END, {usual})"
