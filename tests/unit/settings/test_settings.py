"""Settings: every one has a rule, and a broken rule is told with the setting's name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from taxistack.errors import UsageError
from taxistack.settings import RULES, Settings

ROOT = Path(__file__).resolve().parents[3]
DEFAULTS = yaml.safe_load((ROOT / "invoke.yaml").read_text())["taxistack"]

BROKEN = {
    "target": "aws",
    "name": "Taxi_Stack",
    "environment": "",
    "run": "",
    "state": "",
    "source": "",
    "sample_rows": 1,
    "start": "2020-13",
    "end": "tomorrow",
    "parallel": 9,
    "project": "my",
    "region": "",
    "zone": 5,
    "location": 5,
    "machine_type": "",
    "deletion_protection": "perhaps",
    "soft_delete_days": -1,
    "secret_version": "two",
    "state_bucket": "Not_A_Bucket!",
    "kestra": "kubernetes",
    "kestra_version": "latest",
    "kestra_user": "",
    "kestra_url": "127.0.0.1:8080",
    "postgres_host": "two words",
    "postgres_port": 0,
    "maximum_gib_billed": 0,
}


def test_the_defaults_pass_every_rule():
    loaded = Settings.load(DEFAULTS)
    assert loaded.state == ROOT / ".taxistack"
    assert loaded.tfstate_bucket == "taxistack-local-tfstate"


def test_every_setting_has_a_case_here():
    assert set(BROKEN) == set(RULES) == set(DEFAULTS)


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_rule_names_the_setting(name):
    with pytest.raises(UsageError, match=name):
        Settings.load({**DEFAULTS, name: BROKEN[name]})


def test_a_flag_wins_over_the_file_and_an_absent_flag_does_not():
    assert Settings.load(DEFAULTS, parallel=4).parallel == 4
    assert Settings.load(DEFAULTS, parallel=None).parallel == DEFAULTS["parallel"]


def test_text_from_the_environment_is_read_as_the_type_of_the_setting():
    loaded = Settings.load({**DEFAULTS, "parallel": "3", "deletion_protection": "yes"})
    assert (loaded.parallel, loaded.deletion_protection) == (3, True)


def test_an_unknown_setting_is_refused():
    with pytest.raises(UsageError, match="colour"):
        Settings.load({**DEFAULTS, "colour": "blue"})


def test_the_embedded_engine_is_of_one_version():
    with pytest.raises(UsageError, match="kestra_version"):
        Settings.load({**DEFAULTS, "kestra_version": "2.0.5"})
    assert Settings.load({**DEFAULTS, "kestra_version": "2.0.5", "kestra": "docker"})


def test_queries_are_capped_where_they_are_billed():
    assert Settings.load(DEFAULTS).maximum_bytes_billed is None
    there = Settings.load({**DEFAULTS, "target": "gcp", "project": "some-project"})
    assert there.maximum_bytes_billed == DEFAULTS["maximum_gib_billed"] * 2**30
