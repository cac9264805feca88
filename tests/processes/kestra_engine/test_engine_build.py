"""What a build of the engine depends on, and what it says when something is missing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localcloud.errors import CloudError, MissingError, PartError
from localcloud.kestra import build, built, launcher, runtime
from localcloud.kestra.build import _step
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
    before = runtime.digest(tmp_path)
    changed = tmp_path / "engine.lock"
    changed.write_text(runtime.ENGINE_LOCK.read_text() + "\n")
    monkeypatch.setattr(runtime, "HERE", tmp_path)
    monkeypatch.setattr(runtime, "ENGINE_LOCK", changed)
    monkeypatch.setattr(runtime, "BUILD_LOCK", changed)
    monkeypatch.setattr(runtime, "SOURCES", tmp_path / "java")
    assert runtime.digest(tmp_path) != before


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
