"""The local Secret Manager."""

from __future__ import annotations

import stat

import pytest

from localcloud import CloudError, InstanceConfig, SecretStore


@pytest.fixture
def store(tmp_path) -> SecretStore:
    return SecretStore(tmp_path / "secrets")


def test_the_latest_version_is_the_one_added_last(store):
    assert [store.add("kestra", value) for value in ("one", "two", "three")] == ["1", "2", "3"]
    assert store.get("kestra") == "three"
    assert store.get("kestra", "1") == "one"
    assert store.versions("kestra") == ["1", "2", "3"]


def test_more_than_nine_versions_keep_their_order(store):
    for number in range(1, 13):
        store.add("kestra", f"value {number}")
    assert store.get("kestra") == "value 12"
    assert store.versions("kestra")[-1] == "12"


def test_a_destroyed_version_is_gone_and_its_number_too(store):
    store.add("kestra", "one")
    store.add("kestra", "two")
    store.delete("kestra", "2")
    assert store.versions("kestra") == ["1"]
    with pytest.raises(CloudError, match="no version 2"):
        store.get("kestra")
    assert store.add("kestra", "three") == "3"
    assert store.get("kestra") == "three"


def test_a_deleted_secret_begins_anew(store):
    store.add("kestra", "one")
    store.delete("kestra")
    store.delete("kestra")
    assert store.versions("kestra") == []
    assert store.add("kestra", "again") == "1"


def test_only_the_owner_reads_a_secret(store, tmp_path):
    store.add("kestra", "one")
    file = tmp_path / "secrets" / "kestra" / "1"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["../other", "a/b", "", ".", "x" * 256, "a b"])
def test_a_name_that_is_no_secret_id_is_refused(store, name):
    with pytest.raises(CloudError, match="no secret id"):
        store.add(name, "value")


def test_errors_and_reprs_carry_no_value(store):
    store.add("kestra", "hush-hush")
    with pytest.raises(CloudError) as caught:
        store.get("kestra", "7")
    assert "hush" not in str(caught.value)
    config = InstanceConfig(user="a@b.c", password="hush-hush", secrets={"X": "hush-hush"})
    assert "hush" not in repr(config)
