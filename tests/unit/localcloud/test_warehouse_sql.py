"""A table declared and filled in one statement: what the rewritten text does in DuckDB itself."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from bqemulator.domain.errors import InvalidQueryError
from bqemulator.sql.rewriter.create_table_schema_ctas import rewrite_create_table_schema_ctas

from localcloud.warehouse_sql import (
    _parse_once,
    _refuse_external_tables,
    _without_parentheses,
)

# As dbt writes it for a model with a contract
CONTRACT = """
create or replace table `t` (id INT64 not null, amount NUMERIC, name STRING)
partition by name OPTIONS(expiration_timestamp=null)
as (
  select id, amount, name
  from (
    with known as (select {} as id, 2 as amount, null as name) select * from known
  ) as model_subq
);
"""


def run(text: str) -> tuple[list[tuple], list[str]]:
    """The rows and the columns' types of the table that the statement makes."""
    rewritten = rewrite_create_table_schema_ctas(_without_parentheses(text))
    (statement,) = sqlglot.transpile(rewritten, read="bigquery", write="duckdb")
    with duckdb.connect() as connection:
        connection.execute(statement)
        found = connection.execute("SELECT * FROM t")
        return found.fetchall(), [str(one[1]) for one in found.description]


def test_a_model_with_a_contract_gets_its_types():
    rows, types = run(CONTRACT.format("'7'"))
    assert [(id_, int(amount), name) for id_, amount, name in rows] == [(7, 2, None)]
    assert types[0] == "BIGINT"
    assert types[2] == "VARCHAR"


def test_a_null_in_a_required_column_is_refused():
    with pytest.raises(duckdb.Error, match="Required field id cannot be null"):
        run(CONTRACT.format("null"))


def test_a_union_in_parentheses_is_taken():
    assert run("create table t (a INT64) as (select 1 union all select 2)")[0] == [(1,), (2,)]


@pytest.mark.parametrize(
    "text",
    [
        "create table t (a INT64, b INT64) as (select 1)",
        "create table t (a INT64) as (select * from (select 1 as a, 2 as b))",
        "create table t (a INT64 not null) as (select 1 union all select null)",
    ],
)
def test_what_can_not_be_rewritten_is_refused_and_not_done_otherwise(text):
    with pytest.raises(duckdb.Error):
        run(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "CREATE TABLE t AS (SELECT 1 AS a)",
        "CREATE TABLE t (a INT64 NOT NULL)",
        "select (",
        "DECLARE x INT64; CREATE TABLE t (a INT64) AS (SELECT 1)",
    ],
)
def test_any_other_text_stays_as_it_is(text):
    assert _without_parentheses(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "CREATE EXTERNAL TABLE t OPTIONS (format = 'CSV', uris = ['gs://b/o'])",
        "-- over the lake\n/* all\n of it */ create external table t (a INT64)",
        "\n create or replace external\ntable t (a INT64) OPTIONS (format = 'CSV')",
    ],
)
def test_an_external_table_is_refused_and_not_made_empty(text):
    with pytest.raises(InvalidQueryError, match="no external tables"):
        _refuse_external_tables(text)
    _refuse_external_tables("CREATE TABLE external (a INT64)")


def test_a_statement_is_parsed_once_and_each_asker_gets_its_own(monkeypatch):
    asked = []
    usual = sqlglot.parse_one

    def parse_one(sql, **how):
        asked.append(sql)
        return usual(sql, **how)

    monkeypatch.setattr(sqlglot, "parse_one", parse_one)
    _parse_once()
    first = sqlglot.parse_one("SELECT a", read="bigquery")
    first.selects[0].replace(sqlglot.exp.column("b"))
    assert sqlglot.parse_one("SELECT a", read="bigquery").sql() == "SELECT a"
    assert sqlglot.parse_one("SELECT a", read="duckdb").sql() == "SELECT a"
    assert asked == ["SELECT a", "SELECT a"]
