"""The source is asked about each month, in parallel, and never breaks the plan."""

from __future__ import annotations

import hashlib
import threading

import pytest
import requests
from tests.sites import Answer, InMemory, path

from taxi_etl.download import Pace
from taxi_etl.errors import WrongUse
from taxi_etl.month import Month
from taxi_etl.site import Site
from taxistack.backfill.source import PARALLEL, look
from taxistack.backfill.state import State
from taxistack.backfill.survey import survey

JANUARY = ("green", Month(2019, 1))


def answer_with(answer):
    return look("http://site", [JANUARY], transport=InMemory(lambda request: answer))[JANUARY]


def test_length_and_etag_are_read():
    found = answer_with(Answer(200, {"Content-Length": "42", "ETag": '"a"'}))
    assert (found.published, found.length, found.etag) == (True, 42, '"a"')
    assert found.url == "http://site/green/green_tripdata_2019-01.csv.gz"


@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_file_is_not_published(status):
    assert answer_with(Answer(status)).published is False


@pytest.mark.parametrize("status", [403, 500, 503])
def test_any_other_refusal_leaves_it_open_and_says_so(status):
    found = answer_with(Answer(status))
    assert found.published is None
    assert str(status) in found.problem


def test_a_source_that_does_not_answer_leaves_it_open():
    def refuse(request):
        raise requests.ConnectionError("connection refused")

    found = look("http://site", [JANUARY], transport=InMemory(refuse))[JANUARY]
    assert found.published is None
    assert "connection refused" in found.problem


def test_a_site_that_is_silent_is_not_waited_for_file_by_file():
    asked = []

    def silent(request):
        asked.append(path(request))
        raise requests.ConnectTimeout("timed out")

    files = [("green", month) for month in Month.range(Month(2015, 1), Month(2021, 12))]
    found = look("http://site", files, transport=InMemory(silent))
    assert {one.published for one in found.values()} == {None}
    assert all("no answer in time" in one.problem for one in found.values())
    assert all(one.silent for one in found.values())
    assert len(set(asked)) <= 2 * PARALLEL


def test_a_file_that_times_out_does_not_condemn_a_site_that_answers():
    def head(request):
        if "2015-01" in path(request):
            raise requests.ReadTimeout("timed out")
        return Answer(200)

    files = [("green", month) for month in Month.range(Month(2015, 1), Month(2021, 12))]
    found = look("http://site", files, transport=InMemory(head))
    assert [one.month for one in found.values() if not one.published] == [Month(2015, 1)]


def test_an_address_with_credentials_is_refused_and_not_told():
    with pytest.raises(WrongUse, match="must not carry a user or a password") as caught:
        look("http://ada:Secret99@site/base", [JANUARY])
    assert "Secret99" not in str(caught.value)


def test_a_passing_error_is_tried_again():
    answers = iter([Answer(502), Answer(200)])
    found = look("http://site", [JANUARY], transport=InMemory(lambda request: next(answers)))
    assert found[JANUARY].published is True


def test_a_pause_that_the_site_asks_for_is_made():
    waited: list[float] = []
    answers = iter([Answer(429, {"Retry-After": "20"}), Answer(200)])
    found = look(
        "http://site",
        [JANUARY],
        transport=InMemory(lambda request: next(answers)),
        pace=Pace(sleep=waited.append),
    )
    assert (found[JANUARY].published, waited) == (True, [20.0])


def test_a_pause_that_is_too_long_leaves_the_question_open():
    asked: list[str] = []
    waited: list[float] = []

    def busy(request):
        asked.append(request.method)
        return Answer(429, {"Retry-After": "3600"})

    found = look(
        "http://site",
        [JANUARY],
        transport=InMemory(busy),
        pace=Pace(sleep=waited.append),
    )
    assert (found[JANUARY].published, asked, waited) == (None, ["HEAD"], [])
    assert "answered 429" in found[JANUARY].problem


def test_each_file_is_asked_once_and_a_few_at_a_time():
    asked, at_once, most = [], 0, 0
    lock = threading.Lock()

    def head(request):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.005)
        with lock:
            at_once -= 1
            asked.append((request.method, path(request)))
        return Answer(200)

    files = [("green", month) for month in Month.range(Month(2019, 1), Month(2021, 12))]
    look("http://site", files + files, transport=InMemory(head))
    assert len(asked) == len(set(asked)) == 36
    assert most <= PARALLEL


@pytest.mark.parametrize("same", [True, False])
def test_a_mark_that_differs_is_looked_into_and_noted_once(make, context, monkeypatch, same):
    """The bytes are fetched; equal ones are noted, and not fetched any more."""
    body = b"the month file"
    digest = hashlib.sha256(body if same else body[::-1]).hexdigest()
    entry = make.load(etag='"old"', source_bytes=len(body), sha256=digest)
    held = {make.cell: entry}
    asked = []

    def site(request):
        asked.append(request.method)
        headers = {"ETag": '"new"', "Content-Length": str(len(body))}
        return Answer(200, headers, [body])

    def client(_, base):
        return Site(InMemory(site), base)

    def read(_, destination, start, end):
        return {cell: one for cell, one in held.items() if cell.destination == destination}

    monkeypatch.setattr("taxistack.backfill.source.Site", client)
    monkeypatch.setattr("taxistack.backfill.ledger.read", read)
    monkeypatch.setattr(
        "taxistack.backfill.ledger.record", lambda _, cell, one: held.update({cell: one})
    )
    if not same:
        assert survey(context, [make.cell]).states[make.cell].state is State.STALE
        assert held == {make.cell: entry}
        return
    looked = survey(context, [make.cell], note=False)
    assert looked.states[make.cell].state is State.LOADED
    assert held == {make.cell: entry}, "who only looks writes nothing"
    asked.clear()
    for _ in range(2):
        assert survey(context, [make.cell]).states[make.cell].state is State.LOADED
    assert held == {make.cell: entry.confirmed('"new"')}
    assert asked == ["HEAD", "GET", "GET", "HEAD"]


def test_a_site_that_refuses_head_is_asked_all_the_same():
    def site(request):
        if request.method == "HEAD":
            return Answer(405)
        return Answer(200, {"Content-Length": "42", "ETag": '"a"'})

    found = look("http://site", [JANUARY], transport=InMemory(site))[JANUARY]
    assert (found.published, found.length, found.etag) == (True, 42, '"a"')
