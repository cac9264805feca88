"""Search parameters in Kestra 2.0's form, `filters[field][OP]=value`, and paged answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from taxistack.kestra.http import Http

Filters = list[tuple[str, str]]


def equals(field: str, value: str | None) -> Filters:
    """`field` = `value`; nothing when `value` is None."""
    return [] if value is None else [(f"filters[{field}][EQUALS]", value)]


def within(field: str, values: Iterable[str]) -> Filters:
    """`field` is one of `values`; nothing when there are none."""
    chosen = ",".join(values)
    return [(f"filters[{field}][IN]", chosen)] if chosen else []


def labelled(labels: Mapping[str, str]) -> Filters:
    """Every one of `labels` is set to its value."""
    return [(f"filters[labels][EQUALS][{key}]", value) for key, value in labels.items()]


def since(field: str, moment: datetime | None) -> Filters:
    """`field` at `moment` or later; the moment must carry a time zone."""
    if moment is None:
        return []
    if moment.tzinfo is None:
        raise ValueError(f"{field}: {moment} has no time zone")
    return [(f"filters[{field}][GREATER_THAN_OR_EQUAL_TO]", moment.isoformat())]


def pages(
    http: Http, path: str, step: str, filters: Filters, *, size: int, sort: str | None = None
) -> Iterator[dict[str, Any]]:
    """Every item of a `{results, total}` search, page after page, as the server orders them.

    Objects that appear while the pages are read can move items from one page to the next, so the
    caller drops what it has seen (`Executions.search` does).
    """
    order = [("sort", sort)] if sort else []
    number, seen = 1, 0
    while True:
        params = [("page", str(number)), ("size", str(size)), *order, *filters]
        answer = http.json(path, step, params)
        results = answer.get("results") or []
        yield from results
        seen += len(results)
        if not results or seen >= int(answer.get("total") or 0):
            return
        number += 1
