"""An audit that got no answer is no clean one."""

from __future__ import annotations

import json
import subprocess

import pytest

import audit

GOOD = {"name": "jinja2", "version": "3.1.6", "vulns": []}
FLAW = {"id": "PYSEC-1", "fix_versions": ["3.1.7"], "aliases": [], "description": "…"}
BAD = {**GOOD, "vulns": [FLAW]}
SKIPPED = {"name": "isal", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("found", "code", "told"),
    [
        ([GOOD], 0, []),
        ([GOOD, BAD], 1, ["jinja2 3.1.6: PYSEC-1, mended in 3.1.7"]),
        ([GOOD, SKIPPED], 3, ["isal: Dependency not found on PyPI"]),
        ([SKIPPED, BAD], 1, ["jinja2 3.1.6: PYSEC-1, mended in 3.1.7",
                             "isal: Dependency not found on PyPI"]),
        ([], 3, ["there is no package in these lists"]),
    ],
)  # fmt: skip
def test_what_was_not_looked_up_is_no_good_package(found, code, told):
    assert audit.judged(found) == (code, told)


def test_a_flaw_without_a_mend_says_so():
    flaw = {**FLAW, "fix_versions": []}
    assert audit.judged([{**GOOD, "vulns": [flaw]}])[1] == [
        "jinja2 3.1.6: PYSEC-1, mended in no version yet"
    ]


def answered(monkeypatch, stdout: str) -> None:
    done = subprocess.CompletedProcess([], 0, stdout, "no network")
    monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: done)


def test_a_program_that_says_nothing_is_told(monkeypatch, capsys, tmp_path):
    answered(monkeypatch, "")
    with pytest.raises(SystemExit) as ended:
        audit.main([str(tmp_path / "list.txt")])
    assert ended.value.code == 3
    assert capsys.readouterr().err == "no network"


def test_the_lists_are_all_that_are_locked(monkeypatch, capsys):
    answered(monkeypatch, json.dumps({"dependencies": [GOOD], "fixes": []}))
    assert audit.main([]) == 0
    assert capsys.readouterr().err == "3 packages: none is known to be vulnerable\n"
    locked = {
        str(path.relative_to(audit.ROOT))
        for folder in (".", "analytics", "infra/kestra")
        for path in (audit.ROOT / folder).glob("requirements*.txt")
    }
    assert locked == {*audit.LISTS, "requirements-cloud.txt"}  # a part of the first
