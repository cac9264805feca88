import socket
import threading

import pytest

from taxi_etl import download
from taxi_etl.errors import SourceRefused, SourceSilent, SourceUnreachable
from taxi_etl.site import Site, pieces

AT_ONCE = download.Pace(sleep=lambda seconds: None)
BODY = bytes(range(256)) * 4000
PATH = "/green/f.csv.gz"


@pytest.fixture
def fetch(site, tmp_path):
    """Downloads the file without waiting between tries; gives its bytes, None if there is none."""
    site.files[PATH] = BODY

    def run():
        path = tmp_path / "f"
        with Site() as http:
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
    with Site() as http, pytest.raises(SourceUnreachable) as caught:
        download.fetch(http, url, tmp_path / "f", pace=AT_ONCE)
    assert f"http://127.0.0.1:{port}/green/f.csv.gz" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_head_tells_length_and_etag(site, fetch):
    with Site() as http:
        assert download.ask(http, site.url + PATH) == download.Remote('"one"', "", len(BODY))
        assert download.ask(http, site.url + "/nothing") is None


@pytest.mark.parametrize("chunked", [True, False])
def test_a_piece_is_there_as_soon_as_it_arrives(site, chunked):
    go_on = site.slowly(b"first", b"rest", chunked=chunked)
    with Site() as http, http.answer("GET", site.url + PATH) as answer:
        body = pieces(answer)
        assert next(body) == b"first"
        go_on.set()
        assert b"".join(body) == b"rest"


@pytest.mark.parametrize("chunked", [True, False])
def test_a_site_that_falls_silent_in_the_middle_of_a_body_is_not_waited_for(
    site, chunked, monkeypatch
):
    monkeypatch.setattr("taxi_etl.site._TIMEOUT", (5, 0.2))
    go_on = site.slowly(b"first", b"rest", chunked=chunked)
    try:
        with (
            Site() as http,
            pytest.raises(SourceSilent, match="no answer in time"),
            http.answer("GET", site.url + PATH) as answer,
        ):
            list(pieces(answer))
    finally:
        go_on.set()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_site_that_takes_the_call_and_says_nothing_is_not_waited_for(method, monkeypatch):
    monkeypatch.setattr("taxi_etl.site._TIMEOUT", (5, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as deaf, Site() as http:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/f"
        with pytest.raises(SourceSilent, match="no answer in time"), http.answer(method, url):
            pass


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "Remote end closed connection without response"),
        (b"garbage\r\n\r\n", "the answer is no HTTP: 'garbage'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour",
         "the connection ended after 4 bytes, 5 before the end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nfour",
         "the connection ended in the middle of the body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nfour",
         "the connection ended in the middle of the body"),
    ],
)  # fmt: skip
def test_an_answer_that_is_cut_or_is_none_is_trouble_at_the_site(said, why):
    def answer():
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as server, Site() as http:
        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/f"
        with pytest.raises(SourceUnreachable) as caught, http.answer("GET", url) as got:
            list(pieces(got))
        thread.join()
    assert str(caught.value) == f"{url}: {why}"
    assert not isinstance(caught.value, SourceSilent)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:{free}/f", "Connection refused"),
        ("http://no-such-host.invalid/f", ""),
        ("ftp://127.0.0.1/f", "No connection adapters were found for 'ftp://127.0.0.1/f'"),
    ],
)
def test_an_address_where_nobody_answers_is_silent(url, why):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = url.format(free=free.getsockname()[1])
    with Site() as http, pytest.raises(SourceSilent) as caught, http.answer("HEAD", address):
        pass
    assert str(caught.value).startswith(f"{address}: ")
    assert why in str(caught.value)
    assert "object at 0x" not in str(caught.value)
    assert "HTTPConnection" not in str(caught.value)


def test_a_body_stays_as_it_is_whatever_its_encoding_is_said_to_be(site, fetch):
    site.answer_status(200, BODY, {"Content-Encoding": "gzip"})
    assert fetch() == BODY


def test_head_of_what_is_said_to_be_encoded_is_read(site):
    site.answer_status(200, b"", {"Content-Encoding": "gzip", "Content-Length": "77"})
    with Site() as http:
        assert download.ask(http, site.url + PATH).length == 77


def test_the_rest_of_a_file_is_asked_for_behind_a_redirect_too(site, fetch):
    elsewhere = site.url + "/moved" + PATH
    site.files["/moved" + PATH] = BODY
    site.redirect(elsewhere)
    site.cut_after(100_000)
    site.redirect(elsewhere)
    assert fetch() == BODY
    assert [one.get("If-Range") for one in site.requests] == [None, None, '"one"', '"one"']
    site.redirect(elsewhere)
    with Site() as http:
        assert download.ask(http, site.url + PATH).length == len(BODY)


def test_no_login_is_taken_from_the_user_s_netrc(site, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login ada password Secret99\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    site.files[PATH] = BODY
    site.redirect(site.url.replace("127.0.0.1", "localhost") + PATH)
    with Site() as http:
        assert download.ask(http, site.url + PATH).length == len(BODY)
    assert len(site.requests) == 2
    assert not any("Authorization" in one for one in site.requests)


def test_a_site_elsewhere_is_asked_through_the_proxy_of_the_environment(site, monkeypatch):
    url = "http://releases.invalid" + PATH
    site.files[url] = BODY  # as a proxy is asked
    monkeypatch.setenv("http_proxy", site.url)
    with Site() as http:
        assert download.ask(http, url).length == len(BODY)
    with Site(base="http://127.0.0.1") as http, pytest.raises(SourceSilent):
        download.ask(http, url)
    monkeypatch.setenv("no_proxy", "releases.invalid")
    with Site() as http, pytest.raises(SourceSilent):
        download.ask(http, url)
