"""Destinations: each is one module behind one protocol, found by its name.

A destination holds the taxis' tables and the ledger of their loads. What is asked of it takes a
session; a step opens its own (`connect`, from the environment), the kit brings one that it made.
A module is imported when it is asked for: its libraries are nothing to another destination's
process.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from taxi_etl.compare import TableMonth
    from taxi_etl.facts import Facts
    from taxi_etl.ledger import Entry
    from taxi_etl.month import Month
    from taxi_etl.schema import Kind, Taxi

Session = TypeVar("Session")

MODULES: dict[str, str] = {
    "bigquery": "taxi_etl.destinations.bigquery",
    "postgres": "taxi_etl.destinations.postgres",
}
"""Where each destination's `DESTINATION` is, by the name that flags, flows and labels have."""


@dataclass(frozen=True)
class Order:
    """One month to load: from the lake object of `facts`, for that attempt of an execution.

    `work` is a folder for temporary files; nothing is left in it.
    """

    taxi: Taxi
    month: Month
    facts: Facts
    execution_id: str
    attempt: int
    work: Path
    started: datetime


class Destination(Protocol[Session]):
    """One kind of destination; it keeps nothing between calls."""

    title: str
    """Its name for people."""
    types: Mapping[Kind, str]
    """Its types, as its SQL writes them."""

    def connect(self) -> AbstractContextManager[Session]:
        """A step's own session, with the place from the environment. Raises WrongUse."""

    def explaining(self, what: str) -> AbstractContextManager[None]:
        """Within it the library's errors become Busy, Transient or LoadFailed, naming `what`."""

    def create(self, session: Session) -> None:
        """Make the tables, the ledger and its view where they are missing; safe in parallel."""

    def replace(self, session: Session, order: Order) -> str:
        """Replace that month by the lake object and note it in the ledger, all or nothing.

        Returns the id of the job. Raises LakeConflict when the lake does not hold that object
        any more, LoadFailed, Busy, or the library's errors.
        """

    def months(
        self, session: Session, taxi: Taxi, first: Month, last: Month, *, duplicates: bool = False
    ) -> dict[Month, TableMonth]:
        """The months of a range that have rows; empty without a table.

        `duplicates`: also count identical rows, which reads every column.
        """

    def entries(self, session: Session, first: Month, last: Month) -> list[Entry]:
        """The current ledger row of each taxi and month of a range; empty without a ledger."""

    def record(self, session: Session, entry: Entry) -> None:
        """Append a row to the ledger."""


def get(name: str) -> Destination[Any]:
    """The destination of that name. Raises KeyError for one that is not in MODULES."""
    return cast(Destination[Any], importlib.import_module(MODULES[name]).DESTINATION)
