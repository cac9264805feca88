"""The first half of scripts/bootstrap: what counts as whole, and pip's settings for uv."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import prepare_environment as bootstrap

ROOT = Path(__file__).resolve().parents[3]
NO_PYTHON = """\
bootstrap: needs Python 3.11 or newer; there is none on PATH \
(python3.11, python3.12, python3.13, python3, python)
"""


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose environment can be spoilt without harm."""
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "REQUIREMENTS", tmp_path / "requirements.txt")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv" / "taxistack.complete")
    (tmp_path / "requirements.txt").write_text("uv==1.0 \\\n    --hash=sha256:aa\nother==2.0\n")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    bootstrap.STAMP.write_text(bootstrap.wanted())
    return tmp_path


def test_an_environment_with_its_stamp_is_whole(clone):
    assert bootstrap.is_whole()


def test_one_that_was_cut_off_is_not_and_is_made_anew(clone):
    bootstrap.STAMP.unlink()
    assert not bootstrap.is_whole()
    assert not bootstrap._can_be_renewed()


def test_other_requirements_renew_it(clone):
    bootstrap.REQUIREMENTS.write_text("uv==1.1\n")
    assert not bootstrap.is_whole()
    assert bootstrap._can_be_renewed()


def test_a_moved_clone_makes_it_anew(clone, monkeypatch):
    monkeypatch.setattr(bootstrap, "ROOT", clone / "elsewhere")
    assert not bootstrap.is_whole()
    assert not bootstrap._can_be_renewed()


def test_an_interpreter_that_is_gone_makes_it_anew(clone):
    interpreter = clone / ".venv" / "bin" / "python"
    interpreter.unlink()
    interpreter.symlink_to("/nowhere/python")
    assert not bootstrap.is_whole()
    assert not bootstrap._can_be_renewed()


def test_the_lines_of_one_package_come_with_their_hashes(clone):
    assert bootstrap.lines_of("uv") == "uv==1.0 \\\n    --hash=sha256:aa\n"
    assert bootstrap.lines_of("other") == "other==2.0\n"
    with pytest.raises(bootstrap.PrepareError, match="does not name missing"):
        bootstrap.lines_of("missing")


def test_the_projects_own_lock_pins_the_installer_by_hash():
    lines = bootstrap.lines_of("uv")
    assert lines.startswith("uv==")
    assert "--hash=sha256:" in lines


def test_pips_mirror_settings_are_handed_to_uv(tmp_path):
    made = bootstrap.environment_for_uv(
        {
            "index-url": "https://mirror.example/simple",
            "extra-index-url": "https://a.example/simple\nhttps://b.example/simple",
            "find-links": f"{tmp_path} /nowhere https://links.example/",
            "trusted-host": "mirror.example",
            "cert": "/etc/company.pem",
            "disable-pip-version-check": "1",
        }
    )
    assert made == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_FIND_LINKS": f"{tmp_path},https://links.example/",
        "UV_INSECURE_HOST": "mirror.example",
        "SSL_CERT_FILE": "/etc/company.pem",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


@pytest.mark.parametrize("name", ["client-cert", "keyring-provider", "constraint", "a-new-one"])
def test_a_setting_that_uv_lacks_leaves_the_work_to_pip(name):
    assert bootstrap.environment_for_uv({name: "x"}) is None


def test_every_setting_that_is_mapped_is_not_ignored_as_well():
    assert not bootstrap.HARMLESS & set(bootstrap.COUNTERPARTS)


def test_pips_own_files_and_variables_are_merged_as_pip_does(monkeypatch, tmp_path):
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://file.example\ncert = /from/file\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example")
    settings = bootstrap.pip_settings()
    assert settings["index-url"] == "https://variable.example"
    assert settings["cert"] == bootstrap.os.environ.get("PIP_CERT", "/from/file")


def test_without_a_python_the_rule_is_said(tmp_path):
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", ROOT / "scripts" / "bootstrap"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "", NO_PYTHON)


@pytest.mark.parametrize("script", ["bootstrap", "lock"])
def test_the_scripts_are_clean_posix_shell(script):
    done = subprocess.run(
        [Path(sys.executable).parent / "shellcheck", "--shell=sh", ROOT / "scripts" / script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
