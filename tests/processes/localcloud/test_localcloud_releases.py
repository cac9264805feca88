"""The release site: files of one folder, with the HTTP that a resuming download needs."""

from __future__ import annotations

import http.client
import socket
import threading
from pathlib import Path

import pytest
import uvicorn

from localcloud import CloudError, LocalCloud
from localcloud.layout import Layout
from localcloud.releases import site

BODY = bytes(range(256)) * 40


@pytest.fixture
def releases(tmp_path: Path, layout: Layout) -> Path:
    folder = tmp_path / "files"
    (folder / "yellow").mkdir(parents=True)
    (folder / "yellow" / "a.csv.gz").write_bytes(BODY)
    (tmp_path / "outside.txt").write_text("not yours")
    LocalCloud(layout.folder).serve(folder)
    return folder


@pytest.fixture
def get(layout: Layout, releases: Path):
    """Ask the running site; gives status, headers and body."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(site(layout), log_level="warning", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()

    def ask(path: str, method: str = "GET", **headers: str):
        connection = http.client.HTTPConnection(*listener.getsockname(), timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.putrequest(method, path, skip_host=False)
            for name, value in named.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    yield ask
    server.should_exit = True
    thread.join()
    listener.close()


def test_a_file_comes_with_its_length_and_validators(get):
    status, headers, body = get("/yellow/a.csv.gz")
    assert (status, body) == (200, BODY)
    assert headers["Content-Length"] == str(len(BODY))
    assert headers["ETag"].startswith('"')
    assert headers["Last-Modified"].endswith("GMT")
    assert headers["Accept-Ranges"] == "bytes"
    assert "Content-Encoding" not in headers


def test_head_gives_the_headers_alone(get):
    status, headers, body = get("/yellow/a.csv.gz", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(BODY)), b"")


def test_a_range_continues_a_download(get):
    etag = get("/yellow/a.csv.gz", "HEAD")[1]["ETag"]
    status, headers, body = get("/yellow/a.csv.gz", Range="bytes=1000-", If_Range=etag)
    assert (status, body) == (206, BODY[1000:])
    assert headers["Content-Range"] == f"bytes 1000-{len(BODY) - 1}/{len(BODY)}"


def test_a_range_of_another_file_gives_the_whole_one(get):
    status, _, body = get("/yellow/a.csv.gz", Range="bytes=1000-", If_Range='"other"')
    assert (status, body) == (200, BODY)


def test_a_range_behind_the_end_is_refused(get):
    status, headers, _ = get("/yellow/a.csv.gz", Range="bytes=99999-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(BODY)}")


def test_what_did_not_change_is_not_sent_again(get):
    etag = get("/yellow/a.csv.gz", "HEAD")[1]["ETag"]
    assert get("/yellow/a.csv.gz", If_None_Match=etag)[0] == 304


def test_the_etag_changes_with_the_file(get, releases):
    before = get("/yellow/a.csv.gz", "HEAD")[1]["ETag"]
    (releases / "yellow" / "a.csv.gz").write_bytes(BODY[:-1])
    assert get("/yellow/a.csv.gz", "HEAD")[1]["ETag"] != before


@pytest.mark.parametrize("path", ["/", "/yellow", "/yellow/", "/yellow/b.csv.gz", "/a.csv.gz"])
def test_what_is_not_a_file_is_not_found(get, path):
    assert get(path)[0] == 404


@pytest.mark.parametrize(
    "path",
    ["/../outside.txt", "/yellow/../../outside.txt", "/%2e%2e/outside.txt", "//etc/passwd",
     "/..%2foutside.txt", "/link.txt", "/yellow/%00"],
)  # fmt: skip
def test_nothing_outside_the_folder_is_served(get, releases, path):
    (releases / "link.txt").symlink_to(releases.parent / "outside.txt")
    status, _, body = get(path)
    assert (status, body) != (200, b"not yours")
    assert status in (400, 404)


def test_only_reading_is_allowed(get):
    assert get("/yellow/a.csv.gz", "DELETE")[0] == 405


def test_another_folder_and_new_files_need_no_restart(get, releases, layout, tmp_path):
    (releases / "yellow" / "b.csv.gz").write_bytes(b"new")
    assert get("/yellow/b.csv.gz")[2] == b"new"
    other = tmp_path / "other"
    other.mkdir()
    (other / "c.txt").write_text("c")
    cloud = LocalCloud(layout.folder)
    cloud.serve(other)
    assert cloud.release_folder == other
    assert get("/c.txt")[2] == b"c"
    assert get("/yellow/a.csv.gz")[0] == 404


def test_a_folder_that_vanished_gives_404(get, releases):
    releases.rename(releases.with_name("moved"))
    assert get("/yellow/a.csv.gz")[0] == 404


def test_only_a_folder_can_be_served(layout, tmp_path):
    with pytest.raises(CloudError, match="not a folder"):
        LocalCloud(layout.folder).serve(tmp_path / "missing")
