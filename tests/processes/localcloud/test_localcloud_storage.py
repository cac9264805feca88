"""The storage: Google's own client works unchanged, and what would leave its folder is refused."""

from __future__ import annotations

import http.client
import io
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from localcloud import gate, ports
from localcloud.layout import Layout
from localcloud.storage import api

MIB = 1 << 20


@dataclass
class Served:
    """A storage that serves from this process."""

    layout: Layout
    port: int

    @property
    def root(self) -> Path:
        return self.layout.data("storage")

    @property
    def url(self) -> str:
        return gate.url(self.layout, self.port)

    def client(self) -> storage.Client:
        options = {"api_endpoint": self.url}
        return storage.Client("p", credentials=AnonymousCredentials(), client_options=options)


@pytest.fixture
def served(layout: Layout) -> Iterator[Served]:
    port = ports.assign(["storage"], {})["storage"]
    server = api.server(layout, port)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Served(layout, port)
    server.should_exit = True
    thread.join()


@pytest.fixture
def bucket(served: Served) -> Iterator[storage.Bucket]:
    with served.client() as client:
        yield client.create_bucket("lake")


def test_a_connection_that_rested_takes_an_upload(served, bucket):
    """Terraform writes its state when everything is made: seconds after it has read it."""
    address = httpx.URL(served.url)
    connection = http.client.HTTPConnection(address.host, address.port)
    connection.auto_open = 0  # no second connection in secret
    connection.connect()
    try:
        for wait in (0, 6):
            time.sleep(wait)
            path = f"{address.path.rstrip('/')}/upload/storage/v1/b/lake/o"
            connection.request("POST", f"{path}?uploadType=media&name=state", b"{}")
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)
    finally:
        connection.close()


@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 17])
@pytest.mark.parametrize("chunk", [None, MIB])
def test_what_is_uploaded_comes_back(bucket, served: Served, size: int, chunk: int | None):
    content = os.urandom(size)
    blob = bucket.blob("raw/green/a month.csv.gz", chunk_size=chunk)
    blob.upload_from_file(
        io.BytesIO(content), size=size, checksum="crc32c", content_type="application/gzip"
    )
    found = bucket.get_blob("raw/green/a month.csv.gz")
    assert (found.size, found.crc32c, found.content_type) == (size, blob.crc32c, "application/gzip")
    assert found.download_as_bytes(checksum="crc32c", raw_download=True) == content
    assert found.download_as_bytes(start=0, end=0) == content[:1] if size else True
    assert (served.root / "lake" / "raw/green/a month.csv.gz").read_bytes() == content
    assert not list((served.root / ".uploads").iterdir())


def test_generations_are_conditions(bucket):
    blob = bucket.blob("x")
    blob.upload_from_string(b"1", if_generation_match=0)
    first = blob.generation
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").upload_from_string(b"2", if_generation_match=0)
    bucket.blob("x").upload_from_string(b"2", if_generation_match=first)
    assert bucket.get_blob("x").generation > first
    assert bucket.get_blob("x", generation=first) is None
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").delete(if_generation_match=first)
    bucket.blob("x").delete()
    with pytest.raises(exceptions.NotFound):
        bucket.blob("x").delete()


def test_bytes_that_are_not_those_announced_are_refused(bucket, served: Served):
    blob = bucket.blob("x")
    blob.md5_hash = "AAAAAAAAAAAAAAAAAAAAAA=="
    blob._changes.add("md5Hash")
    with pytest.raises(exceptions.BadRequest, match="doesn't match"):
        blob.upload_from_string(b"1")
    assert bucket.get_blob("x") is None
    assert not list((served.root / ".uploads").iterdir())


def test_a_listing_has_prefixes_pages_and_order(bucket):
    names = ["a/1", "a/2", "b", "c/d/1"]
    for name in reversed(names):
        bucket.blob(name).upload_from_string(b"")
    assert [b.name for b in bucket.list_blobs(page_size=1)] == names
    assert [b.name for b in bucket.list_blobs(prefix="a/")] == ["a/1", "a/2"]
    listing = bucket.list_blobs(delimiter="/")
    assert [b.name for b in listing] == ["b"]
    assert listing.prefixes == {"a/", "c/"}


def test_a_buckets_labels_are_set_changed_and_taken_away(bucket):
    assert bucket.labels == {}
    bucket.labels = {"stack": "ci-1", "run": "7"}
    bucket.patch()
    bucket.labels = {"run": "8"}
    bucket.patch()
    found = bucket.client.get_bucket("lake")
    assert found.labels == {"run": "8"}
    assert found.time_created is not None
    assert [one.labels for one in bucket.client.list_buckets()] == [{"run": "8"}]


def test_more_of_a_bucket_than_its_labels_is_not_changed(bucket):
    bucket.storage_class = "NEARLINE"
    with pytest.raises(exceptions.MethodNotImplemented, match="only the labels"):
        bucket.patch()


