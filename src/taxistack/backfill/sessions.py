"""The operator's own connections as sessions of the destinations, and their errors as ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from google.auth.exceptions import GoogleAuthError

from taxi_etl import destinations
from taxi_etl.destinations import Destination
from taxi_etl.errors import ConnectionLost, EtlError
from taxistack.backfill.context import BackfillContext
from taxistack.errors import FailedError

Read = TypeVar("Read")


@contextmanager
def opened(
    context: BackfillContext, destination: str, what: str
) -> Iterator[tuple[Destination[Any], Any]]:
    """A destination and a session of it. `what`: the thing that is worked on, for the message.

    Raises FailedError when the destination refuses or does not answer; Google's own error
    about credentials.
    """
    module = destinations.get(destination)
    try:
        with (
            module.explaining(f"the {module.title} {what}"),
            SESSIONS[destination](context) as session,
        ):
            yield module, session
    except EtlError as error:
        if isinstance(error.__cause__, GoogleAuthError):
            raise error.__cause__ from None  # the command's edge knows what to say of credentials
        raise FailedError(str(error)) from error


def read_from(
    context: BackfillContext,
    destination: str,
    what: str,
    read: Callable[[Destination[Any], Any], Read],
) -> Read:
    """The result of `read` on a session; tried once more when the connection is lost on the way.

    `what` and errors: see `opened`.
    """
    try:
        with opened(context, destination, what) as (place, session):
            return read(place, session)
    except FailedError as error:
        if not isinstance(error.__cause__, ConnectionLost):
            raise
    with opened(context, destination, what) as (place, session):
        return read(place, session)


def _warehouse(context: BackfillContext) -> AbstractContextManager[Any]:
    from taxi_etl.destinations.bigquery import Warehouse
    from taxi_etl.destinations.bigquery_sql import Place

    outputs = context.outputs
    place = Place(
        project=outputs.project,
        dataset=outputs.dataset,
        location=outputs.location,
        maximum_bytes_billed=context.maximum_bytes_billed,
    )
    return nullcontext(Warehouse(context.bigquery(), place))


SESSIONS: Mapping[str, Callable[[BackfillContext], AbstractContextManager[Any]]] = {
    "bigquery": _warehouse,
    "postgres": lambda context: context.postgres(),
}
"""How a session of each destination is made from what a target hands out."""
