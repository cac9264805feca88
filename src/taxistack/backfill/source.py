"""The source as it answers now: which months are published, how long, under which ETag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from requests.adapters import BaseAdapter
from tenacity import Retrying, retry_if_exception_type, wait_exponential

from taxi_etl import download, release
from taxi_etl.errors import EtlError, SourceSilent, SourceUnreachable
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxi_etl.site import Site
from taxistack.backfill.state import SourceFile

PARALLEL = 8
ATTEMPTS = 3
PATIENCE = 30.0
"""Seconds that a site may ask to wait (Retry-After) before a question is left open."""
File = tuple[str, Month]


def look(
    base_url: str,
    files: Iterable[File],
    loaded: Mapping[File, Sequence[Entry]] | None = None,
    transport: BaseAdapter | None = None,
    pace: download.Pace | None = None,
) -> dict[File, SourceFile]:
    """Ask for every (taxi, month) once, at most 8 at a time.

    `loaded`: what a month was loaded as, in each destination; where the source's marks differ
    from it, the bytes are compared. Never raises for what the source does: a file that can't be
    told has `published` None and says why in `problem`. A site that does not answer at all is
    not waited for file by file: after the first ones the rest are not asked. Raises WrongUse for
    a bad base.
    """
    wanted = sorted(set(files))
    if not wanted:
        return {}
    release.check_base(base_url)
    with Site(transport, base_url) as http, ThreadPoolExecutor(PARALLEL) as pool:
        site = _Look(http, base_url, loaded or {}, pace or download.Pace())
        looks = pool.map(lambda file: site.look_at(*file), wanted)
        return dict(zip(wanted, looks, strict=True))


class _Look:
    """The release site during one look; its threads share what they have learned of it."""

    def __init__(
        self,
        http: Site,
        base_url: str,
        loaded: Mapping[File, Sequence[Entry]],
        pace: download.Pace,
    ) -> None:
        self._http = http
        self._base = base_url
        self._loaded = loaded
        self._pace = pace
        self._answers = False
        self._silence: str | None = None

    def look_at(self, taxi: str, month: Month) -> SourceFile:
        """Ask for one file, unless the site is known to be silent."""
        url = release.url(self._base, taxi, month)
        if self._silence and not self._answers:
            return SourceFile(taxi, month, url, None, problem=self._silence, silent=True)
        try:
            remote = self._ask(url, self._loaded.get((taxi, month), ()))
        except EtlError as error:
            silent = isinstance(error, SourceSilent)
            if silent:
                self._silence = self._silence or str(error)
            else:
                self._answers = True
            return SourceFile(taxi, month, url, None, problem=str(error), silent=silent)
        self._answers = True
        if remote is None:
            return SourceFile(taxi, month, url, False)
        return SourceFile(
            taxi, month, url, True, length=remote.length, etag=remote.etag, sha256=remote.sha256
        )

    def _ask(self, url: str, loaded: Sequence[Entry]) -> download.Remote | None:
        retrying = Retrying(
            retry=retry_if_exception_type(SourceUnreachable),
            stop=lambda state: state.attempt_number >= ATTEMPTS or state.upcoming_sleep > PATIENCE,
            wait=download.patient(wait_exponential(multiplier=0.2, max=2)),
            sleep=self._pace.sleep,
            reraise=True,
        )
        return retrying(download.ask_of, self._http, url, *loaded)
