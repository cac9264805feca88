"""Archives by a lock: right bytes or a message that names the file."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tenacity

from localcloud import jars
from localcloud.errors import CloudError, DownloadError, MissingError
from localcloud.layout import default_cache

CONTENT = {f"lib{n}": f"content of {n}".encode() * 50 for n in range(12)}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    lines = [
        f"org.x:{name}:1.0:{hashlib.sha256(body).hexdigest()}" for name, body in CONTENT.items()
    ]
    path = tmp_path / "some.lock"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "_WAIT", tenacity.wait_none())


@pytest.fixture
def repository(serve, monkeypatch: pytest.MonkeyPatch):
    """A Maven repository; `spoil(name, answers)` makes the first answers for a file odd ones."""
    odd: dict[str, list] = {}

    def answer(path: str, count: int):
        name = path.split("/")[-3]
        answers = odd.get(name, [])
        if count <= len(answers):
            return answers[count - 1]
        return 200, CONTENT[name], None

    server = serve(answer)
    monkeypatch.setenv("MAVEN_REPOSITORY", server.url + "/")
    server.spoil = lambda name, *answers: odd.__setitem__(name, list(answers))
    return server


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_fetches_every_file_of_the_lock_from_its_place_in_the_repository(
    lock, repository, tmp_path
):
    folder = tmp_path / "jars"
    assert jars.fetch(lock, folder, lambda _: None) == 12
    assert (folder / "lib3-1.0.jar").read_bytes() == CONTENT["lib3"]
    assert "/org/x/lib3/1.0/lib3-1.0.jar" in repository.requests
    assert _names(folder) == {".lock", *(f"{name}-1.0.jar" for name in CONTENT)}


def test_fetches_only_what_is_missing_or_spoilt(lock, repository, tmp_path):
    folder = tmp_path / "jars"
    jars.fetch(lock, folder, lambda _: None)
    (folder / "lib1-1.0.jar").unlink()
    (folder / "lib2-1.0.jar").write_bytes(CONTENT["lib2"][:-1])
    assert [jar.artifact for jar in jars.missing(lock, folder)] == ["lib1", "lib2"]
    assert jars.fetch(lock, folder, lambda _: None) == 2
    assert jars.fetch(lock, folder, lambda _: None) == 0
    assert jars.missing(lock, folder) == []


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param((503, b"busy", None), id="server error"),
        pytest.param((200, b"<html>not a jar</html>", None), id="other bytes"),
        pytest.param((200, CONTENT["lib5"][:100], len(CONTENT["lib5"])), id="cut off"),
    ],
)
def test_what_comes_broken_is_named_and_tried_again(lock, repository, tmp_path, odd):
    repository.spoil("lib5", odd, odd)
    said: list[str] = []
    jars.fetch(lock, tmp_path / "jars", said.append)
    assert jars.missing(lock, tmp_path / "jars") == []
    assert sum("lib5-1.0.jar" in line and "trying again" in line for line in said) == 2


def test_what_stays_broken_is_named_and_the_rest_is_kept(lock, repository, tmp_path):
    repository.spoil("lib5", *[(200, b"wrong", None)] * 20)
    repository.spoil("lib7", *[(404, b"", None)] * 20)
    with pytest.raises(DownloadError) as caught:
        jars.fetch(lock, tmp_path / "jars", lambda _: None)
    assert "2 of 12 files" in str(caught.value)
    assert "org.x:lib5:1.0" in str(caught.value)
    assert "org.x:lib7:1.0: the server answers 404" in str(caught.value)
    assert repository.requests["/org/x/lib7/1.0/lib7-1.0.jar"] == 1, "404 is final"
    kept = {f"{name}-1.0.jar" for name in CONTENT if name not in ("lib5", "lib7")}
    assert _names(tmp_path / "jars") == {".lock", *kept}, "no half-written file is left"


def test_what_a_killed_call_left_is_removed(lock, repository, tmp_path):
    folder = tmp_path / "jars"
    folder.mkdir()
    (folder / ".lib3-1.0.jar.99.part").write_bytes(CONTENT["lib3"][:9])
    jars.fetch(lock, folder, lambda _: None)
    assert not list(folder.glob(".*.part"))


def test_two_calls_at_once_fetch_every_file_once(lock, repository, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(jars.fetch, lock, tmp_path / "jars", lambda _: None) for _ in range(2)]
    assert sorted(call.result() for call in calls) == [0, 12]
    assert set(repository.requests.values()) == {1}


def test_a_repository_that_is_not_there_is_given_up_soon(lock, tmp_path, monkeypatch):
    monkeypatch.setenv("MAVEN_REPOSITORY", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"8 of 12 files .* from 127\.0\.0\.1") as caught:
        jars.fetch(lock, tmp_path / "jars", lambda _: None)
    assert "the other 4 were not tried: nothing came" in str(caught.value)


def test_a_page_in_place_of_the_files_is_told_by_its_type(lock, repository, tmp_path):
    for name in CONTENT:
        repository.spoil(name, *[(200, b"<html>sign in</html>", None)] * 20)
    with pytest.raises(DownloadError, match="20 bytes of text/html with sha256"):
        jars.fetch(lock, tmp_path / "jars", lambda _: None)


@pytest.mark.parametrize("mirror", ["nonsense", "file:///srv/maven", "http://"])
def test_a_mirror_that_is_no_url_is_told(lock, tmp_path, monkeypatch, mirror):
    monkeypatch.setenv("MAVEN_REPOSITORY", mirror)
    with pytest.raises(CloudError, match=r"MAVEN_REPOSITORY: .* must be the URL"):
        jars.fetch(lock, tmp_path / "jars", lambda _: None)


def _prepare(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localcloud.prepare"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_cache_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    done = _prepare(TAXISTACK_CACHE=str(tmp_path / "file" / "cache"))
    assert done.returncode == 3
    assert done.stderr == (
        f"bootstrap: can't use {tmp_path / 'file' / 'cache' / 'jars'}: Not a directory; "
        "TAXISTACK_CACHE names another folder\n"
    )


def test_a_user_without_a_home_is_asked_for_a_cache(monkeypatch):
    monkeypatch.delenv("TAXISTACK_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", _no_home)
    with pytest.raises(MissingError, match="no home folder") as caught:
        default_cache()
    assert caught.value.hint == "Name a folder by TAXISTACK_CACHE."


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_without_a_mirror_jgo_names_the_repository(monkeypatch):
    from jgo.constants import MAVEN_CENTRAL_URL

    monkeypatch.delenv("MAVEN_REPOSITORY", raising=False)
    assert jars.repository() == MAVEN_CENTRAL_URL


def test_a_broken_lock_is_told_by_its_line(tmp_path):
    lock = tmp_path / "bad.lock"
    lock.write_text("# comment\n\norg.x:lib:1.0\n")
    with pytest.raises(CloudError, match=r"bad\.lock, line 3"):
        jars.read_lock(lock)


def test_the_engines_own_locks_can_be_read():
    folder = Path(jars.__file__).parent / "kestra"
    assert len(jars.read_lock(folder / "engine.lock")) > 200
    assert jars.read_lock(folder / "build.lock")
