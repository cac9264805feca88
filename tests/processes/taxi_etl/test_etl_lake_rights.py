"""What the lake's calls may ask for: the Kestra server has rights on objects, none on the bucket.

`roles/storage.objectUser` gets, lists, creates and deletes objects; it does not read the bucket.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from taxi_etl import lake
from taxi_etl.errors import Terminal


class _ObjectsOnly(BaseHTTPRequestHandler):
    """An empty bucket `lake` as an object user sees it; there is no other bucket."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/storage/v1/b/lake":
            self._answer(403, {"error": {"message": "storage.buckets.get access is denied"}})
        elif path == "/storage/v1/b/lake/o":
            self._answer(200, {"kind": "storage#objects"})
        else:
            self._answer(404, {"error": {"message": "Not Found"}})

    def _answer(self, status: int, body: dict[str, object]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def client() -> Iterator[storage.Client]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _ObjectsOnly)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    options = {"api_endpoint": f"http://127.0.0.1:{server.server_port}"}
    with storage.Client("p", credentials=AnonymousCredentials(), client_options=options) as made:
        yield made
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_object_user_is_told_that_there_is_no_object(client):
    assert lake.find(client, "lake", "raw/green/green_tripdata_2019-01.csv.gz") is None


def test_a_missing_bucket_is_told_from_a_missing_object(client):
    with pytest.raises(Terminal, match="the bucket gs://none does not exist"):
        lake.find(client, "none", "raw/green/green_tripdata_2019-01.csv.gz")
