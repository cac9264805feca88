"""Settings: every one has a rule, and a broken rule is told with the setting's name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from taxistack.errors import UsageError
from taxistack.settings import RULES, Settings, from_environment

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
    "schedule": "8-20",
    "deletion_protection": "perhaps",
    "soft_delete_days": -1,
    "secret_version": "two",
    "state_bucket": "Not_A_Bucket!",
    "kestra": "kubernetes",
    "kestra_version": "latest",
    "kestra_user": "",
    "kestra_url": "127.0.0.1:8080",
    "postgres_host": "two words",
    "postgres_port": 65536,
    "maximum_gib_billed": 0,
    "retention_days": 0,
    "alarm_email": "ops",
    "alarm_webhook": "ftp://x",
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


@pytest.mark.parametrize(("name", "value"), [("parallel", 2.5), ("state", None), ("run", 7)])
def test_what_yaml_reads_as_another_type_is_refused(name, value):
    with pytest.raises(UsageError, match=f"setting {name}: {value!r}"):
        Settings.load({**DEFAULTS, name: value})


def test_a_flag_wins_over_the_file_and_an_absent_flag_does_not():
    assert Settings.load(DEFAULTS, parallel=4).parallel == 4
    assert Settings.load(DEFAULTS, parallel=None).parallel == DEFAULTS["parallel"]


@pytest.mark.parametrize(("text", "meant"), [("false", False), ("0", False), ("yes", True)])
def test_text_from_the_environment_is_read_as_the_type_of_the_setting(text, meant):
    given = {
        "INVOKE_TAXISTACK_PARALLEL": "3",
        "INVOKE_TAXISTACK_DELETION_PROTECTION": text,
        "PATH": "/usr/bin",
    }
    read = from_environment(given)
    assert read == {"parallel": 3, "deletion_protection": meant}
    assert Settings.load({**DEFAULTS, **read}).deletion_protection is meant


@pytest.mark.parametrize("section", [None, 5, ["target"]])
def test_a_file_without_the_settings_is_told(section, capsys):
    from invoke import Config, Context, Exit

    from taxistack.commands.boundary import command

    ctx = Context(Config(overrides={} if section is None else {"taxistack": section}))
    with pytest.raises(Exit) as ended, command(ctx):
        pass
    assert ended.value.code == 2
    assert "invoke.yaml: `taxistack`" in capsys.readouterr().err


def test_an_unknown_setting_is_refused():
    with pytest.raises(UsageError, match="colour"):
        Settings.load({**DEFAULTS, "colour": "blue"})
