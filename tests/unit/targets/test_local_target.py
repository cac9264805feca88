"""What the local target says before it starts anything."""

from __future__ import annotations

import pytest
from tests.conftest import settings_of

from localcloud.google.store import Store
from taxistack.errors import FailedError, UsageError
from taxistack.kestra import Unauthorized, Unavailable
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


class Answering:
    """A Kestra client whose server answers so."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    def ready(self) -> str:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)


def test_a_server_that_does_not_answer_yet_is_waited_for(tmp_path, monkeypatch):
    target = open_target(settings_of(tmp_path))
    monkeypatch.setattr(target, "was_stopped", lambda: False)
    target.__dict__["_kestra"] = Answering(Unavailable("not yet"), "2.0.0")
    assert target.wait_for_kestra() == "2.0.0"


def test_nobody_waits_for_the_server_of_a_platform_that_another_command_stops(tmp_path):
    target = open_target(settings_of(tmp_path))
    target.__dict__["_kestra"] = Answering(Unavailable("connection refused"), "2.0.0")
    with pytest.raises(FailedError, match="was stopped while this command waited") as told:
        target.wait_for_kestra()
    assert told.value.hint == "invoke start"
    assert target.kestra().answers == ["2.0.0"]


def test_a_wrong_password_is_told_at_once(tmp_path):
    target = open_target(settings_of(tmp_path))
    target.__dict__["_kestra"] = Answering(Unauthorized("Kestra answered 401", status=401), "2.0.0")
    with pytest.raises(Unauthorized, match="401"):
        target.wait_for_kestra()
    assert target.kestra().answers == ["2.0.0"]


@pytest.mark.parametrize(("kestra", "version"), [("embedded", "2.0.0"), ("docker", "2.0.7")])
def test_the_setting_is_the_images_version_and_the_engine_has_its_own(tmp_path, kestra, version):
    target = open_target(settings_of(tmp_path, kestra=kestra, kestra_version="2.0.7"))
    assert target.variables()["kestra_version"] == version
