"""`status --dbt`: analytics/profiles.yml with the values of the stack that is up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from taxistack.commands.status import environment
from taxistack.console import Console
from taxistack.settings import ROOT
from taxistack.targets import Target

PROFILES = ROOT / "analytics" / "profiles.yml"
LOCAL = "bigquery_local"
_VARIABLE = re.compile(r"\{\{ env_var\('(\w+)'(?:, 'None')?\)(?: \| (\w+))? \}\}")


def show(target: Target, console: Console) -> None:
    """Print the profile on stdout; it holds passwords. Without a place that nothing leads to."""
    filled = profile(values(target))
    if console.json:
        console.result(None, filled)
    else:
        text = yaml.safe_dump(filled, sort_keys=False)
        console.out.print(text, end="", markup=False, soft_wrap=True)
    if "postgres" not in filled["taxi"]["outputs"]:
        console.say("PostgreSQL is behind a tunnel: `invoke tunnel` keeps it open")


def values(target: Target) -> dict[str, str]:
    """What the profile's variables are for this stack."""
    variables = environment(target)
    limit = target.maximum_bytes_billed
    variables["BIGQUERY_LOCATION"] = target.outputs.location
    if limit:
        variables["BIGQUERY_MAXIMUM_BYTES"] = str(limit)
    if emulator := variables.get("BIGQUERY_EMULATOR_HOST"):
        endpoint, _, key = emulator.rpartition("/")
        variables |= {"BIGQUERY_ENDPOINT": endpoint, "DBT_ENV_SECRET_BIGQUERY_TOKEN": key}
    if password := variables.get("PGPASSWORD"):
        variables["DBT_ENV_SECRET_PGPASSWORD"] = password
    return variables


def profile(known: Mapping[str, str]) -> dict[str, Any]:
    """The profile with its variables filled in; places whose address is not known are left out.

    BigQuery is called `bigquery` whether it is the local one or Google's.
    """
    content: dict[str, Any] = yaml.safe_load(PROFILES.read_text(encoding="utf-8"))
    outputs = content["taxi"]["outputs"]
    local = outputs.pop(LOCAL)
    if "BIGQUERY_ENDPOINT" in known:
        outputs["bigquery"] = local
    if "PGHOST" not in known:
        del outputs["postgres"]
        content["taxi"]["target"] = "bigquery"
    for name, output in outputs.items():
        filled = {key: _filled(value, known) for key, value in output.items()}
        outputs[name] = {key: value for key, value in filled.items() if value is not None}
    return content


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    text = known.get(match[1])
    return int(text) if text and text.isdecimal() and match[2] else text
