"""docs/reliability.md is what the committed cases say, and says what was not survived."""

from __future__ import annotations

from tests.faults import record
from tests.faults.record import Case, Found

MACHINE = {"processor": "a processor", "cores": "2", "memory": "4 GiB", "system": "Linux"}


def case(**more) -> Case:
    return Case(**{"family": "Parts", "fault": "SIGKILL", "place": "storage", "survived": True,
                   "seconds": 3.21, **more})  # fmt: skip


def page_of(*cases: Case) -> str:
    apart = Found("2026-11-28", MACHINE, (case(place="a thousand", measured="0.8 a second"),))
    return record.text(Found("2026-11-27", MACHINE, cases), apart)


def test_the_page_is_what_the_cases_say():
    wanted = record.text(Found.read(), Found.read(record.APART))
    assert record.PAGE.read_text(encoding="utf-8") == wanted, "python -m tests.faults.record"


def test_every_committed_case_was_survived():
    for found in (Found.read(), Found.read(record.APART)):
        assert [one for one in found.cases if not one.survived] == []


def test_a_case_is_a_row_below_its_family():
    page = page_of(case(), case(family="Disks", seconds=None))
    assert "## Disks" in page
    assert "| SIGKILL | storage | yes | 3.2 s |  |" in page
    assert "2 cases, 2 survived; the longest recovery took 3 s" in page


def test_what_was_run_apart_has_its_own_table_and_date():
    _, apart = page_of(case()).split("## Run apart")
    assert "1 case, 1 survived; the longest recovery took 3 s. Measured 2026-11-28" in apart
    assert "| SIGKILL | a thousand | yes | 3.2 s | 0.8 a second |" in apart


def test_what_was_not_survived_is_not_hidden():
    page = page_of(case(survived=False))
    assert "1 case, 0 survived" in page
    assert "| SIGKILL | storage | **no** |" in page


def test_what_is_written_is_read_again(tmp_path):
    found = Found.of([case(), case(place="engine", measured="120 MB")])
    assert [one.place for one in found.cases] == ["engine", "storage"]
    found.write(tmp_path / "results.json")
    assert Found.read(tmp_path / "results.json") == found
