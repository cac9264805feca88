"""Sources that misbehave, through the whole chain: the month fails, clearly and alone.

The source is a site of this module's own, whose answer is chosen for each month. The bad months
stand side by side in one command, with good ones among them.
"""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from taxi_etl import release, sample
from taxi_etl.lake import LakeObject
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS
from taxistack.backfill import ledger
from taxistack.backfill.executions import Executions
from taxistack.verify import VerifyRequest, lake, tables, verify_months

ROWS = 120
MORE = 150
"""Rows of a file that the source has replaced by a new edition."""
DESTINATIONS = ("bigquery", "postgres")


@dataclass(frozen=True)
class Answer:
    """What the site says to a GET. `told`: the Content-Length, when it is a lie."""

    body: bytes = b""
    status: int = 200
    told: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    head: int | None = None
    """The status of a HEAD, where it differs."""
    head_headers: Mapping[str, str] = field(default_factory=dict)
    """What HEAD says in other words."""


@dataclass
class Site:
    """A web site on 127.0.0.1; what it has no answer for is 404."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)

    def put(self, taxi: str, month: Month, answer: Answer) -> None:
        """Answer so for a month from now on."""
        self.answers[f"/{taxi}/{release.file_name(taxi, month)}"] = answer


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(head=True)

        def do_GET(self) -> None:
            self._answer(head=False)

        def _answer(self, head: bool) -> None:
            answer = site.answers.get(self.path, Answer(status=404))
            self.send_response((answer.head if head else None) or answer.status)
            length = len(answer.body) if answer.told is None else answer.told
            told = {"Content-Length": str(length), **answer.headers}
            for name, value in (told | answer.head_headers if head else told).items():
                self.send_header(name, value)
            self.end_headers()
            if not head:
                self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture(scope="module")
def site(platform) -> Iterator[Site]:
    """The site, deployed as the platform's source; the platform's own comes back afterwards."""
    made = Site("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        platform.invoke("deploy-flows", "--source", made.url)
        yield made
    finally:
        platform.invoke("deploy-flows", "--source", str(platform.releases))
        server.shutdown()
        thread.join()
        server.server_close()


# --- month files, good and bad -------------------------------------------------------------------


def text(taxi: str, month: Month, rows: int = ROWS) -> bytes:
    return b"".join(sample.text(TAXIS[taxi], month, rows))


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def good(taxi: str, month: Month, rows: int = ROWS) -> Answer:
    body = packed(text(taxi, month, rows))
    return Answer(body, headers={"ETag": f'"{taxi}-{month}-{rows}"'})


def refused(month: Month) -> Answer:
    """Nobody listens where the site sends us."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Answer(status=302, headers={"Location": f"http://127.0.0.1:{port}/moved.csv.gz"})


