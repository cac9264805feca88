"""A text is the same NUMERIC by the short way as by DuckDB's own cast, or is refused the same."""

import duckdb
import pytest
import sqlglot
from hypothesis import example, given
from hypothesis import strategies as st
from sqlglot.dialects.duckdb import DuckDB

from localcloud import warehouse_numbers

OWN = "CAST(x AS DECIMAL(38, 9))"
TEXTS = st.from_regex(
    r"[ +-]?[0-9]{0,14}(\.[0-9]{0,22})?([eE][+-]?[0-9]{1,2})?[ x]?", fullmatch=True
) | st.text("0123456789.,-+eE_ ", max_size=12)


@pytest.fixture(scope="module", autouse=True)
def adapted():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("datatype_sql", "cast_sql"):
            patch.setattr(DuckDB.Generator, name, getattr(DuckDB.Generator, name))
        # What another test has generated before keeps the methods of then.
        patch.setattr("sqlglot.generator._DISPATCH_CACHE", {})
        warehouse_numbers.adapt()
        yield


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        yield made


def translated(expression):
    return sqlglot.parse_one(f"SELECT {expression}", read="bigquery").sql("duckdb")[7:]


def answer(connection, expression, text):
    query = f"SELECT {expression} FROM (SELECT ?::VARCHAR AS x)"
    try:
        return connection.execute(query, [text]).fetchone()[0]
    except duckdb.ConversionException as error:
        return str(error).splitlines()[0]


@given(text=TEXTS)
@example(text="999999999.9999999995")
@example(text="-0.0000000005")
@example(text="1e30")
@example(text="9" * 29)
@example(text="5087819.05390324133532e3")  # the two casts differ here, in the last digits
def test_a_text_is_the_same_number_both_ways(connection, text):
    short = translated("CAST(NULLIF(x, '') AS NUMERIC)")
    own = OWN.replace("x", "NULLIF(x, '')")
    assert short != own
    assert answer(connection, short, text) == answer(connection, own, text)


@pytest.mark.parametrize(
    "expression",
    ["CAST(x AS NUMERIC)", "CAST(NULLIF(x, y) AS NUMERIC)", "SAFE_CAST(NULLIF(x, '') AS NUMERIC)"],
)
def test_what_may_be_no_text_is_cast_as_it_stands(expression):
    told = translated(expression)
    assert "DECIMAL(38, 9)" in told
    assert "18" not in told
