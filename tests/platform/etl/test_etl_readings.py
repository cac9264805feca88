"""Every text that extract accepts is read by PostgreSQL and the warehouse as what it means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from taxi_etl.fields import RULES
from taxi_etl.schema import Kind

TWO = st.integers(0, 99).map("{:02d}".format)
YEARS = st.one_of(st.integers(1, 9999), st.integers(1960, 2040)).map("{:04d}".format)
CLOCKS = st.tuples(TWO, TWO, TWO).map(":".join)
DECIMALS = st.one_of(st.just(""), st.from_regex(r"\.[0-9]{0,8}", fullmatch=True))
TIMES = st.builds("{}-{}-{} {}{}".format, YEARS, TWO, TWO, CLOCKS, DECIMALS)
WHOLES = st.one_of(
    st.integers(-(2**33), 2**33).map(str), st.from_regex(r"-?0{0,3}[0-9]{1,12}", fullmatch=True)
)
NUMBERS = st.one_of(
    st.from_regex(r"-?[0-9]{0,17}(\.[0-9]{0,11})?", fullmatch=True),
    st.decimals(-(10**9), 10**9, places=2).map("{:f}".format),
)


def accepted(kind: Kind, texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Many texts of which the rule takes every one."""
    allowed = texts.filter(lambda text: bool(text) and RULES[kind].allows(text.encode()))
    return st.lists(allowed, min_size=1, max_size=60, unique=True)


def read(parts, kind: Kind, texts: list[str]) -> tuple[list, list]:
    """What each destination makes of them, in their order."""
    types = {
        Kind.TIME: ("timestamp", "TIMESTAMP"),
        Kind.WHOLE: ("integer", "INT64"),
        Kind.NUMBER: ("double precision", "NUMERIC"),
    }
    postgres, google = types[kind]
    listed = ", ".join(f"'{text}'" for text in texts)
    exact = "::numeric" if kind is Kind.NUMBER else ""
    ours = parts.query(
        "postgres",
        f"SELECT t::{postgres}{exact} FROM unnest(ARRAY[{listed}]) WITH ORDINALITY AS u(t, n) "
        "ORDER BY n",
    )
    theirs = parts.query(
        "bigquery",
        f"SELECT CAST(t AS {google}) FROM UNNEST([{listed}]) AS t WITH OFFSET AS n ORDER BY n",
    )
    return [row[0] for row in ours], [row[0] for row in theirs]


def same(value: object) -> object:
    """A moment of BigQuery's is in UTC, where PostgreSQL has none of a zone."""
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC).replace(tzinfo=None)
    return Decimal(value) if isinstance(value, Decimal) else value


MEANING: dict[Kind, Callable[[str], object]] = {
    Kind.TIME: datetime.fromisoformat,
    Kind.WHOLE: int,
    Kind.NUMBER: Decimal,
}


@pytest.mark.parametrize(
    ("kind", "texts"),
    [(Kind.TIME, TIMES), (Kind.WHOLE, WHOLES), (Kind.NUMBER, NUMBERS)],
    ids=["time", "whole number", "number"],
)
def test_every_text_that_a_rule_accepts_is_read_as_what_it_means(parts, kind, texts):
    @given(accepted(kind, texts))
    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    def check(drawn: list[str]) -> None:
        assume(drawn)
        ours, theirs = read(parts, kind, drawn)
        meant = list(map(MEANING[kind], drawn))
        assert list(map(same, ours)) == meant
        assert list(map(same, theirs)) == meant

    check()


@pytest.mark.parametrize("text", ["2012-01-06 10:00:00-05", "03-04-12 10:00:00"])
def test_what_is_refused_is_refused_for_a_reason(parts, text):
    """The two destinations do not read these alike: the rule is no matter of taste."""
    assert not RULES[Kind.TIME].allows(text.encode())
    ours, theirs = read(parts, Kind.TIME, [text])
    assert list(map(same, ours)) != list(map(same, theirs))
