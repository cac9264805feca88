"""docs/reliability.md is what the committed cases say, and says what was not survived."""

from __future__ import annotations

from tests.faults import record
from tests.faults.record import Case, Found

MACHINE = {"processor": "a processor", "cores": "2", "memory": "4 GiB", "system": "Linux"}


def case(**more) -> Case:
    return Case(**{"family": "Parts", "fault": "SIGKILL", "place": "storage", "survived": True,
                   "seconds": 3.21, **more})  # fmt: skip


def test_the_page_is_what_the_cases_say():
    wanted = record.text(Found.read())
    assert record.PAGE.read_text(encoding="utf-8") == wanted, "python -m tests.faults.record"


def test_every_committed_case_was_survived():
    assert [one for one in Found.read().cases if not one.survived] == []


def test_a_case_is_a_row_below_its_family():
    page = record.text(Found("2026-11-27", MACHINE, (case(), case(family="Disks", seconds=None))))
    assert "## Disks" in page
    assert "| SIGKILL | storage | yes | 3.2 s |  |" in page
    assert "2 cases, 2 survived; the longest recovery took 3 s" in page


def test_what_was_not_survived_is_not_hidden():
    page = record.text(Found("2026-11-27", MACHINE, (case(survived=False),)))
    assert "1 cases, 0 survived" in page
    assert "| SIGKILL | storage | **no** |" in page


def test_what_is_written_is_read_again(tmp_path):
    found = Found.of([case(), case(place="engine", measured="120 MB")])
    assert [one.place for one in found.cases] == ["engine", "storage"]
    found.write(tmp_path / "results.json")
    assert Found.read(tmp_path / "results.json") == found
