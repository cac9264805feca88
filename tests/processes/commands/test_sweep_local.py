"""What `sweep` removes of this machine, and what it lets be."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from localcloud import processes, register
from localcloud.google.store import Store
from localcloud.kestra.runtime import Build
from localcloud.layout import Layout
from localcloud.record import Record
from taxistack import state_folder
from taxistack.commands import provision, sweep
from taxistack.console import Console
from taxistack.errors import FailedError, UsageError
from taxistack.settings import ROOT, Settings
from taxistack.targets import open_target

LONG_AGO = time.time() - 7 * 3600


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("TAXISTACK_CACHE", str(folder))
    return folder


@pytest.fixture
def target(tmp_path: Path, cache: Path):
    raw = yaml.safe_load((ROOT / "invoke.yaml").read_text())["taxistack"]
    return open_target(Settings.load(raw, state=str(tmp_path / "own")))


def swept(target, capsys, *, yes: bool = False, older_than: str = "6h") -> dict[str, tuple]:
    """Verdict and reason by name, as `--json` tells them."""
    sweep.sweep(target, Console(json=True, assume_yes=yes), older_than=older_than)
    said = json.loads(capsys.readouterr().out)
    assert said["changed"] is yes
    return {Path(one["name"]).name: (one["goes"], one["why"]) for one in said["found"]}


def build(cache: Path, name: str, *, complete: bool = True) -> Path:
    folder = cache / "engine" / name
    folder.mkdir(parents=True)
    (folder / "face.jar").write_bytes(b"x")
    if complete:
        (folder / "complete").touch()
    return folder


def age(folder: Path, moment: float = LONG_AGO) -> None:
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (moment, moment), follow_symlinks=False)


def cloud(cache: Path, state: Path, run: str, *, mark: bool = True) -> Path:
    """A stopped local cloud with a stack of that run, which nobody has touched for long."""
    layout = Layout(state / "cloud")
    layout.create()
    record = Record()
    record.save(layout)
    labels = {"stack": "taxi", "environment": "ci", "run": run}
    made = {"project": "taxistack-local", "effective_labels": labels}
    Store(layout.data("google") / "objects.db").put("google_storage_bucket", "lake", made)
    if mark:
        (state / state_folder.MARK).touch()
    register.note(cache, record.id, layout.folder)
    age(layout.folder)
    return layout.folder


def test_builds_that_no_clone_uses_go_and_all_others_stay(target, cache, capsys):
    month = time.time() - register.KEPT.total_seconds() - 3600
    own = Build(cache).folder.name
    builds = {
        "forgotten": build(cache, "forgotten"),
        own: build(cache, own),
        "another": build(cache, "another"),
        "broken": build(cache, "broken", complete=False),
        "under-way": build(cache, "under-way", complete=False),
    }
    age(builds["forgotten"], month)
    age(builds[own], month)
    age(builds["another"])
    age(builds["broken"])

    told = swept(target, capsys)
    assert {name for name, (goes, _) in told.items() if goes} == {"forgotten", "broken"}
    assert "last started 30 d ago" in told["forgotten"][1]
    assert "this clone's" in told[own][1]
    assert all(folder.exists() for folder in builds.values()), "nothing goes without --yes"

    swept(target, capsys, yes=True)
    assert {name for name, folder in builds.items() if folder.exists()} == {
        own, "another", "under-way",
    }  # fmt: skip


def test_builds_that_somebody_uses_or_makes_and_what_is_none_stay(target, cache, tmp_path, capsys):
    month = time.time() - register.KEPT.total_seconds() - 3600
    started, made = build(cache, "started"), build(cache, "made", complete=False)
    age(started, month)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "complete").touch()
    age(elsewhere, month)
    (cache / "engine" / "linked").symlink_to(elsewhere)
    # As the JVM has its jar, and as bootstrap has the lock while it builds.
    with (started / "face.jar").open(), made.with_suffix(".lock").open("w"):
        told = swept(target, capsys, yes=True, older_than="0m")
        uses = (False, f"0 MiB; process {os.getpid()} uses it")
        assert told == {"started": uses, "made": uses}
    assert started.exists()
    assert made.exists()
    told = swept(target, capsys, yes=True, older_than="0m")
    assert [goes for goes, _ in told.values()] == [True, True]
    assert [path.name for path in (cache / "engine").iterdir()] == ["linked"], "no lock is left"
    assert (elsewhere / "complete").exists()


def test_what_a_person_has_to_type_is_whole_in_a_narrow_terminal(
    target, cache, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "80")
    folder = cloud(cache, tmp_path / "of 'my' own", "manual")
    sweep.sweep(target, Console(), older_than="6h")
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith(str(folder))]
    quoted = re.search(r"made by hand; (INVOKE_TAXISTACK_STATE=.*) invoke down removes it", line)
    said = subprocess.run(
        ["sh", "-c", f"{quoted[1]} sh -c 'echo \"$INVOKE_TAXISTACK_STATE\"'"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(said.stdout.strip()) == folder.parent


def test_a_runs_stack_in_another_folder_goes_and_a_persons_stays(
    target, cache, tmp_path, capsys, monkeypatch
):
    of_run = cloud(cache, tmp_path / "run", "gh-7")
    by_hand = cloud(cache, tmp_path / "hand", "manual")
    cloud(cache, tmp_path / "test", "gh-8", mark=False)
    young = cloud(cache, tmp_path / "young", "gh-9")
    os.utime(young / "state.json")
    asked = []

    def down(one, console, *, keep_data):
        asked.append((one.settings.state, one.settings.name, console.assume_yes, keep_data))
        shutil.rmtree(one.cloud.layout.folder)

    monkeypatch.setattr(provision, "down", down)
    sweep.sweep(target, Console(json=True), older_than="6h")
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["found"]}
    assert [name for name, one in found.items() if one["goes"]] == [str(of_run)]
    assert f"INVOKE_TAXISTACK_STATE={by_hand.parent} invoke down" in found[str(by_hand)]["why"]
    assert asked == []

    sweep.sweep(target, Console(json=True, assume_yes=True), older_than="6h")
    assert asked == [(of_run.parent, "taxi", True, False)]
    assert by_hand.exists()
    assert young.exists()


def test_what_stays_ends_with_an_error(target, cache, tmp_path, monkeypatch):
    cloud(cache, tmp_path / "run", "gh-7")

    def down(one, console, *, keep_data):
        raise FailedError("no space left on device")

    monkeypatch.setattr(provision, "down", down)
    with pytest.raises(FailedError, match=r"1 thing stayed: .*no space left on device"):
        sweep.sweep(target, Console(json=True, assume_yes=True), older_than="6h")


def test_processes_whose_folder_was_deleted_go(target, cache, tmp_path, capsys):
    folder = tmp_path / "deleted" / "cloud"
    register.note(cache, "0123456789abcdef", folder)
    register.note(cache, "fedcba9876543210", tmp_path / "long-gone")
    mark = {**os.environ, processes.MARK: "0123456789abcdef"}
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(sleeper, env=mark) as process:
        try:
            told = swept(target, capsys)
            assert told == {"cloud": (True, "1 live on, and their folder is gone")}
            assert psutil.pid_exists(process.pid)
            swept(target, capsys, yes=True)
            assert process.wait(timeout=20) != 0
        finally:
            process.kill()
    assert swept(target, capsys) == {}
    assert list((cache / "clouds").iterdir()) == [], "what is gone is forgotten"


def test_a_cloud_in_the_folder_of_one_that_was_deleted_is_not_taken_for_it(
    target, cache, tmp_path, capsys
):
    """As after `rm -r .taxistack` and another `up`."""
    folder = cloud(cache, tmp_path / "again", "manual")
    register.note(cache, "0123456789abcdef", folder)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        try:
            Layout(folder).run.mkdir(exist_ok=True)
            identity = json.dumps(processes.identity(process.pid))
            (Layout(folder).run / "kestra.json").write_text(identity)
            told = swept(target, capsys, yes=True, older_than="0m")
            assert [why.split(";")[0] for _, why in told.values()] == ["made by hand"]
            assert process.poll() is None
        finally:
            process.kill()
    known = [path.stem for path in (cache / "clouds").iterdir()]
    assert known == [Record.load(Layout(folder)).id], "the one that was deleted is forgotten"


def test_a_length_of_time_that_is_none_is_refused(target):
    with pytest.raises(UsageError, match="--older-than soon: must be like 30m, 6h or 2d"):
        sweep.sweep(target, Console(), older_than="soon")
