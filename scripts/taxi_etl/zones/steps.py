"""The two steps of the zones: release site to lake, lake to a destination's table."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import google_crc32c

from taxi_etl import destinations, download, google_clients, lake, zones
from taxi_etl.errors import BadFile, LakeConflict, NotEqual
from taxi_etl.release import shown
from taxi_etl.site import Site
from taxi_etl.zones import Zone, tables

_MOST_NAMED = 3


def extract(source: str, bucket: str, work: Path, *, replace: bool) -> dict[str, object]:
    """Download, check and upload the file; `published: false` when the site does not have it.

    Raises SourceUnreachable, SourceRefused, BadFile or LakeConflict; the lake is untouched then.
    """
    address = zones.url(source)
    with tempfile.TemporaryDirectory(prefix="zones-", dir=work) as folder:
        path = Path(folder) / zones.FILE
        with Site(base=source) as http:
            remote = download.fetch(http, address, path)
        if remote is None:
            return {"published": False, "url": shown(address)}
        content = path.read_bytes()
        try:
            listed = zones.read(content)
        except BadFile as error:
            raise BadFile(f"{shown(address)}: {error}. Nothing was loaded") from error
        stored = lake.publish(
            google_clients.storage_client(),
            bucket,
            zones.OBJECT,
            path,
            _crc32c(content),
            replace=replace,
            content_type="text/csv",
        )
    return {
        "published": True,
        "url": shown(address),
        "rows": len(listed),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bucket": bucket,
        "object": stored.uri,
        "generation": str(stored.generation),
    }


def load(destination: str, bucket: str, generation: int, work: Path) -> dict[str, object]:
    """Replace the destination's table by that generation of the lake's file, and compare them.

    Raises LakeConflict, LoadFailed, Busy or Transient; NotEqual when the table is not the file.
    """
    with tempfile.TemporaryDirectory(prefix="zones-", dir=work) as folder:
        path = Path(folder) / zones.FILE
        client = google_clients.storage_client()
        stored = lake.download(client, bucket, zones.OBJECT, generation, path)
        content = path.read_bytes()
    if _crc32c(content) != stored.crc32c:
        raise LakeConflict(f"{stored.uri} arrived damaged: run it again")
    expected = zones.read(content)
    place: destinations.Destination[Any] = destinations.get(destination)
    with place.explaining(f"table {zones.TABLE}"), place.connect() as session:
        tables.replace(destination, session, expected, stored.uri)
        present = tables.read(destination, session) or ()
    if differences := _differences(expected, present):
        raise NotEqual(f"{zones.TABLE} in {place.title} is not its file: {differences}")
    return {"rows": len(present), "table": zones.TABLE}


def _differences(expected: tuple[Zone, ...], present: tuple[Zone, ...]) -> str:
    """What differs, in words, a few rows by name; empty when nothing does."""
    if sorted(expected) == sorted(present):
        return ""
    lacking, odd = sorted({*expected} - {*present}), sorted({*present} - {*expected})
    named = [f"without {','.join(zone.values())}" for zone in lacking[:_MOST_NAMED]]
    named += [f"with {','.join(zone.values())}" for zone in odd[:_MOST_NAMED]]
    return "; ".join([f"{len(present)} rows, the file has {len(expected)}", *named])


def _crc32c(content: bytes) -> str:
    """As Cloud Storage writes it."""
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
