"""Which Terraform runs, and in which environment."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from taxistack.errors import MissingError
from taxistack.terraform import program


@pytest.fixture(autouse=True)
def _asked_anew():
    program.executable.cache_clear()
    yield
    program.executable.cache_clear()


def binary(folder: Path, script: str) -> Path:
    folder.mkdir()
    path = folder / "terraform"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_one_on_path_is_taken_when_it_is_new_enough(tmp_path, monkeypatch) -> None:
    path = binary(tmp_path / "bin", """echo '{"terraform_version": "1.12.0-beta1"}'""")
    only(monkeypatch, path.parent)
    assert program.executable() == (str(path),)


def test_opentofu_is_taken_where_there_is_no_terraform_that_is_new_enough(
    tmp_path, monkeypatch
) -> None:
    old = binary(tmp_path / "bin", """echo '{"terraform_version": "1.5.7"}'""")
    tofu = old.with_name("tofu")
    tofu.write_text("""#!/bin/sh\necho '{"terraform_version": "1.11.2"}'\n""")
    tofu.chmod(0o755)
    only(monkeypatch, old.parent)
    assert program.executable() == (str(tofu),)
    program.executable.cache_clear()
    binary(tmp_path / "new", """echo '{"terraform_version": "1.12.0"}'""")
    monkeypatch.setenv("PATH", f"{tmp_path / 'new'}:{old.parent}:/usr/bin:/bin")
    assert program.executable() == (str(tmp_path / "new" / "terraform"),)


@pytest.mark.parametrize(
    "script", ["""echo '{"terraform_version": "1.10.5"}'""", "echo broken", "exit 1"]
)
def test_an_old_or_broken_one_gives_way_to_the_packaged_one(
    script: str, tmp_path, monkeypatch
) -> None:
    only(monkeypatch, binary(tmp_path / "bin", script).parent)
    packaged = program.executable()
    assert str(tmp_path) not in "".join(packaged)
    answer = subprocess.run([*packaged, "version"], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("Terraform v1.")


def test_without_any_the_message_says_what_to_do(tmp_path, monkeypatch) -> None:
    only(monkeypatch, binary(tmp_path / "bin", """echo '{"terraform_version": "1.5.7"}'""").parent)
    monkeypatch.setattr(program.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"is 1\.5\.7; Terraform 1\.11 or newer is needed"):
        program.executable()


@pytest.mark.parametrize(("machine", "packaged"), [("x86_64", True), ("aarch64", False)])
def test_bootstrap_is_named_only_where_it_brings_terraform(
    machine: str, packaged: bool, tmp_path, monkeypatch
) -> None:
    only(monkeypatch, binary(tmp_path / "bin", "exit 1").parent)
    monkeypatch.setattr(program.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(program.platform, "machine", lambda: machine)
    with pytest.raises(MissingError) as caught:
        program.executable()
    assert ("scripts/bootstrap" in (caught.value.hint or "")) == packaged
    assert "terraform or tofu on PATH" in (caught.value.hint or "")


def test_the_user_s_own_terraform_settings_do_not_leak_in(monkeypatch) -> None:
    for name in ("TF_VAR_name", "TF_CLI_ARGS", "TF_WORKSPACE", "TF_LOG", "GOOGLE_CREDENTIALS"):
        monkeypatch.setenv(name, "x")
    real = program.environment({"TF_DATA_DIR": "d"})
    ours = {"TF_DATA_DIR", "TF_INPUT", "TF_IN_AUTOMATION"}
    assert {name for name in real if name.startswith("TF_")} - {"TF_CLI_CONFIG_FILE"} == ours
    assert real["GOOGLE_CREDENTIALS"] == "x"
    assert "GOOGLE_CREDENTIALS" not in program.environment({"TF_REATTACH_PROVIDERS": "{}"})


def test_a_mirror_of_providers_is_used_where_providers_are_downloaded(tmp_path, monkeypatch):
    mirror = tmp_path / "mirror.tfrc"
    mirror.touch()
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(mirror))
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", "plugins")
    real, local = program.environment({}), program.environment({"TF_REATTACH_PROVIDERS": "{}"})
    assert (real["TF_CLI_CONFIG_FILE"], real["TF_PLUGIN_CACHE_DIR"]) == (str(mirror), "plugins")
    assert local["TF_CLI_CONFIG_FILE"] == "/dev/null"
    assert "TF_PLUGIN_CACHE_DIR" not in local


def test_a_configuration_file_that_is_not_there_costs_no_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "gone.tfrc"))
    assert program.environment({})["TF_CLI_CONFIG_FILE"] == "/dev/null"
