"""What a backfill needs of a target: a seam, so that planning and watching never name one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import psycopg
    from google.cloud import bigquery, storage

    from taxistack.kestra import KestraClient


class StackOutputs(Protocol):
    """The part of a stack's outputs that is read here."""

    @property
    def bucket(self) -> str:
        """The lake."""

    @property
    def dataset(self) -> str:
        """The warehouse's dataset that holds the tables and the ledger."""

    @property
    def project(self) -> str:
        """The Google Cloud project, or the local cloud's name for one."""

    @property
    def location(self) -> str:
        """Where the dataset is, as BigQuery names it."""


class BackfillContext(Protocol):
    """The target object as this package sees it."""

    @property
    def outputs(self) -> StackOutputs:
        """Bucket, dataset, project and location of the stack that is up."""

    @property
    def source(self) -> str:
        """The base URL that the deployed flows load from."""

    @property
    def source_words(self) -> str:
        """That source as a person would name it."""

    @property
    def serves_samples(self) -> bool:
        """Whether that source is generated sample months."""

    @property
    def maximum_bytes_billed(self) -> int | None:
        """The cap of one BigQuery statement in bytes; None where nothing is billed."""

    def kestra(self) -> KestraClient:
        """A client of the running Kestra."""

    def was_stopped(self) -> bool:
        """Whether somebody stopped what Kestra runs on: it does not come back by itself."""

    def bigquery(self) -> bigquery.Client:
        """A client of the warehouse."""

    def postgres(self) -> psycopg.Connection[Any]:
        """A new connection to PostgreSQL; the caller closes it."""

    def storage(self) -> storage.Client:
        """A client of the lake."""
