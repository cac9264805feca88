"""What `publish` asks of the lake, and what it takes for an equal object; no server."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core.exceptions import PreconditionFailed

from taxi_etl import lake
from taxi_etl.errors import LakeConflict

CONTENT = b"published"


class Lake:
    """A bucket of one object: `there` is what stands in it, `arrives` what an upload makes."""

    def __init__(self, there: tuple[str, int, int] | None = None) -> None:
        self.there = there
        self.arrives = ("mine", len(CONTENT), 9)
        self.quicker: tuple[str, int, int] | None = None
        self.asked: list[dict[str, Any]] = []

    def bucket(self, name: str) -> Lake:
        return self

    def _blob(self) -> SimpleNamespace:
        crc32c, size, generation = self.there
        return SimpleNamespace(
            bucket=SimpleNamespace(name="lake"), name="raw/a", size=size, crc32c=crc32c,
            generation=generation, upload_from_filename=self.upload,
        )  # fmt: skip

    def get_blob(self, name: str, **how: object) -> SimpleNamespace | None:
        return self._blob() if self.there else None

    def list_blobs(self, *what: object, **how: object) -> list[object]:
        return []

    def blob(self, name: str, chunk_size: int) -> Any:
        lake_ = self

        class Blob:
            def __getattr__(self, field: str) -> Any:
                return getattr(lake_._blob(), field)

            def upload_from_filename(self, path: str, **asked: Any) -> None:
                lake_.upload(path, **asked)

        return Blob()

    def upload(self, path: str, **asked: Any) -> None:
        self.asked.append(asked)
        if self.quicker:
            self.there = self.quicker
            raise PreconditionFailed("another generation")
        self.there = self.arrives


def publish(client: Lake, tmp_path: Path, *, replace: bool = False) -> lake.LakeObject:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return lake.publish(client, "lake", "raw/a", path, "mine", replace=replace)


def test_an_equal_object_is_left_as_it_is(tmp_path):
    client = Lake(("mine", len(CONTENT), 4))
    assert publish(client, tmp_path).generation == 4
    assert client.asked == []


@pytest.mark.parametrize("there", [("other", len(CONTENT), 4), ("mine", 1, 4)])
def test_other_bytes_of_the_same_size_or_another_size_are_not(tmp_path, there):
    with pytest.raises(LakeConflict, match="holds other bytes"):
        publish(Lake(there), tmp_path)


@pytest.mark.parametrize(("there", "generation"), [(None, 0), (("other", 1, 4), 4)])
def test_an_upload_replaces_the_generation_that_was_seen_and_no_other(tmp_path, there, generation):
    client = Lake(there)
    publish(client, tmp_path, replace=True)
    assert [one["if_generation_match"] for one in client.asked] == [generation]
    assert client.asked[0]["checksum"] == "crc32c"


def test_who_was_quicker_with_the_same_bytes_has_done_the_work(tmp_path):
    client = Lake()
    client.quicker = ("mine", len(CONTENT), 5)
    assert publish(client, tmp_path).generation == 5


@pytest.mark.parametrize("quicker", [("other", len(CONTENT), 5), ("mine", 1, 5)])
def test_who_was_quicker_with_other_bytes_is_a_conflict(tmp_path, quicker):
    client = Lake()
    client.quicker = quicker
    with pytest.raises(LakeConflict, match="changed by somebody else"):
        publish(client, tmp_path)


@pytest.mark.parametrize("arrives", [("other", len(CONTENT), 9), ("mine", 1, 9)])
def test_what_arrives_must_be_what_was_sent(tmp_path, arrives):
    client = Lake()
    client.arrives = arrives
    with pytest.raises(LakeConflict, match="arrived as"):
        publish(client, tmp_path)
