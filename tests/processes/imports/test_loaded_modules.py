"""What a process loads: nothing of the local cloud for Google Cloud, one destination for a step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.imports.test_import_rules import OF_LOCAL

ROOT = Path(__file__).parents[3]


def in_a_process(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'scripts'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_target_gcp_and_all_that_its_commands_import_load_nothing_of_the_local_cloud(tmp_path):
    """Whole commands without it are in tests/gcp."""
    assert (
        in_a_process(f"""
import importlib, pathlib, pkgutil, sys
sys.modules["localcloud"] = None  # an import ends with ImportError
import taxistack, tasks
from tests.conftest import settings_of
from taxistack.targets import open_target
for module in pkgutil.walk_packages(taxistack.__path__, "taxistack."):
    name = module.name.removeprefix("taxistack.").replace(".", "/") + ".py"
    if name not in {OF_LOCAL} and not name.endswith("__main__.py"):
        importlib.import_module(module.name)
chosen = dict(target="gcp", project="some-project")
target = open_target(settings_of(pathlib.Path({str(tmp_path)!r}), **chosen))
target.doctor_checks()
print(target.name, len(sys.modules) > 500)
""")
        == "gcp True"
    )


@pytest.mark.parametrize(
    ("destination", "own", "strange"),
    [
        ("postgres", "psycopg", {"google.cloud.bigquery", "taxi_etl.destinations.bigquery"}),
        ("bigquery", "google.cloud.bigquery", {"psycopg", "taxi_etl.destinations.postgres"}),
    ],
)
def test_a_step_loads_the_libraries_of_its_own_destination_only(destination, own, strange):
    loaded = in_a_process(f"""
import sys
from taxi_etl import cli, load, reconcile
from taxi_etl.destinations import get
get({destination!r})
print(*sys.modules)
""").split()
    assert own in loaded
    assert strange & set(loaded) == set()


def test_extract_loads_the_libraries_of_no_destination():
    loaded = in_a_process("import sys\nfrom taxi_etl import cli, extract\nprint(*sys.modules)")
    assert {"psycopg", "google.cloud.bigquery"} & set(loaded.split()) == set()


def test_a_command_keeps_its_compiled_modules(tmp_path):
    """Invoke forbids it: each command would compile all of ours anew."""
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "--list"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPYCACHEPREFIX": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("boundary.*.pyc")), "nothing of the commands was kept"


def test_who_shows_what_is_there_does_not_load_googles_client_before_it_asks():
    loaded = in_a_process("""
import sys
from taxistack.commands import provision, status
print(*sys.modules)
""")
    assert {"google.cloud.bigquery", "google.cloud.storage", "psycopg"} & set(
        loaded.split()
    ) == set()
