"""Archives by a lock: right bytes or a message that names the file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import tenacity

from localcloud import jars
from localcloud.errors import CloudError, DownloadError

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
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)


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
    assert _names(folder) == {f"{name}-1.0.jar" for name in CONTENT}


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
    assert _names(tmp_path / "jars") == kept, "no half-written file is left"


def test_a_repository_that_is_not_there_is_told(lock, tmp_path, monkeypatch):
    monkeypatch.setenv("MAVEN_REPOSITORY", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"12 of 12 files .* from 127\.0\.0\.1"):
        jars.fetch(lock, tmp_path / "jars", lambda _: None)


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
