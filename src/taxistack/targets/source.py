"""Where the flows of a stack load month files from, and how that place is served."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from taxi_etl.month import Month
from taxistack.errors import MissingError
from taxistack.kestra import KestraClient
from taxistack.sources import Source, in_words

NAMESPACE = "taxi"
Say = Callable[[str], None]


def silent(text: str) -> None:
    """For callers without a console."""


class Sourced(ABC):
    """What a target knows of the source that its flows load from."""

    @abstractmethod
    def kestra(self) -> KestraClient:
        """A client of the running Kestra."""

    @abstractmethod
    def check_source(self, source: Source) -> None:
        """Whether `source` names month files for this target. Raises UsageError when not."""

    @abstractmethod
    def source_url(self, source: Source) -> str:
        """The base URL by which the flows read `source`; nothing is changed for it."""

    @abstractmethod
    def serve(self, source: Source) -> None:
        """Have that URL answer with the source's files; done when all else is checked."""

    @property
    @abstractmethod
    def serves_samples(self) -> bool:
        """Whether the deployed flows load generated sample months."""

    @abstractmethod
    def moved_source(self, deployed: str) -> str:
        """The URL of a deployed source as it is now: a local release site may have moved."""

    @abstractmethod
    def pushing(self, url: str) -> AbstractContextManager[None]:
        """Surrounds the push of a source's URL: one that is cut off leaves no unknown URL."""

    @abstractmethod
    def publish_samples(self, months: Iterable[tuple[str, Month]], say: Say) -> int:
        """Where samples are served, make those of `months` that are not there yet; how many."""

    @property
    def source(self) -> str:
        """The base URL that the deployed flows load from (KV pair `source`)."""
        value = self.kestra().kv.get(NAMESPACE, "source")
        if not value:
            raise MissingError(
                "the flows are not deployed: KV pair `source` is missing",
                hint="invoke deploy-flows",
            )
        return str(value)

    @property
    def source_words(self) -> str:
        """The source of the deployed flows as a person would name it."""
        return in_words(self.source)

    @property
    def source_seen_from_here(self) -> bool:
        """Whether the flows share this machine's network: what is silent here is silent there."""
        return True
