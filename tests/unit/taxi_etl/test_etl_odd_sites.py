"""Release sites as they are: without HEAD, without a length, slow, with another mark each time."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from decimal import Decimal
from http.client import RemoteDisconnected

import pytest
import requests
from tests.sites import Answer, InMemory
from urllib3.exceptions import ProtocolError

from taxi_etl import download
from taxi_etl.compare import Evidence, TableMonth, compare, suspicion
from taxi_etl.errors import SourceRefused, SourceSilent, SourceUnreachable, WrongUse
from taxi_etl.facts import Facts
from taxi_etl.lake import LakeObject
from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxi_etl.release import check_base
from taxi_etl.site import Site as Client

BODY = gzip.compress(bytes(range(256)) * 200, mtime=0)
URL = "http://site/green/f.csv.gz"
LOADED = Facts(
    "f.csv.gz", URL, '"one"', "", len(BODY), 9, hashlib.sha256(BODY).hexdigest(), "crc", 3,
    Decimal("2.50"), "lake", "gs://lake/raw/green/f.csv.gz", 1,
)  # fmt: skip
OTHER = BODY[::-1]


class Clock:
    """Time that passes when it is waited for, or when a body says so."""

    def __init__(self):
        self.now = 0.0
        self.waited = []

    def pace(self):
        return download.Pace(lambda: self.now, self._sleep)

    def _sleep(self, seconds):
        self.waited.append(seconds)
        self.now += seconds


class Stream:
    """A body that comes in pieces, each after so many seconds of the clock."""

    def __init__(self, pieces, clock=None, seconds=0.0):
        self.pieces, self.clock, self.seconds = pieces, clock, seconds

    def __iter__(self):
        for piece in self.pieces:
            if self.clock:
                self.clock.now += self.seconds
            yield piece


class Site:
    """Answers by the method; keeps what was asked."""

    def __init__(self, get, head=None):
        self.get, self.head = get, head or get
        self.asked = []
        self.conditions = []
        """(Range, If-Range) of each GET."""

    def __call__(self, request):
        self.asked.append(request.method)
        if request.method == "GET":
            told = request.headers
            self.conditions.append((told.get("Range"), told.get("If-Range")))
        return (self.head if request.method == "HEAD" else self.get)(request)


def ok(body=BODY, etag='"one"', **headers):
    def answer(request):
        told = {"ETag": etag, "Content-Length": str(len(body)), **headers}
        return Answer(200, told, Stream([body]))

    return answer


def unknown(*bodies):
    """Neither a length nor an end is told; the last body comes again and again."""
    left = list(bodies)

    def answer(request):
        body = left.pop(0) if len(left) > 1 else left[0]
        return Answer(200, {"ETag": '"one"'}, Stream([body]))

    return answer


def status(code, **headers):
    return lambda request: Answer(code, headers)


def settled(site, *loaded):
    with Client(InMemory(site)) as http:
        return download.ask_of(http, URL, *(loaded or (LOADED,)))


def fetched(site, tmp_path, clock=None):
    path = tmp_path / "f"
    pace = (clock or Clock()).pace()
    with Client(InMemory(site)) as http:
        return download.fetch(http, URL, path, pace) and path.read_bytes()


@pytest.mark.parametrize("code", [400, 403, 405, 501])
def test_a_site_that_refuses_head_is_asked_by_a_get_that_is_closed(code):
    read = []

    class Body(Stream):
        def __iter__(self):
            read.append(1)
            yield from super().__iter__()

    def get(request):
        headers = {"ETag": '"one"', "Content-Length": str(len(BODY))}
        return Answer(200, headers, Body([BODY]))

    assert settled(Site(get, status(code))) == download.Remote('"one"', "", len(BODY))
    assert read == []


def test_an_absent_month_of_a_site_without_head_is_not_published():
    assert settled(Site(status(404), status(405))) is None


def test_a_file_that_neither_head_nor_get_may_have_is_refused():
    with pytest.raises(SourceRefused, match="answered 403"):
        settled(Site(status(403)))


@pytest.mark.parametrize(
    "head",
    [ok(etag='W/"one"'), ok(**{"Content-Length": "0"}), ok(etag='"by-head"'), ok(b"x")],
    ids=["weak mark", "length 0", "another mark", "another length"],
)
def test_what_head_alone_says_is_no_difference(head):
    site = Site(ok(), head)
    assert suspicion(LOADED, settled(site)) is None
    assert site.asked.count("GET") <= 1, "the bytes were not fetched"


def test_a_site_in_trouble_is_not_asked_a_second_time_by_get():
    site = Site(ok(), status(503))
    with pytest.raises(SourceUnreachable, match="answered 503"):
        settled(site)
    assert site.asked == ["HEAD"]


def test_a_head_of_length_0_tells_no_length(tmp_path):
    site = Site(unknown(BODY), ok(**{"Content-Length": "0"}))
    with Client(InMemory(site)) as http:
        assert download.ask(http, URL).length is None
    assert fetched(site, tmp_path) == BODY


def test_where_no_length_is_told_the_bytes_decide():
    def chunked(request):
        headers = {"Transfer-Encoding": "chunked", "ETag": '"two"'}
        return Answer(200, headers, Stream([BODY]))

    remote = settled(Site(chunked))
    assert remote.sha256 == LOADED.sha256
    assert suspicion(LOADED, remote) is None


def test_the_same_bytes_behind_another_etag_are_equal_and_the_mark_is_known():
    remote = settled(Site(ok(etag='"two"')))
    assert (remote.etag, remote.sha256) == ('"two"', LOADED.sha256)
    assert suspicion(LOADED, remote) is None
    entry = Entry.new("green", Month(2020, 10), LOADED, "job", "exec", None)
    found = Evidence(
        facts=LOADED, ledger=entry, source=remote, source_url=URL,
        table=TableMonth(3, Decimal("2.5"), 3), lake=LakeObject("lake", "x", len(BODY), "crc", 2),
    )  # fmt: skip
    assert compare(found) == []


def test_other_bytes_of_the_same_length_behind_another_etag_differ():
    assert "has other bytes" in suspicion(LOADED, settled(Site(ok(OTHER, '"two"'))))


def test_another_length_differs_without_the_bytes():
    site = Site(ok(BODY + b"x", '"two"'))
    assert f"has {len(BODY) + 1:,} bytes" in suspicion(LOADED, settled(site))
    assert site.asked == ["HEAD", "GET"]


def test_of_two_editions_that_were_loaded_each_is_compared():
    older = replace(LOADED, etag='"zero"', sha256="00" * 32, source_bytes=5)
    remote = settled(Site(ok()), older, LOADED)
    assert suspicion(LOADED, remote) is None
    assert suspicion(older, remote)


def test_a_transfer_of_unknown_length_is_fetched_again_before_it_is_believed(tmp_path):
    half = BODY[: len(BODY) // 2]
    site = Site(unknown(half, BODY), status(405))
    assert fetched(site, tmp_path) == BODY
    assert site.asked.count("GET") > 2


def test_whole_members_that_are_cut_at_their_end_are_not_taken_for_the_file(tmp_path):
    """Nothing in the bytes tells it; HEAD's length does."""
    two = BODY + gzip.compress(b"more", mtime=0)
    site = Site(unknown(BODY, two), ok(two))
    assert fetched(site, tmp_path) == two


