"""The local target's month files: the release site, the folder that it serves, the samples."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from localcloud import LocalCloud, State
from taxi_etl import sample
from taxi_etl.month import Month
from taxi_etl.release import file_name
from taxistack import zones
from taxistack.console import counted
from taxistack.errors import MissingError, UsageError
from taxistack.sources import SAMPLES_IN_WORDS, Source
from taxistack.targets.base import Target
from taxistack.targets.source import Say

LAST_URL = "releases.url"
"""The note of where the release site was when the flows learnt of it."""
_MADE = ".made"  # the sample months and the zones that we wrote, a line each


class LocalSource(Target):
    """The part of the local target that knows where months come from."""

    @cached_property
    def cloud(self) -> LocalCloud:
        """The local cloud of this state folder, running or not."""
        return LocalCloud(self.settings.state / "cloud")

    def running(self) -> State:
        """The endpoints of the parts. Raises MissingError when the local cloud is stopped."""
        state = self.cloud.state()
        if state is None:
            raise MissingError(
                f"the local cloud in {self.settings.state} does not run",
                hint="invoke up (or `invoke start` after `invoke stop`)",
            )
        return state

    @property
    def _samples(self) -> Path:
        return self.settings.state / "releases"

    def check_source(self, source: Source) -> None:
        """A URL, a folder that is there, or `sample`: a folder that we fill."""
        if source.folder and not source.folder.is_dir():
            raise UsageError(
                f"--source {source.folder}: is neither `sample`, `public`, a URL nor a folder "
                "(a folder holds <taxi>/<taxi>_tripdata_<YYYY-MM>.csv.gz)"
            )

    def source_url(self, source: Source) -> str:
        """A folder and the samples are on the release site."""
        self.check_source(source)
        return source.url or self.running().releases.url

    def serve(self, source: Source) -> None:
        """Point the release site at the folder; `sample` is a folder that we fill."""
        if source.url is None:
            folder = source.folder or self._samples
            if folder == self._samples:
                folder.mkdir(parents=True, exist_ok=True)
                if (made := zones.publish(folder)) is not None:
                    self._note_made(made)
            self.cloud.serve(folder)

    @property
    def source_words(self) -> str:
        """The folder or the samples behind the release site's address."""
        if self.serves_samples:
            return SAMPLES_IN_WORDS
        if self.source == self.running().releases.url:
            return f"folder {self.cloud.release_folder}"
        return super().source_words

    @property
    def serves_samples(self) -> bool:
        """The source is the release site, and that serves the folder which we fill."""
        here = self.running().releases.url
        return self.source == here and self.cloud.release_folder == self._samples

    def moved_source(self, deployed: str) -> str:
        """A source on the release site follows it to its port of today.

        The release site is the only source on 127.0.0.1 whose port can change by itself: it
        is known by the URLs that it had when something was deployed.
        """
        return self.running().releases.url if deployed in self._own_urls() else deployed

    @contextlib.contextmanager
    def pushing(self, url: str) -> Iterator[None]:
        """Remember the release site's URL before the push, and forget the former one after it.

        A push that is cut off has left the one or the other: both are followed then.
        """
        own = {url} if url == self.running().releases.url else set()
        self._note_urls(self._own_urls() | own)
        yield
        self._note_urls(own)

    def served(self) -> dict[str, str]:
        """What the release site serves and where, for a backup."""
        return {"url": self.running().releases.url, "folder": str(self.cloud.release_folder)}

    def serve_again(self, formerly: dict[str, str]) -> None:
        """Serve what a backup's stack served, and know its release site's URL as this one's."""
        self._note_urls(self._own_urls() | {formerly["url"]})
        folder = Path(formerly["folder"])
        if folder == self._samples:
            folder.mkdir(parents=True, exist_ok=True)
        if folder.is_dir():
            self.cloud.serve(folder)

    @property
    def _url_note(self) -> Path:
        return self.state_dir / LAST_URL

    def _own_urls(self) -> set[str]:
        return set(self._url_note.read_text().split()) if self._url_note.exists() else set()

    def _note_urls(self, urls: set[str]) -> None:
        fresh = self._url_note.with_name(".releases.url.new")
        fresh.write_text("".join(f"{url}\n" for url in sorted(urls)))
        fresh.replace(self._url_note)

    def publish_samples(self, months: Iterable[tuple[str, Month]], say: Say) -> int:
        """Write the sample months that the release site does not have yet.

        Nothing when the flows load from anything else: those months are what they are.
        """
        if not self.serves_samples:
            return 0
        written = 0
        for taxi, month in months:
            target = self._samples / taxi / file_name(taxi, month)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                self._note_made(target)
                sample.write(target, taxi, month, self.settings.sample_rows)
                written += 1
        if written:
            made = counted(written, "sample month")
            say(
                f"made {made} of {counted(self.settings.sample_rows, 'row')}"
                + " each" * (written > 1)
            )
        return written

    def remove_samples(self) -> None:
        """The files that we made; a file of the user's stays."""
        made = self._samples / _MADE
        for line in made.read_text(encoding="utf-8").splitlines() if made.exists() else ():
            path = self._samples / line
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                path.parent.rmdir()
        made.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._samples.rmdir()

    def _note_made(self, path: Path) -> None:
        with (self._samples / _MADE).open("a", encoding="utf-8") as made:
            made.write(f"{path.relative_to(self._samples)}\n")
