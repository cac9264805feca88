"""The record of objects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localcloud.google.errors import AlreadyExists
from localcloud.google.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "google" / "objects.db")


def test_an_object_is_kept_and_forgotten(store: Store) -> None:
    store.add("t", "1", {"a": [1]})
    assert store.get("t", "1") == {"a": [1]}
    store.put("t", "1", {"a": [2]})
    assert store.get("t", "1") == {"a": [2]}
    assert (store.ids("t"), store.ids("u")) == (["1"], [])
    store.remove("t", "1")
    store.remove("t", "1")
    assert store.get("t", "1") is None


def test_an_id_is_taken_once_whoever_asks(store: Store) -> None:
    def take(number: int) -> bool:
        try:
            store.add("t", "1", {"number": number})
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(32))) == 1
