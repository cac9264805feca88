"""What the local target says before it starts anything."""

from __future__ import annotations

import pytest
from tests.conftest import settings_of

from localcloud.google.store import Store
from taxistack.errors import UsageError
from taxistack.targets import open_target


@pytest.mark.parametrize(("setting", "asked"), [("name", "another"), ("project", "some-project")])
def test_a_local_cloud_that_holds_another_stack_is_left_alone(tmp_path, setting, asked):
    target = open_target(settings_of(tmp_path, **{setting: asked}))
    store = Store(target.cloud.layout.data("google") / "objects.db")
    bucket = {"project": "taxistack-local", "effective_labels": {"stack": "taxistack"}}
    store.add("google_storage_bucket", "taxistack-local-taxistack-lake", bucket)
    with pytest.raises(UsageError, match=f"setting {setting}: .* not {asked}"):
        target.prepare(print)
    assert target.cloud.state() is None, "nothing was started"