def closed_early(month: Month) -> Answer:
    body = packed(text("yellow", month))
    return Answer(body[: len(body) // 2], told=len(body))


def corrupt(month: Month) -> Answer:
    body = bytearray(packed(text("yellow", month)))
    body[len(body) // 2] ^= 0x55
    return Answer(bytes(body))


def wrong_header(month: Month) -> Answer:
    return Answer(packed(text("yellow", month).replace(b"VendorID", b"Vendor", 1)))


def short_row(month: Month) -> Answer:
    lines = text("yellow", month).split(b"\r\n")
    lines[40] = lines[40].rpartition(b",")[0]
    return Answer(packed(b"\r\n".join(lines)))


def another_month(month: Month) -> Answer:
    """The month after, with one trip of the month that was asked for."""
    first = text("yellow", month).split(b"\r\n")[1]
    return Answer(packed(text("yellow", month.next()) + first + b"\r\n"))


def two_readings(month: Month) -> Answer:
    """A time that PostgreSQL and BigQuery take for different moments."""
    lines = text("yellow", month).split(b"\r\n")
    fields = lines[40].split(b",")
    lines[40] = b",".join([fields[0], fields[1] + b"-05", *fields[2:]])
    return Answer(packed(b"\r\n".join(lines)))


HTML = b"<!DOCTYPE html><html><body>Come back later</body></html>"
BAD: Mapping[str, tuple[Callable[[Month], Answer], str]] = {
    "refuses connections": (refused, "Connection refused"),
    "answers 500": (lambda _: Answer(status=500), "answered 500"),
    "answers HTML": (lambda _: Answer(HTML), "not a gzip file: it begins with '<!DOCTYPE html>"),
    "closes early": (closed_early, "bytes"),
    "has no trailer": (
        lambda month: Answer(packed(text("yellow", month))[:-8]),
        "the gzip file is truncated: it ends before its trailer",
    ),
    "is corrupt": (corrupt, "the gzip data are damaged"),
    "has a wrong header": (wrong_header, "wrong header: column 1 is 'Vendor', not 'VendorID'"),
    "has a short row": (short_row, "line 41 has 17 columns, not 18"),
    "is of another taxi": (
        lambda month: Answer(packed(text("green", month))),
        "the file is of another taxi: its header is green's, not yellow's",
    ),
    "is another month's": (another_month, "another month's file"),
    "has a time of two readings": (two_readings, "line 41 has the tpep_pickup_datetime"),
    "is padded": (
        lambda month: Answer(packed(text("yellow", month)) + bytes(1024)),
        "the gzip data are followed by",
    ),
    "is empty": (lambda _: Answer(b""), "not a gzip file: it begins with nothing: it is empty"),
}
"""How a month can be bad, and what its reason has to say."""

FIRST = Month(2009, 10)
MONTHS = dict(zip(BAD, Month.range(FIRST, Month(2010, 10)), strict=True))
GONE, NEW, SAME = Month(2010, 11), Month(2010, 12), Month(2011, 1)
"""Not published any more; a new edition; as it was."""


# --- what is loaded ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    """All that stands of one month in one destination and in the lake."""

    table: tables.TableMonth | None
    load: ledger.Load | None
    lake: LakeObject | None


def loaded(platform, first: Month, last: Month) -> dict[tuple[Month, str], Loaded]:
    context = platform.context
    objects = lake.read(context.storage(), context.outputs.bucket, "yellow")
    found = {}
    for where in DESTINATIONS:
        rows = tables.read(context, "yellow", where, first, last)
        loads = {
            cell.month: load
            for cell, load in ledger.read(context, where, first, last).items()
            if cell.taxi == "yellow"
        }
        for month in Month.range(first, last):
            name = release.object_name("yellow", month)
            found[month, where] = Loaded(rows.get(month), loads.get(month), objects.get(name))
    return found


def backfill(platform, start: Month, end: Month, *flags: str, code: int = 0, taxi: str = "yellow"):
    arguments = ["backfill", "--start", str(start), "--end", str(end), "--taxi", taxi, "--json"]
    done = platform.invoke(*arguments, *flags, code=code)
    assert "Traceback" not in done.stderr
    return done


@dataclass(frozen=True)
class Course:
    """One backfill over all the bad months: what stood before and after, and what was told."""

    before: Mapping[tuple[Month, str], Loaded]
    after: Mapping[tuple[Month, str], Loaded]
    result: Mapping[str, Any]
    stderr: str

    def reasons(self, month: Month) -> dict[str, str]:
        """The reasons of a month by destination."""
        return {
            one["destination"]: one["reason"]
            for one in self.result["failed"]
            if one["month"] == str(month)
        }


@pytest.fixture(scope="module")
def course(platform, site) -> Course:
    """Every month is good and loaded into one of the destinations; then the source goes bad."""
    middle = Month(2010, 6)
    for month in Month.range(FIRST, SAME):
        site.put("yellow", month, good("yellow", month))
    backfill(platform, FIRST, middle, "--destination", "postgres", "--parallel", "4")
    backfill(platform, middle.next(), SAME, "--destination", "bigquery", "--parallel", "4")
    before = loaded(platform, FIRST, SAME)
    assert sum(one.load is not None for one in before.values()) == len(before) / 2
    for name, month in MONTHS.items():
        site.put("yellow", month, BAD[name][0](month))
    site.put("yellow", GONE, Answer(status=404))
    site.put("yellow", NEW, good("yellow", NEW, MORE))
    done = backfill(
        platform, FIRST, SAME, "--only", "all", "--force", "--parallel", "4", code=1
    )  # fmt: skip
    return Course(before, loaded(platform, FIRST, SAME), json.loads(done.stdout), done.stderr)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_month_fails_with_its_reason_and_leaves_everything_as_it_was(course, name):
    month, (_, rule) = MONTHS[name], BAD[name]
    reasons = course.reasons(month)
    assert set(reasons) == set(DESTINATIONS)
    for where, reason in reasons.items():
        assert rule in reason
        assert release.file_name("yellow", month) in reason
        assert "\n" not in reason
        assert f"yellow {month} in {where} failed: {reason} (invoke logs --execution" in (
            course.stderr
        ), "the whole reason stands on one line"
    for where in DESTINATIONS:
        assert course.after[month, where] == course.before[month, where]
    was = [course.before[month, where].load for where in DESTINATIONS]
    assert sum(one is not None for one in was) == 1, "one destination had rows, the other had none"


def test_the_good_months_of_the_same_command_are_loaded(platform, course):
    for month, rows in {NEW: MORE, SAME: ROWS}.items():
        for where in DESTINATIONS:
            was, now = course.before[month, where], course.after[month, where]
            assert (now.table.rows, now.load.rows) == (rows, rows)
            assert was.load is None or was.load.loaded_at < now.load.loaded_at
    assert len(course.result["loaded"]) == 4
    found = verify_months(platform.context, VerifyRequest.parse(str(NEW), str(SAME), taxi="yellow"))
    assert found.exit_code == 0


def test_a_month_that_the_source_took_back_is_no_failure_and_stays_loaded(course):
    assert course.reasons(GONE) == {}
    told = [one for one in course.result["not_published"] if one["month"] == str(GONE)]
    assert [one["destination"] for one in told] != []
    for where in DESTINATIONS:
        assert course.after[GONE, where] == course.before[GONE, where]


def test_the_command_says_how_many_failed(course):
    failed = 2 * len(BAD)
    assert len(course.result["failed"]) == failed
    assert course.result["outcome"] == "failed"
    last = course.stderr.strip().splitlines()[-1]
    assert last.startswith("error: backfill bf-")
    assert f"{failed} failed" in last


def test_verify_names_the_failed_months_with_their_reasons(platform, course):
    flags = ["--start", str(FIRST), "--end", str(max(MONTHS.values())), "--taxi", "yellow"]
    done = platform.invoke("verify", *flags, "--json", code=1)
    cells = {(one["month"], one["destination"]): one for one in json.loads(done.stdout)}
    assert {one["state"] for one in cells.values()} == {"failed"}
    assert all("Connection refused" in cells[str(FIRST), where]["reason"] for where in DESTINATIONS)
    assert cells[str(FIRST), "postgres"]["rows"] == ROWS
    # A transfer that broke off may come to its end next time; what the source has or refuses
    # is the same then.
    mendable = {month for (month, _), one in cells.items() if one["mendable"]}
    assert mendable == {str(MONTHS["closes early"])}
    assert "2 differ (--repair reloads them)" in done.stderr
    assert "not proven: loading again would not help" in done.stderr


def test_what_another_load_can_not_mend_is_not_loaded_by_repair(platform, course):
    flags = ["--start", str(MONTHS["has a short row"]), "--end", str(MONTHS["has a short row"])]
    done = platform.invoke("verify", *flags, "--taxi", "yellow", "--repair", code=1)
    assert "backfill bf-" not in done.stderr
    assert "verify --repair" not in done.stderr
    assert "--only failed" in done.stderr


def test_verify_says_of_a_month_whose_file_is_gone_that_it_is_not_proven(platform, course):
    flags = ["--start", str(GONE), "--end", str(SAME), "--taxi", "yellow", "--json"]
    done = platform.invoke("verify", *flags, "--repair", code=1)
    cells = [one for one in json.loads(done.stdout) if one["month"] == str(GONE)]
    told = {text for one in cells for text in one["differences"]}
    assert any(text.endswith("does not exist any more") for text in told), cells
    assert "backfill bf-" not in done.stderr, "nothing is loaded that can't be mended so"


def test_a_failed_month_is_loaded_once_its_source_is_good_again(platform, site, course):
    month = MONTHS["has a short row"]
    site.put("yellow", month, good("yellow", month, MORE))
    done = backfill(platform, month, month, "--only", "failed", "--force")
    assert len(json.loads(done.stdout)["loaded"]) == 2
    found = verify_months(
        platform.context, VerifyRequest.parse(str(month), str(month), taxi="yellow")
    )
    assert found.exit_code == 0
    assert {one.known.table.rows for one in found.checks} == {MORE}


def test_a_month_that_is_not_published_among_others_is_no_failure(platform, site):
    there, denied, vanished = Month(2011, 3), Month(2011, 4), Month(2011, 5)
    site.put("yellow", there, good("yellow", there))
    # The file goes away between the question and the download.
    site.put("yellow", vanished, replace(Answer(status=404), head=200))
    done = backfill(platform, there, vanished, "--destination", "postgres")
    result = json.loads(done.stdout)
    assert [one["month"] for one in result["loaded"]] == [str(there)]
    assert [one["month"] for one in result["not_published"]] == [str(vanished)]
    assert result["failed"] == result["problems"] == []
    assert "not published" in done.stderr
    rest = loaded(platform, denied, vanished)
    assert {(one.table, one.load, one.lake) for one in rest.values()} == {(None, None, None)}


def test_when_no_month_of_a_taxi_is_published_the_address_is_named(platform, site):
    start, end = Month(2011, 7), Month(2011, 8)
    done = backfill(platform, start, end, taxi="green", code=1)
    assert f"{site.url}/green/green_tripdata_{start}.csv.gz" in done.stderr
    assert "no month of green from 2011-07 to 2011-08 is published" in done.stderr
    ran = Executions(platform.context.kestra()).runs_of(Month.range(start, end))
    assert not [cell for cell in ran if cell.taxi == "green"]


def test_a_wrong_address_is_named_though_the_site_answers_no_head(platform, site):
    """Some sites refuse HEAD: then only the downloads tell that nothing is published."""
    month = Month(2011, 9)
    site.put("green", month, Answer(status=404, head=405))
    done = backfill(platform, month, month, "--destination", "postgres", taxi="green", code=1)
    assert f"{site.url}/green/green_tripdata_{month}.csv.gz" in done.stderr


def test_one_taxi_that_is_not_published_does_not_keep_the_other_from_loading(platform, site):
    month = Month(2011, 10)
    site.put("yellow", month, good("yellow", month))
    done = backfill(platform, month, month, "--destination", "postgres", taxi="all", code=1)
    assert [one["taxi"] for one in json.loads(done.stdout)["loaded"]] == ["yellow"]
    assert f"{site.url}/green/green_tripdata_{month}.csv.gz" in done.stderr


def test_a_source_that_is_down_altogether_is_told(platform, site, course):
    month = Month(2011, 11)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(Site(""))) as server:
        nowhere = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        platform.invoke("deploy-flows", "--source", f"http://{nowhere}")
        server.shutdown()
        thread.join()
    flags = ("--destination", "postgres")
    try:
        early = backfill(platform, month, month, *flags, code=1)
        done = backfill(platform, month, month, *flags, "--force", code=1)
        proof = platform.invoke(
            "verify", "--start", str(SAME), "--end", str(SAME), "--taxi", "yellow", code=1
        )
    finally:
        platform.invoke("deploy-flows", "--source", site.url)
    last = early.stderr.strip().splitlines()
    assert any("the source does not answer, so nothing was started" in line for line in last)
    assert "backfill bf-" not in early.stderr
    (failed,) = json.loads(done.stdout)["failed"]
    assert f"http://{nowhere}/" in failed["reason"]
    assert "Connection refused" in failed["reason"]
    assert "source: could not be asked" in proof.stdout
    assert "not proven" in proof.stderr
    assert "--repair" not in proof.stderr


def test_odd_but_right_sources_are_loaded_and_proven(platform, site):
    """No HEAD, a weak mark or a length of 0 on HEAD, a row without its pickup time."""
    start, end = Month(2012, 1), Month(2012, 4)
    months = Month.range(start, end)
    lines = text("yellow", end).split(b"\r\n")
    fields = lines[5].split(b",")
    lines[5] = b",".join([fields[0], b"", *fields[2:]])
    answers = [good("yellow", month) for month in months[:3]]
    answers[0] = replace(answers[0], head=405)
    answers[1] = replace(answers[1], head_headers={"ETag": "W/" + answers[1].headers["ETag"]})
    answers[2] = replace(answers[2], head_headers={"Content-Length": "0"})
    answers.append(Answer(packed(b"\r\n".join(lines)), headers={"ETag": '"x"'}))
    for month, answer in zip(months, answers, strict=True):
        site.put("yellow", month, answer)
    backfill(platform, start, end, "--parallel", "4")
    request = VerifyRequest.parse(str(start), str(end), taxi="yellow")
    found = verify_months(platform.context, request)
    assert [str(one) for check in found.wrong for one in check.differences] == []
    assert len(found.proven) == 8
    assert {one.known.table.null_pickups for one in found.checks} == {0, 1}


def test_the_same_bytes_behind_another_etag_are_proven_and_noted(platform, site):
    month = Month(2012, 6)
    answer = good("yellow", month)
    site.put("yellow", month, answer)
    backfill(platform, month, month)
    touched = replace(answer, headers={"ETag": '"touched"'})
    site.put("yellow", month, touched)
    before = loaded(platform, month, month)
    request = VerifyRequest.parse(str(month), str(month), taxi="yellow")
    for _ in range(2):
        assert verify_months(platform.context, request).exit_code == 0
        for where in DESTINATIONS:
            now = loaded(platform, month, month)[month, where].load
            assert now == before[month, where].load.confirmed('"touched"')
    other = replace(good("yellow", month, MORE), headers={"ETag": '"other"'})
    site.put("yellow", month, other)
    found = verify_months(platform.context, request)
    assert len(found.mendable) == 2
