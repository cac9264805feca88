"""Target gcp, as far as it can be shown without Google Cloud."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tests.conftest import settings_of

from taxistack.errors import MissingError, UsageError
from taxistack.settings import Settings
from taxistack.sources import PUBLIC_SOURCE, Source
from taxistack.targets import open_target
from taxistack.targets.passwords import new_password

ROOT = Path(__file__).resolve().parents[3]


def _target(tmp_path: Path, **overrides: object):
    raw = yaml.safe_load((ROOT / "invoke.yaml").read_text())["taxistack"]
    chosen = {"target": "gcp", "project": "some-project", "state": str(tmp_path), **overrides}
    return open_target(Settings.load({**raw, **chosen}))


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """A machine without Google credentials; the metadata server is not asked."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)


def test_without_credentials_it_says_how_to_get_them(nobody, tmp_path):
    with pytest.raises(MissingError, match="no Google Cloud credentials") as raised:
        _target(tmp_path).prepare(print)
    assert "application-default login" in (raised.value.hint or "")


@pytest.mark.parametrize("source", ["sample", "/some/folder"])
def test_a_source_on_the_operators_machine_is_refused(tmp_path, source):
    with pytest.raises(UsageError, match="the VM can reach"):
        _target(tmp_path).source_url(Source.parse(source))


def test_public_is_the_courses_release_site(tmp_path):
    assert _target(tmp_path).source_url(Source.parse("public")) == PUBLIC_SOURCE


def test_what_the_vm_reaches_is_not_asked_from_here(tmp_path):
    from taxistack.commands.flows import look_at

    look_at(_target(tmp_path), Source.parse("http://127.0.0.1:9"))  # nobody listens there


def test_every_variable_that_the_kit_passes_is_declared(tmp_path):
    declared = set(
        re.findall(r'^variable "(\w+)"', (ROOT / "infra/variables.tf").read_text(), re.M)
    )
    assert set(_target(tmp_path).variables()) <= declared
    assert {"kestra_password", "postgres_password", "force_destroy"} <= declared


def test_queries_are_capped_where_they_are_billed(tmp_path):
    target = _target(tmp_path)
    cap = target.settings.maximum_gib_billed * 2**30
    assert target.maximum_bytes_billed == cap > 0
    assert target.flow_settings()["maximum_bytes_billed"] == str(cap)
    assert open_target(settings_of(tmp_path / "here")).maximum_bytes_billed is None


def test_the_state_has_a_prefix_for_each_stack(tmp_path):
    one = _target(tmp_path, name="one").terraform_backend()
    two = _target(tmp_path, name="two").terraform_backend()
    assert one["bucket"] == two["bucket"] == "some-project-tfstate"
    assert one["prefix"] != two["prefix"]


def test_a_new_password_satisfies_kestras_rule_and_is_never_the_same():
    passwords = {new_password() for _ in range(50)}
    assert len(passwords) == 50
    for password in passwords:
        assert re.fullmatch(r"[A-Za-z0-9]{32}", password)
        assert re.search("[a-z]", password)
        assert re.search("[A-Z]", password)
        assert re.search("[0-9]", password)
