"""Step extract: a month from the release site into the lake, checked on the way."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from taxi_etl import download, google_clients, lake, release
from taxi_etl.errors import NOTHING_LOADED, BadFile, SourceRefused
from taxi_etl.facts import Facts
from taxi_etl.inspection import Inspection, inspect
from taxi_etl.month import Month
from taxi_etl.schema import Taxi
from taxi_etl.site import Site


def extract(
    taxi: Taxi, month: Month, *, source: str, bucket: str, replace: bool, work: Path
) -> Facts | None:
    """Download, check and upload one month; None when the site does not have it.

    `work` is a folder for the file while it is looked at; nothing is left in it. Raises
    SourceUnreachable, SourceRefused, BadFile or LakeConflict; the lake is untouched then.
    """
    url = release.url(source, taxi.name, month)
    name = release.file_name(taxi.name, month)
    with tempfile.TemporaryDirectory(prefix="extract-", dir=work) as folder:
        path = Path(folder) / name
        try:
            with Site() as http:
                remote = download.fetch(http, url, path)
        except SourceRefused as error:
            raise SourceRefused(f"{error}. {NOTHING_LOADED}") from error
        if remote is None:
            return None
        facts = _inspected(path, url, taxi, month)
        stored = lake.publish(
            google_clients.storage_client(),
            bucket,
            release.object_name(taxi.name, month),
            path,
            facts.crc32c,
            replace=replace,
        )
    return Facts(
        filename=name,
        url=release.shown(url),
        etag=remote.etag,
        last_modified=remote.last_modified,
        source_bytes=facts.source_bytes,
        csv_bytes=facts.csv_bytes,
        sha256=facts.sha256,
        crc32c=facts.crc32c,
        rows=facts.rows,
        total_amount=facts.total_amount,
        bucket=bucket,
        object=stored.uri,
        generation=stored.generation,
    )


def _inspected(path: Path, url: str, taxi: Taxi, month: Month) -> Inspection:
    started = time.perf_counter()
    try:
        facts = inspect(path, taxi, month)
    except BadFile as error:
        raise BadFile(f"{release.shown(url)}: {error}. {NOTHING_LOADED}") from error
    seconds = time.perf_counter() - started
    print(  # noqa: T201
        f"{path.name}: {facts.rows} rows, {facts.source_bytes} bytes, checked in {seconds:.1f} s",
    )
    return facts
