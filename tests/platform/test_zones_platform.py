"""The zones through their flow: into both destinations, compared, replaced when that is asked."""

from __future__ import annotations

import json

from taxi_etl import zones as etl
from taxi_etl.month import Month
from taxistack import zones
from taxistack.backfill.state import DESTINATIONS
from taxistack.commands import zones as command
from taxistack.console import Console

MONTH = "2009-05"  # no other test loads it


def run(platform, code: int = 0, **inputs: str) -> dict:
    flags = [text for pair in inputs.items() for text in ("--input", "=".join(pair))]
    done = platform.invoke("run", zones.FLOW, *flags, "--json", code=code)
    return {**json.loads(done.stdout), "stderr": done.stderr}


def test_a_source_without_zones_ends_as_warning(platform):
    assert not (platform.releases / etl.PATH).exists()
    assert run(platform)["state"] == "WARNING"


def test_both_tables_are_the_file_and_follow_it_when_asked(platform, zones_list):
    expected = {one.location_id: one for one in etl.read(zones.LIST.read_bytes())}
    ran = run(platform)
    assert (ran["state"], ran["outputs"]) == ("SUCCESS", {"rows": "265"})
    assert zones.are_loaded(platform.target)
    for destination in DESTINATIONS:
        assert zones.read(platform.target, destination) == expected

    changed = zones.LIST.read_bytes().replace(b"Alphabet City", "Ábc | \u201cCity\u201d".encode())
    zones_list.write_bytes(changed)
    refused = run(platform, code=1)
    assert "the lake holds other bytes" in refused["stderr"]
    for destination in DESTINATIONS:
        assert zones.read(platform.target, destination) == expected

    assert run(platform, replace="true")["state"] == "SUCCESS"
    for destination in DESTINATIONS:
        found = zones.read(platform.target, destination)
        assert found["4"].zone == "Ábc | \u201cCity\u201d"
        assert len(found) == len(expected)
    zones_list.write_bytes(zones.LIST.read_bytes())
    run(platform, replace="true")


def test_the_report_names_the_busiest_zones(platform, zones_list, tmp_path):
    for taxi in ("yellow", "green"):
        platform.publish(taxi, Month.parse(MONTH), 200)
    platform.invoke("backfill", "--start", MONTH, "--end", MONTH)
    command.load(platform.target, Console())
    platform.invoke("verify", "--start", MONTH, "--end", MONTH, "--report", str(tmp_path))
    names = {f"{one.zone}, {one.borough}" for one in etl.read(zones.LIST.read_bytes())}
    lines = (tmp_path / "report.md").read_text().split("## Busiest pickup zones of green")[1]
    told = [line.split(" | ")[0].removeprefix("| ") for line in lines.splitlines()[4:14]]
    assert len(told) == 10
    assert set(told) <= names
    assert "Busiest pickup zones" in (tmp_path / "index.html").read_text()
    assert "zones are not loaded" not in (tmp_path / "index.html").read_text()
