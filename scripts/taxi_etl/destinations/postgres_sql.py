"""The SQL of the Postgres tables: one partition a month, by the month of the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg import sql

from taxi_etl.month import Month
from taxi_etl.schema import (
    LEDGER,
    LEDGER_COLUMNS,
    LEDGER_VIEW,
    TAXIS,
    Column,
    Kind,
    Taxi,
    table_columns,
)

SCHEMA = "public"
Query = sql.Composed
TYPES: Mapping[Kind, str] = {
    Kind.TEXT: "text",
    Kind.TIME: "timestamp",
    Kind.WHOLE: "integer",
    Kind.CODE: "integer",
    Kind.NUMBER: "double precision",
    Kind.DIGEST: "text",
    Kind.DAY: "date",
    Kind.MOMENT: "timestamptz",
    Kind.COUNT: "bigint",
    Kind.EXACT: "numeric",
}
"""PostgreSQL's type for each kind of column."""


def name(table: str) -> sql.Identifier:
    """A table, quoted and with its schema."""
    return sql.Identifier(SCHEMA, table)


def column(of: Column) -> sql.Identifier:
    """A column, in lower case: the course writes its names without quotes."""
    return sql.Identifier(of.name.lower())


def create_tables() -> dict[str, sql.Composed]:
    """The statements that make each table and view, by its name, in order."""
    statements = {taxi.table: _create_trips(taxi) for taxi in TAXIS.values()}
    statements[LEDGER] = sql.SQL("CREATE TABLE {} ({})").format(
        name(LEDGER), _definitions(LEDGER_COLUMNS)
    )
    statements[LEDGER_VIEW] = sql.SQL(
        "CREATE VIEW {} AS SELECT DISTINCT ON (taxi, month) * FROM {} "
        "ORDER BY taxi, month, loaded_at DESC"
    ).format(name(LEDGER_VIEW), name(LEDGER))
    return statements


def _create_trips(taxi: Taxi) -> sql.Composed:
    return sql.SQL(
        "CREATE TABLE {table} ({columns}) PARTITION BY LIST (source_month); "
        "CREATE INDEX {index} ON {table} ({pickup})"
    ).format(
        table=name(taxi.table),
        columns=_definitions(table_columns(taxi)),
        index=sql.Identifier(f"{taxi.table}_pickup"),
        pickup=sql.Identifier(taxi.pickup.lower()),
    )


def _definitions(columns: Iterable[Column]) -> sql.Composed:
    # source_month is not null in parent and partition: part of what ATTACH wants proven
    return sql.SQL(", ").join(
        sql.SQL("{} {}{}").format(
            column(each),
            sql.SQL(TYPES[each.kind]),
            sql.SQL(" NOT NULL" if each.name == "source_month" else ""),
        )
        for each in columns
    )


def partition(taxi: Taxi, month: Month) -> str:
    """The table that is that month's partition."""
    return f"{taxi.table}_{month.year:04d}_{month.number:02d}"


def create_partition(taxi: Taxi, month: Month, filename: str, table: str) -> sql.Composed:
    """A table that can become the month's partition without a scan.

    What is the same in every row comes from column defaults, so that COPY need not carry it;
    the check constraint proves the partition bound to ATTACH.
    """
    day = sql.Literal(month.first_day)
    return sql.SQL(
        "CREATE TABLE {table} ({columns}, CHECK (source_month = {day})); "
        "ALTER TABLE {table} ALTER filename SET DEFAULT {filename}, "
        "ALTER source_month SET DEFAULT {day}, ALTER loaded_at SET DEFAULT now()"
    ).format(
        table=name(table),
        columns=_definitions(table_columns(taxi)),
        day=day,
        filename=sql.Literal(filename),
    )


def copy_rows(taxi: Taxi, table: str) -> sql.Composed:
    """COPY of an id and the row's fields, as `postgres_rows` writes them."""
    names = [sql.Identifier("unique_row_id"), *(column(each) for each in taxi.columns)]
    # FREEZE: the table is new in this transaction, so its rows need no later clean-up
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary, FREEZE)").format(
        name(table), sql.SQL(", ").join(names)
    )


