"""How often the lake is asked: each call is a part of a small month's time."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import google_crc32c
import pytest
from google.cloud import storage

from taxi_etl import google_clients, lake
from taxi_etl.errors import LakeConflict, Terminal
from taxi_etl.surroundings import settle

NAME = "raw/green/green_tripdata_2019-01.csv.gz"
BODY = b"a month file" * 1000
CRC32C = base64.b64encode(google_crc32c.Checksum(BODY).digest()).decode()


class Lake(ThreadingHTTPServer):
    """The bucket `lake`, as Cloud Storage answers; keeps what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.held: bytes | None = None
        self.says_hash = True


class _Handler(BaseHTTPRequestHandler):
    server: Lake

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        of_file = parse_qs(parts.query).get("alt") == ["media"]
        self.server.asked.append("download" if of_file else "look")
        generation = parse_qs(parts.query).get("generation", ["1"])
        if self.server.held is None or generation != ["1"]:
            self._answer(404, b"{}")
        elif of_file:
            said = {"X-Goog-Hash": f"crc32c={CRC32C}"} if self.server.says_hash else {}
            self._answer(200, self.server.held, said)
        else:
            self._answer(200, self._described())

    def do_POST(self) -> None:
        self.server.asked.append("upload")
        self.rfile.read(int(self.headers["Content-Length"]))
        if "/b/lake/" not in self.path:
            self._answer(404, b"{}")
            return
        self.server.held = BODY
        self._answer(200, self._described())

    def _described(self) -> bytes:
        about = {"name": NAME, "size": str(len(BODY)), "crc32c": CRC32C, "generation": "1"}
        return json.dumps(about).encode()

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Lake]:
    with Lake() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(service, monkeypatch) -> Iterator[storage.Client]:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{service.server_port}")
    monkeypatch.setattr("os.environ", os.environ | {})
    settle(os.environ)
    with google_clients.storage_client() as made:
        yield made


@pytest.mark.parametrize("says_hash", [True, False])
def test_an_object_comes_with_one_call_that_says_what_it_is(service, client, tmp_path, says_hash):
    service.held, service.says_hash = BODY, says_hash
    found = lake.download(client, "lake", NAME, 1, tmp_path / "f")
    assert found == lake.LakeObject("lake", NAME, len(BODY), CRC32C, 1)
    assert (tmp_path / "f").read_bytes() == BODY
    assert service.asked == (["download"] if says_hash else ["download", "look"])


def test_bytes_that_are_not_the_object_s_are_refused(service, client, tmp_path):
    service.held = BODY[::-1]
    with pytest.raises(Exception, match="Checksum mismatch"):
        lake.download(client, "lake", NAME, 1, tmp_path / "f")
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("held", [BODY, None])
def test_another_generation_is_not_taken(service, client, tmp_path, held):
    service.held = held
    with pytest.raises(LakeConflict, match="is not there in generation 2: it was replaced"):
        lake.download(client, "lake", NAME, 2, tmp_path / "f")
    assert not (tmp_path / "f").exists()


def test_a_new_object_is_looked_for_and_sent(service, client, tmp_path):
    (tmp_path / "f").write_bytes(BODY)
    for _ in range(2):
        lake.publish(client, "lake", NAME, tmp_path / "f", CRC32C, replace=False)
    assert service.asked == ["look", "upload", "look"]


def test_a_missing_bucket_is_told_by_the_upload(client, tmp_path):
    (tmp_path / "f").write_bytes(BODY)
    with pytest.raises(Terminal, match="the bucket gs://none does not exist"):
        lake.publish(client, "none", NAME, tmp_path / "f", CRC32C, replace=False)