def test_a_length_that_head_says_and_no_transfer_has_is_an_error(tmp_path):
    with pytest.raises(SourceUnreachable, match=rf"is {len(BODY) + 9} bytes long, but"):
        fetched(Site(unknown(BODY), ok(BODY + b"x" * 9)), tmp_path)


def test_a_length_that_is_less_than_what_arrives_is_an_error_too(tmp_path):
    with pytest.raises(SourceUnreachable, match=rf"is {len(BODY) - 9} bytes long, but {len(BODY)}"):
        fetched(Site(unknown(BODY), ok(BODY[:-9])), tmp_path)


def test_transfers_of_unknown_length_are_whole_ones_until_two_are_alike(tmp_path):
    """What came before is nothing to go on from: nobody knows where it was cut."""
    site = Site(unknown(BODY[:100], BODY[:200], BODY), status(200))
    assert fetched(site, tmp_path) == BODY
    assert site.conditions == [(None, None)] * 4
    cut = Site(unknown(BODY[:100], BODY), ok())
    assert fetched(cut, tmp_path) == BODY
    assert cut.conditions == [(None, None)] * 2


class Broken(Stream):
    """A body whose connection breaks at its end."""

    def __iter__(self):
        yield from super().__iter__()
        raise ConnectionResetError("broken")


