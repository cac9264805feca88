"""The list of zones: what is read out of a file, and what is refused."""

from __future__ import annotations

import csv
import io

import pytest

from taxi_etl import sample, zones
from taxi_etl.errors import BadFile, WrongUse
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS
from taxistack.zones import LIST, publish

HEADER = b'"LocationID","Borough","Zone","service_zone"\r\n'


def test_the_list_that_goes_with_the_samples_is_the_published_one(real_months):
    assert LIST.read_bytes() == (real_months / zones.FILE).read_bytes()


def test_every_zone_is_read_as_it_is_written():
    found = zones.read(LIST.read_bytes())
    assert [one.location_id for one in found] == [str(number) for number in range(1, 266)]
    assert found[0].values() == ("1", "EWR", "Newark Airport", "EWR")
    assert found[263].values() == ("264", "Unknown", "NV", "N/A"), "N/A is a text, no null"


@pytest.mark.parametrize("taxi", sorted(TAXIS))
def test_every_location_of_a_sample_month_is_on_the_list(taxi):
    known = {one.location_id for one in zones.read(LIST.read_bytes())} | {""}
    text = b"".join(sample.text(TAXIS[taxi], Month(2019, 1), 2000)).decode()
    for row in csv.DictReader(io.StringIO(text)):
        places = {value for name, value in row.items() if name.lower().endswith("locationid")}
        assert places <= known


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1"),
        (b"id,name\r\n1,x\r\n", "line 1: the columns are id,name"),
        (HEADER, "no zone"),
        (HEADER + b'1,"EWR","Newark Airport"\r\n', "line 2: 3 fields"),
        (HEADER + b'01,"EWR","Newark Airport","EWR"\r\n', "line 2: LocationID '01'"),
        (HEADER + b'x,"EWR","Newark Airport","EWR"\r\n', "line 2: LocationID 'x'"),
        (HEADER + b'1,"EWR","A","EWR"\r\n1,"EWR","B","EWR"\r\n', "line 3: LocationID 1"),
        (HEADER + b'1,"EWR","","EWR"\r\n', "line 2: Zone is empty"),
        (HEADER + b'1,"EWR","\xff","EWR"\r\n', "UTF-8"),
        (HEADER + b'1,"EWR","open,"EWR"\r\n', "CSV"),
        (b"x" * (zones.MOST_BYTES + 1), "no list of zones"),
    ],
)
def test_what_is_no_list_of_zones_is_refused_with_its_line(content, reason):
    with pytest.raises(BadFile, match=reason):
        zones.read(content)


def test_the_file_stands_beside_the_months_of_a_site():
    assert zones.url("https://example.org/download/") == (
        "https://example.org/download/misc/taxi_zone_lookup.csv"
    )
    with pytest.raises(WrongUse, match="http"):
        zones.url("ftp://example.org")


def test_a_list_that_is_there_is_left_alone(tmp_path):
    made = publish(tmp_path)
    assert made == tmp_path / zones.PATH
    made.write_text("mine")
    assert publish(tmp_path) is None
    assert made.read_text() == "mine"
