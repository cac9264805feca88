"""The zones on the operator's side: the copy that goes with the samples, their names, the busiest.

`taxi_zone_lookup.csv` is the TLC's list of zones (public facts), as the course's releases have it;
samples are generated, what a location id means is not.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from taxi_etl import zones
from taxi_etl.zones import Zone, tables
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.sessions import read_from
from taxistack.backfill.state import DESTINATIONS

FLOW = "taxi_zones"
LIST = Path(__file__).parent / zones.FILE


def publish(folder: Path) -> Path | None:
    """Put the list beside the months of a release folder; None when the folder has one already."""
    path = folder / zones.PATH
    if path.exists():
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    shutil.copyfile(LIST, part)
    return part.replace(path)


def read(context: BackfillContext, destination: str) -> dict[str, Zone] | None:
    """The zones that a destination has, by location id; None when they are not loaded.

    Raises FailedError when the destination does not answer.
    """
    rows = read_from(
        context,
        destination,
        f"table {zones.TABLE}",
        lambda _, session: tables.read(destination, session),
    )
    return None if rows is None else {zone.location_id: zone for zone in rows}


def are_loaded(context: BackfillContext) -> bool:
    """Whether every destination has them."""
    return all(read(context, destination) for destination in DESTINATIONS)