def after_a_break(*answers, **marks):
    """The first transfer breaks off after 100 bytes; then these answers, the last for ever."""
    told = {"Content-Length": str(len(BODY)), **marks}
    left = [lambda _: Answer(200, told, Broken([BODY[:100]])), *answers]
    return Site(lambda request: (left.pop(0) if len(left) > 1 else left[0])(request))


@pytest.mark.parametrize(
    ("marks", "condition"),
    [
        ({"ETag": '"one"'}, '"one"'),
        ({"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}, "Wed, 21 Oct 2015 07:28:00 GMT"),
    ],
)
def test_a_rest_is_asked_for_under_the_mark_that_the_site_gave(tmp_path, marks, condition):
    def rest(request):
        headers = {"Content-Range": f"bytes 100-{len(BODY) - 1}/{len(BODY)}", **marks}
        return Answer(206, headers, Stream([BODY[100:]]))

    site = after_a_break(rest, **marks)
    assert fetched(site, tmp_path) == BODY
    assert site.conditions == [(None, None), ("bytes=100-", condition)]


def test_a_rest_of_a_file_of_another_length_is_not_appended(tmp_path):
    def rest(request):
        headers = {"Content-Range": f"bytes 100-{len(BODY) - 1}/{len(BODY) + 5}", "ETag": '"one"'}
        return Answer(206, headers, Stream([OTHER[100:]]))

    site = after_a_break(rest, ok(), ETag='"one"')
    assert fetched(site, tmp_path) == BODY
    assert site.conditions == [(None, None), ("bytes=100-", '"one"'), (None, None)]


def test_without_a_mark_or_with_a_weak_one_no_rest_is_asked_for(tmp_path):
    for marks in ({}, {"ETag": 'W/"one"', "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}):
        site = after_a_break(ok(), **marks)
        assert fetched(site, tmp_path) == BODY
        assert site.conditions == [(None, None)] * 2


def test_a_file_that_got_shorter_than_what_there_is_of_it_is_fetched_from_its_beginning(tmp_path):
    short = BODY[:40]
    whole = ok(short, '"two"')
    refused = after_a_break(status(416), whole, ETag='"one"')
    assert fetched(refused, tmp_path) == short
    assert refused.conditions[-1] == (None, None)
    assert fetched(after_a_break(whole, ETag='"one"'), tmp_path) == short


def test_a_chunked_transfer_tells_its_end_itself(tmp_path):
    def get(request):
        headers = {"Transfer-Encoding": "chunked"}
        return Answer(200, headers, Stream([BODY]))

    site = Site(get)
    assert fetched(site, tmp_path) == BODY
    assert site.asked == ["GET"]


def test_one_byte_every_five_seconds_ends_as_too_slow(tmp_path):
    clock = Clock()

    def get(request):
        headers = {"Content-Length": "100000", "ETag": '"one"'}
        return Answer(200, headers, Stream([b"x"] * 99, clock, 5.0))

    with pytest.raises(SourceUnreachable, match=r"is too slow: \d bytes in 30 s"):
        fetched(Site(get), tmp_path, clock)
    assert clock.now < 300


def test_a_site_that_was_fast_and_becomes_slow_is_too_slow(tmp_path, capsys):
    clock = Clock()

    def get(request):
        headers = {"Content-Length": "1000000", "ETag": '"one"'}
        pieces = [bytes(200_000), *([b"x"] * 99)]
        return Answer(200, headers, Stream(pieces, clock, 5.0))

    with pytest.raises(SourceUnreachable, match="is too slow"):
        fetched(Site(get), tmp_path, clock)
    assert "is too slow: 6 bytes in 30 s; try 2" in capsys.readouterr().out


def test_a_large_file_has_more_time_than_a_small_one(tmp_path):
    """Ten MiB at 50 KiB/s are slow, and come; the grace alone would be over."""
    clock = Clock()
    body = bytes(10 << 20)

    def get(request):
        pieces = [body[at : at + 51200] for at in range(0, len(body), 51200)]
        headers = {"Content-Length": str(len(body)), "ETag": '"one"'}
        return Answer(200, headers, Stream(pieces, clock, 1.0))

    assert len(fetched(Site(get), tmp_path, clock)) == len(body)
    assert clock.now > 200


def test_a_trickle_that_is_just_fast_enough_ends_with_the_time_of_its_size(tmp_path):
    """A MiB at 2 KiB/s: every window has its bytes, and the whole would take nine minutes."""
    clock = Clock()

    def get(request):
        headers = {"Content-Length": str(1 << 20), "ETag": '"one"'}
        return Answer(200, headers, Stream([bytes(2048)] * 512, clock, 1.0))

    site = Site(get)
    with pytest.raises(SourceUnreachable, match=r"is too slow: \d+ bytes in 213 s"):
        fetched(site, tmp_path, clock)
    assert site.asked == ["GET"]


def test_retry_after_is_waited_for(tmp_path):
    clock = Clock()
    answers = [status(429, **{"Retry-After": "120"}), ok()]
    assert fetched(Site(lambda request: answers.pop(0)(request)), tmp_path, clock) == BODY
    assert clock.waited == [120.0]


def test_a_retry_after_may_be_a_date_by_the_clock_of_the_site(tmp_path):
    clock = Clock()
    told = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2015 07:29:30 GMT"}
    answers = [status(503, **told), ok()]
    assert fetched(Site(lambda request: answers.pop(0)(request)), tmp_path, clock) == BODY
    assert clock.waited == [90.0]


@pytest.mark.parametrize(
    "after",
    ["soon", "-5", "", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Oct 2015 07 GMT"],
)
def test_a_retry_after_that_is_none_or_past_is_not_waited_for(tmp_path, after):
    clock = Clock()
    answers = [status(429, **{"Retry-After": after}), ok()]
    assert fetched(Site(lambda request: answers.pop(0)(request)), tmp_path, clock) == BODY
    assert max(clock.waited) <= 20


def test_a_retry_after_beyond_the_time_of_the_download_ends_it_at_once(tmp_path):
    clock = Clock()
    with pytest.raises(SourceUnreachable, match="answered 503"):
        fetched(Site(status(503, **{"Retry-After": "3600"})), tmp_path, clock)
    assert clock.waited == []


def broken_off(by):
    def answer(request):
        raise requests.ConnectionError(ProtocolError("Connection aborted.", by))

    return answer


def test_a_silent_site_is_told_from_one_in_trouble(tmp_path):
    def silent(request):
        raise requests.ConnectTimeout("x")

    with pytest.raises(SourceSilent, match="no answer in time"):
        fetched(Site(silent), tmp_path)
    for trouble in (
        status(503),
        broken_off(ConnectionResetError(104, "Connection reset by peer")),
        broken_off(RemoteDisconnected("Remote end closed connection without response")),
    ):
        with pytest.raises(SourceUnreachable) as caught:
            fetched(Site(trouble), tmp_path)
        assert not isinstance(caught.value, SourceSilent)


def test_a_redirect_that_never_ends_is_refused(tmp_path):
    with pytest.raises(SourceRefused, match="redirects"):
        fetched(Site(status(302, Location=URL)), tmp_path)


@pytest.mark.parametrize(
    ("base", "rule"),
    [
        ("http://h:99999", "Port out of range"),
        ("http:///x", "the address has no host"),
        ("http://ada:Secret99@h/x", "must not carry a user or a password"),
        ("http://ada:Secret99@h:99999/x", "Port out of range"),
        ("http://h/x?sig=Secret99", r"ends before `\?`"),
        ("http://h/x?", r"ends before `\?`"),
        ("http://h/x#top", "ends before `#`"),
        ("http://h/x ", "has no blanks"),
    ],
)
def test_an_address_that_month_files_can_not_be_below_is_refused_and_not_told(base, rule):
    with pytest.raises(WrongUse, match=rule) as caught:
        check_base(base)
    assert "Secret99" not in str(caught.value)
    assert check_base("HTTP://h/x") is None
