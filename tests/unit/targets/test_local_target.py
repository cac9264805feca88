"""What the local target says before it starts anything."""

from __future__ import annotations

import pytest
from tests.conftest import settings_of

from localcloud.google.store import Store
from taxistack.errors import MissingError, UsageError
from taxistack.targets import open_target


def test_an_engine_that_is_not_built_is_told_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("TAXISTACK_CACHE", str(tmp_path / "cache"))
    target = open_target(settings_of(tmp_path / "state"))
    with pytest.raises(MissingError, match="engine is not built") as caught:
        target.check()
    assert "scripts/bootstrap" in caught.value.hint
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(("setting", "asked"), [("name", "another"), ("project", "some-project")])
def test_a_local_cloud_that_holds_another_stack_is_left_alone(tmp_path, setting, asked):
    target = open_target(settings_of(tmp_path, **{setting: asked}))
    store = Store(target.cloud.layout.data("google") / "objects.db")
    bucket = {"project": "taxistack-local", "effective_labels": {"stack": "taxistack"}}
    store.add("google_storage_bucket", "taxistack-local-taxistack-lake", bucket)
    with pytest.raises(UsageError, match=f"setting {setting}: .* not {asked}"):
        target.prepare(print)
    assert target.cloud.state() is None, "nothing was started"