def test_a_bucket_goes_by_force_with_what_is_in_it(bucket):
    bucket.blob("a/b").upload_from_string(b"1")
    bucket.blob("c").upload_from_string(b"2")
    bucket.delete(force=True)
    assert not bucket.exists()


def test_a_bucket_goes_when_it_is_empty(bucket, served: Served):
    bucket.blob("a/b/c").upload_from_string(b"1")
    with pytest.raises(exceptions.Conflict, match="not empty"):
        bucket.delete()
    with pytest.raises(exceptions.Conflict):
        served.client().create_bucket("lake")
    bucket.blob("a/b/c").delete()
    bucket.delete()
    assert not (served.root / "lake").exists()
    with pytest.raises(exceptions.NotFound):
        list(served.client().list_blobs("lake"))


@pytest.mark.parametrize(
    "name", ["../x", "../../../x", "a/../../x", "/etc/x", "a//b", ".", "..", "a/", "x\n", "é" * 200]
)
def test_a_name_never_leaves_the_bucket(bucket, served: Served, tmp_path: Path, name: str):
    before = {path for path in tmp_path.rglob("*") if ".index" not in path.name}
    upload = f"{served.url}/upload/storage/v1/b/lake/o"
    for kind in ("media", "resumable"):
        answer = httpx.post(upload, params={"uploadType": kind, "name": name}, content=b"{}")
        assert answer.status_code == 400, answer.text
    quoted = name.replace("/", "%2F").replace("\n", "%0A").replace(".", "%2E")
    for method, path in (
        ("GET", f"/storage/v1/b/lake/o/{quoted}?alt=media"),
        ("DELETE", f"/storage/v1/b/lake/o/{quoted}"),
        ("GET", f"/download/storage/v1/b/lake/o/{quoted}"),
        ("GET", f"/lake/{quoted}"),
    ):
        assert httpx.request(method, served.url + path).status_code in (400, 404, 501)
    assert {path for path in tmp_path.rglob("*") if ".index" not in path.name} == before


@pytest.mark.parametrize("name", ["..", ".uploads", ".index.db", "a/b", "UP", "ab", "a..b"])
def test_a_bucket_is_nothing_but_a_folder_of_its_own(served: Served, name: str):
    answer = httpx.post(f"{served.url}/storage/v1/b?project=p", json={"name": name})
    assert answer.status_code == 400
    quoted = name.replace("/", "%2F").replace(".", "%2E")
    assert httpx.get(f"{served.url}/storage/v1/b/{quoted}/o").status_code in (404, 501)
    assert httpx.get(f"{served.url}/{quoted}/x").status_code in (400, 404, 501)


def test_an_upload_goes_on_after_the_server_was_killed(bucket, served: Served):
    start = f"{served.url}/upload/storage/v1/b/lake/o?uploadType=resumable&name=x"
    place = httpx.post(start, json={}).headers["location"]
    assert place.startswith(served.url)
    first = httpx.put(place, content=b"a" * 10, headers={"Content-Range": "bytes 0-9/20"})
    assert (first.status_code, first.headers["range"]) == (308, "bytes=0-9")
    # What another server finds in the same folder; nothing of a session is in memory.
    again = api.Api(served_objects(served))
    assert len(list(again._objects.parts.glob("*.part"))) == 1
    asked = httpx.put(place, headers={"Content-Range": "bytes */20"})
    assert (asked.status_code, asked.headers["range"]) == (308, "bytes=0-9")
    gap = httpx.put(place, content=b"b", headers={"Content-Range": "bytes 12-12/20"})
    assert gap.status_code == 400
    overlap = httpx.put(
        place, content=b"a" * 5 + b"b" * 10, headers={"Content-Range": "bytes 5-19/20"}
    )
    assert overlap.json()["size"] == "20"
    assert bucket.blob("x").download_as_bytes() == b"a" * 10 + b"b" * 10
    assert httpx.put(place, headers={"Content-Range": "bytes */20"}).status_code == 404


def served_objects(served: Served):
    from localcloud.storage.objects import Objects

    return Objects(served.root)


def test_a_file_that_came_without_its_row_is_an_object(bucket, served: Served):
    bucket.blob("x").upload_from_string(b"one")
    before = bucket.get_blob("x")
    (served.root / "lake" / "x").write_bytes(b"two")  # a kill between file and row leaves this
    after = bucket.get_blob("x")
    assert (after.generation > before.generation, after.crc32c != before.crc32c) == (True, True)
    assert after.download_as_bytes(checksum="crc32c") == b"two"


def test_what_it_can_t_do_is_refused_loudly(bucket, served: Served):
    with pytest.raises(exceptions.MethodNotImplemented):
        list(bucket.list_blobs(soft_deleted=True))
    body = {"name": "versioned", "versioning": {"enabled": True}}
    assert httpx.post(f"{served.url}/storage/v1/b?project=p", json=body).status_code == 501
    bucket.blob("x").upload_from_string(b"1")
    with pytest.raises(exceptions.MethodNotImplemented):
        bucket.copy_blob(bucket.blob("x"), bucket, "y")
