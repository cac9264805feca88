"""Where month files come from: the one reading of what a person writes, and one look at it.

A source is `sample`, `public`, a base address, or a folder; the flows build a month's address by
putting `<taxi>/<taxi>_tripdata_<month>.csv.gz` behind the base.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from taxi_etl import release
from taxi_etl.month import Month
from taxi_etl.surroundings import is_local
from taxistack.errors import MissingError, UsageError

PUBLIC_SOURCE = "https://github.com/DataTalksClub/nyc-tlc-data/releases/download"
"""The course's public release of the taxi CSV files (CSV edition of the TLC's records)."""

KINDS = "`sample`, `public`, an http or https address, or a folder"
SAMPLES_IN_WORDS = "the samples (generated here)"
TIMEOUT = httpx.Timeout(15.0, connect=5.0)
TRIES = 2
# A month that every release has; that one is asked for says whether there is a site at all.
ASKED = ("yellow", Month(2019, 1))

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?=/)")


@dataclass(frozen=True)
class Source:
    """A source as it was meant: `sample`, `public`, or one with an address or a folder."""

    text: str
    """What stands in the settings: the word, the address in its plain form, the whole path."""
    url: str | None = None
    """The base address; None for samples and folders, which the release site serves."""
    folder: Path | None = None

    @classmethod
    def parse(cls, text: str, said: str = "--source") -> Source:
        """Read a source; a relative folder is looked for from the current folder.

        `said`: the flag or setting, for the message. Whether it is there is not looked at. Raises
        UsageError with the rule that is broken; what could be a secret is not repeated.
        """
        if text != text.strip() or not text.isprintable() or not text:
            raise UsageError(
                f"{said} {text!r}: must be {KINDS}, with no blanks around it and on one line"
            )
        if text == "sample":
            return cls(text)
        if text == "public":
            return cls(text, url=PUBLIC_SOURCE)
        if _SCHEME.match(text):
            url = _address(text, said)
            return cls(url, url=url)
        try:
            folder = Path(text).expanduser().absolute().resolve()
        except (RuntimeError, OSError) as error:  # ~ of nobody; a loop of links
            raise UsageError(f"{said} {text}: {error}") from None
        return cls(str(folder), folder=folder)

    @property
    def words(self) -> str:
        """The source as a person would name it."""
        if self.folder:
            return f"folder {self.folder}"
        return in_words(self.url) if self.url else SAMPLES_IN_WORDS


def in_words(url: str) -> str:
    """A base address as a person would name it."""
    shown = release.shown(url)
    return f"the course's public releases ({shown})" if url == PUBLIC_SOURCE else shown


def _address(text: str, said: str) -> str:
    """The plain form of a base address: scheme and host in small letters, no slash at the end."""
    rule = release.broken_rule(text)
    if rule is None:
        try:
            httpx.URL(text)
        except httpx.InvalidURL as error:
            rule = f"not an address that can be asked: {error}"
    if rule:
        raise UsageError(
            f"{said} {release.shown(text)}: {rule}",
            hint="name a base below which the files can be read without a login or a signature, "
            "or a folder",
        )
    parts = urlsplit(text)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def require_answer(url: str, words: str, transport: httpx.BaseTransport | None = None) -> None:
    """Look at a source once, before anything is changed for it.

    Whatever it answers of the one month, it answers; only silence and 5xx are none. `words`: its
    name. Raises MissingError.
    """
    address = release.url(url, *ASKED)
    with httpx.Client(
        transport=transport, timeout=TIMEOUT, follow_redirects=True, trust_env=not is_local(url)
    ) as client:
        for left in reversed(range(TRIES)):
            reason = _silence(client, address)
            if reason is None:
                return
            if not left:
                raise MissingError(
                    f"no answer from {words}: {reason}; nothing was changed",
                    hint="the network, or another source: --source sample, a folder, an address",
                )


def _silence(client: httpx.Client, address: str) -> str | None:
    """Why there is no answer; None when there is one."""
    try:
        # The headers of a GET: some sites refuse HEAD. The body is not read.
        with client.stream("GET", address) as answer:
            status = answer.status_code
    except httpx.TimeoutException:
        return "no answer in time"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return f"it answers {status}" if status >= 500 else None
