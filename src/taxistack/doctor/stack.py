"""The stack in the project: where the settings put it, where it is, and how its VM boots."""

from __future__ import annotations

from taxistack.doctor.check import Check, Found
from taxistack.doctor.surroundings import Surroundings
from taxistack.google import Api, DisabledApiError, NotFoundError
from taxistack.google.vm import Vm, inputs_hash

_PARTS = {"US": "us-", "EU": "europe-"}  # multi-region -> how its regions' names begin


def location(here: Surroundings) -> Check:
    """Zone, region and data in one part of the world: what goes between is billed, and slow."""
    region, zone = here.settings.region, here.settings.zone
    place = here.settings.location or region
    if zone and zone.rpartition("-")[0] != region:
        return Check(
            "location",
            Found.WRONG,
            f"zone {zone} is not in region {region}",
            "a zone of the region",
            f"export INVOKE_TAXISTACK_ZONE={region}-b (or the region of that zone)",
        )
    near = place.lower() == region or region.startswith(_PARTS.get(place.upper(), "\0"))
    return Check.of(
        "location",
        near,
        f"VM in {region}, data in {place}",
        "the data in the VM's region",
        f"export INVOKE_TAXISTACK_LOCATION={region}",
    )


def data(here: Surroundings) -> Check:
    """The lake cannot move: one that is there says what the setting must be."""
    chosen = here.settings
    lake = f"{chosen.project}-{chosen.name}-lake"
    try:
        bucket = here.google.get(Api.STORAGE, f"b/{lake}", doing=f"the lake gs://{lake}")
    except NotFoundError:
        return Check("data", Found.OK, "no lake yet")
    there = str(bucket.get("location", "")).upper()
    wanted = (chosen.location or chosen.region).upper()
    spelt = there if there in _PARTS else there.lower()
    return Check.of(
        "data",
        there == wanted,
        f"gs://{lake} is in {there}",
        f"setting location: {spelt}, not {chosen.location or chosen.region}",
        f"export INVOKE_TAXISTACK_LOCATION={spelt} (or invoke down: another location is another "
        "stack)",
    )


def server(here: Surroundings) -> Check:
    """The VM, when there is one: it runs, and its boot script says `healthy`."""
    vm, zone = f"{here.settings.name}-kestra", here.settings.zone or f"{here.settings.region}-b"
    path = f"projects/{here.project}/zones/{zone}/instances/{vm}"
    try:
        instance = here.google.get(Api.COMPUTE, path, doing=f"looking at {vm}")
    except DisabledApiError:
        return Check("server", Found.OK, "no VM: Compute Engine is off")
    except NotFoundError:
        return Check("server", Found.OK, f"no VM {vm} in {zone}: nothing is up")
    status = str(instance.get("status", "?"))
    if status != "RUNNING":
        return Check("server", Found.WRONG, f"{vm} is {status}", "a VM that runs", "invoke up")
    items = instance.get("metadata", {}).get("items", [])
    wanted = inputs_hash({item["key"]: item.get("value", "") for item in items})
    return _boot(here, Vm(here.google, here.project, zone, vm), zone, wanted)


def _boot(here: Surroundings, vm: Vm, zone: str, wanted: str) -> Check:
    """What infra/kestra/boot.sh wrote last, beside the settings that it should have read."""
    report = vm.report()
    word, _, rest = report.partition(" ")
    if word == "healthy":
        said = "is healthy" if rest == wanted else "runs with older settings"
        needed = "a boot with those of now"
        return Check.of("server", rest == wanted, f"{vm.name} {said}", needed, "invoke up")
    if word.rstrip(":") in ("failed", "degraded"):  # it did not come up, or with an older image
        log = (
            f"gcloud compute ssh {vm.name} --tunnel-through-iap --zone {zone} "
            f"--project {here.project} -- sudo journalctl --unit google-startup-scripts"
        )
        said = f"the boot of {vm.name}: {report}"
        return Check("server", Found.WRONG, said, "a healthy boot", log)
    said = f"{vm.name} is still at {report or 'the beginning of its boot'}"
    wait = "wait some minutes and run invoke doctor again"
    return Check("server", Found.UNKNOWN, said, "a boot that has ended", wait)