def finish_partition(taxi: Taxi, table: str) -> sql.Composed:
    """Index the new table and take the defaults away, which were for COPY only."""
    return sql.SQL(
        "CREATE INDEX ON {table} ({pickup}); ALTER TABLE {table} ALTER filename DROP DEFAULT, "
        "ALTER source_month DROP DEFAULT, ALTER loaded_at DROP DEFAULT"
    ).format(table=name(table), pickup=sql.Identifier(taxi.pickup.lower()))


def lock_for_swap(taxi: Taxi) -> sql.Composed:
    """Keep other swaps of this table out; readers are not hindered."""
    return sql.SQL("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE").format(name(taxi.table))


def is_attached(taxi: Taxi, month: Month) -> sql.Composed:
    """One row when the month's partition is part of the taxi's table, none otherwise."""
    return sql.SQL(
        "SELECT 1 FROM pg_inherits WHERE inhparent = to_regclass({}) AND inhrelid = to_regclass({})"
    ).format(f"{SCHEMA}.{taxi.table}", f"{SCHEMA}.{partition(taxi, month)}")


def swap(taxi: Taxi, month: Month, table: str, *, attached: bool) -> sql.Composed:
    """Make `table` the month's partition; the old one, which is `attached` or not, goes."""
    values = {
        "parent": name(taxi.table),
        "old": name(partition(taxi, month)),
        "new": name(table),
        "final": sql.Identifier(partition(taxi, month)),
        "day": sql.Literal(month.first_day),
    }
    detach = "ALTER TABLE {parent} DETACH PARTITION {old}; " if attached else ""
    return sql.SQL(
        detach + "DROP TABLE IF EXISTS {old}; ALTER TABLE {new} RENAME TO {final}; "
        "ALTER TABLE {parent} ATTACH PARTITION {old} FOR VALUES IN ({day})"
    ).format(**values)


def insert_ledger(loaded_at: str) -> sql.Composed:
    """One ledger row; parameters are its values in order. `loaded_at`: how the last one is set."""
    return sql.SQL("INSERT INTO {} ({}) VALUES ({}, {})").format(
        name(LEDGER),
        sql.SQL(", ").join(map(column, LEDGER_COLUMNS)),
        sql.SQL(", ").join([sql.Placeholder()] * (len(LEDGER_COLUMNS) - 1)),
        sql.SQL(loaded_at),
    )


def month_facts(taxi: Taxi, *, duplicates: bool) -> sql.Composed:
    """What the table says of each month. Parameters: the first days of the range's ends.

    Its columns are source_month and the fields of `TableMonth` in order. A double precision
    number has at most 15 significant digits in these files, so its cast to numeric gives back
    the decimal number of the file, and the sum is exact.
    """
    same = sql.SQL("count(*) - count(DISTINCT ({}))").format(
        sql.SQL(", ").join(map(column, taxi.columns))
    )
    measure = sql.Identifier(taxi.measure.lower()) if taxi.measure else sql.SQL("0")
    block = [sql.SQL("{} IS NULL").format(sql.Identifier(name.lower())) for name in taxi.block]
    return sql.SQL(
        "SELECT source_month, count(*), sum({measure}::numeric), count(DISTINCT unique_row_id), "
        "sum(('x' || substr(unique_row_id, 1, 9))::bit(36)::bigint), "
        "count(*) FILTER (WHERE {pickup} IS NULL), "
        "count(*) FILTER (WHERE date_trunc('month', {pickup}) <> source_month), "
        "count(*) FILTER (WHERE {block}), count(*) FILTER (WHERE {measure} < 0), {duplicates} "
        "FROM {table} WHERE source_month BETWEEN %s AND %s GROUP BY source_month"
    ).format(
        table=name(taxi.table),
        pickup=sql.Identifier(taxi.pickup.lower()),
        measure=measure,
        block=sql.SQL(" AND ").join(block),
        duplicates=same if duplicates else sql.SQL("NULL::bigint"),
    )


def ledger_rows() -> sql.Composed:
    """The last ledger row of each taxi and month. Parameters: the range's first days."""
    return sql.SQL("SELECT {} FROM {} WHERE month BETWEEN %s AND %s").format(
        sql.SQL(", ").join(map(column, LEDGER_COLUMNS)), name(LEDGER_VIEW)
    )
