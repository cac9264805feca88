"""The zones with the most pickups in a range of months: one aggregating query for each series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from taxi_etl.month import Month
from taxi_etl.schema import TAXIS, Taxi
from taxi_etl.zones import Zone
from taxistack import zones
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.sessions import read_from

MOST = 10


@dataclass(frozen=True)
class Pickups:
    """The pickups of one series at one location. `zone`: None where its id is on no list."""

    taxi: str
    location_id: str | None
    zone: Zone | None
    trips: int
    revenue: Decimal | None
    """In dollars; None where the series measures nothing."""

    @property
    def name(self) -> str:
        """The zone for people."""
        if self.location_id is None:
            return "no location"
        return f"{self.zone.zone}, {self.zone.borough}" if self.zone else self.location_id


def busiest(
    context: BackfillContext,
    destination: str,
    taxis: Iterable[str],
    start: Month,
    end: Month,
) -> dict[str, list[Pickups]]:
    """By series: the ten locations with the most pickups in the files of a range, busiest first.

    Without the table of zones the ids stand alone. Raises FailedError when the destination does
    not answer.
    """
    names = zones.read(context, destination) or {}
    by_series = {}
    for name in taxis:
        taxi = TAXIS[name]
        ask = partial(_READ[destination], taxi=taxi, start=start, end=end)
        rows = read_from(context, destination, f"table {taxi.table}", ask)
        by_series[name] = [_pickups(taxi, names, *row) for row in rows]
    return by_series


def _pickups(
    taxi: Taxi, names: Mapping[str, Zone], location: str | None, trips: int, revenue: Any
) -> Pickups:
    measured = Decimal(revenue or 0) if taxi.measure else None
    return Pickups(taxi.name, location, names.get(location or ""), trips, measured)


def _column(taxi: Taxi) -> str:
    return next(column.name for column in taxi.columns if column.name.lower() == "pulocationid")


def _bigquery(_: object, session: Any, taxi: Taxi, start: Month, end: Month) -> Iterable[Any]:
    from google.api_core.exceptions import NotFound
    from google.cloud import bigquery

    from taxi_etl.destinations.bigquery_sql import date_literal

    place = session.place
    measure = f"SUM({taxi.measure})" if taxi.measure else "NULL"
    query = (
        f"SELECT {_column(taxi)} AS location, COUNT(*) AS trips, {measure} AS revenue "  # noqa: S608
        f"FROM {place.table(taxi.table)} "
        f"WHERE source_month BETWEEN {date_literal(start)} AND {date_literal(end)} "
        f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST}"
    )
    config = bigquery.QueryJobConfig(maximum_bytes_billed=place.maximum_bytes_billed)
    try:
        job = session.client.query(query, job_config=config, location=place.location)
        return [row.values() for row in job.result()]
    except NotFound:
        return []


def _postgres(_: object, session: Any, taxi: Taxi, start: Month, end: Month) -> Iterable[Any]:
    from psycopg import errors, sql

    from taxi_etl.destinations import postgres_sql

    measure: sql.Composable = sql.SQL("NULL::numeric")
    if taxi.measure:
        measure = sql.SQL("sum({}::numeric)").format(sql.Identifier(taxi.measure.lower()))
    query = sql.SQL(
        "SELECT {location}, count(*), {measure} FROM {table} "
        "WHERE source_month BETWEEN %s AND %s GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {most}"
    ).format(
        location=sql.Identifier(_column(taxi).lower()),
        measure=measure,
        table=postgres_sql.name(taxi.table),
        most=sql.Literal(MOST),
    )
    try:
        with session.transaction():  # else a missing table would end the caller's
            return list(session.execute(query, [start.first_day, end.first_day]))
    except errors.UndefinedTable:
        return []


_READ = {"bigquery": _bigquery, "postgres": _postgres}
