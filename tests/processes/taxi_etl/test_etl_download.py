import socket

import pytest

from taxi_etl import download
from taxi_etl.errors import SourceRefused, SourceUnreachable

AT_ONCE = download.Pace(sleep=lambda seconds: None)
BODY = bytes(range(256)) * 4000
PATH = "/green/f.csv.gz"


@pytest.fixture
def fetch(site, tmp_path):
    """Downloads the file without waiting between tries; gives its bytes, None if there is none."""
    site.files[PATH] = BODY

    def run():
        path = tmp_path / "f"
        with download.client() as http:
            remote = download.fetch(http, site.url + PATH, path, pace=AT_ONCE)
        if remote is None:
            assert not path.exists()
            return None
        return path.read_bytes()

    return run


def test_the_file_arrives_as_it_is(site, fetch):
    assert fetch() == BODY
    assert site.requests[0]["Accept-Encoding"] == "identity"


def test_a_broken_connection_is_resumed_where_it_stopped(site, fetch):
    site.cut_after(100_000)
    assert fetch() == BODY
    assert site.requests[1]["If-Range"] == '"one"'
    start = int(site.requests[1]["Range"].removeprefix("bytes=").rstrip("-"))
    assert 0 < start <= 100_000


@pytest.mark.parametrize("minds_if_range", [True, False])
def test_a_file_that_changes_meanwhile_is_fetched_from_its_beginning(site, fetch, minds_if_range):
    site.minds_if_range = minds_if_range
    site.cut_after(100_000)
    first = site.answers[0]

    def change(handler):
        first(handler)
        site.etag, site.files[PATH] = '"two"', BODY[::-1]

    site.answers[0] = change
    assert fetch() == BODY[::-1]


def test_a_site_without_ranges_is_asked_for_the_whole_file_again(site, fetch):
    site.ranges = False
    site.cut_after(100_000)
    assert fetch() == BODY


def test_a_part_that_nobody_asked_for_is_not_taken_for_the_file(site, fetch):
    part = {"Content-Range": f"bytes 5-{len(BODY) - 1}/{len(BODY)}"}
    site.answer_status(206, BODY[5:], part)
    assert fetch() == BODY
    assert len(site.requests) == 2


def test_a_part_that_begins_elsewhere_is_not_appended(site, fetch):
    site.cut_after(100_000)
    site.answer_status(206, BODY[7:], {"Content-Range": f"bytes 7-{len(BODY) - 1}/{len(BODY)}"})
    assert fetch() == BODY
    assert "Range" not in site.requests[2]


@pytest.mark.parametrize("status", [404, 410])
def test_a_month_that_the_site_does_not_have_is_not_published(site, fetch, status):
    site.answer_status(status)
    assert fetch() is None
    assert len(site.requests) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_trouble_at_the_site_is_tried_again(site, fetch, status):
    site.answer_status(status)
    site.answer_status(status)
    assert fetch() == BODY


def test_lasting_trouble_ends_with_the_address_and_the_answer(site, fetch):
    for _ in range(download.ATTEMPTS):
        site.answer_status(500)
    with pytest.raises(SourceUnreachable, match=f"{site.url}{PATH} answered 500"):
        fetch()
    assert len(site.requests) == download.ATTEMPTS


def test_a_refusal_is_not_tried_again(site, fetch):
    site.answer_status(403)
    with pytest.raises(SourceRefused, match="answered 403 Forbidden"):
        fetch()
    assert len(site.requests) == 1


def test_a_refused_connection_is_told_with_the_address_but_without_its_password(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://me:secret@127.0.0.1:{port}/green/f.csv.gz?token=secret"
    with download.client() as http, pytest.raises(SourceUnreachable) as caught:
        download.fetch(http, url, tmp_path / "f", pace=AT_ONCE)
    assert f"http://127.0.0.1:{port}/green/f.csv.gz" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_head_tells_length_and_etag(site, fetch):
    with download.client() as http:
        assert download.ask(http, site.url + PATH) == download.Remote('"one"', "", len(BODY))
        assert download.ask(http, site.url + "/nothing") is None
