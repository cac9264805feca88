"""Every setting, its type and its rule. The defaults stand in `invoke.yaml`.

Invoke reads that file; the variables `INVOKE_TAXISTACK_*` are read here. `Settings.load` checks
all of it and names the setting and the rule when one is broken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from taxi_etl.errors import EtlError
from taxi_etl.month import Month
from taxistack.errors import UsageError
from taxistack.sources import KINDS, Source

ROOT = Path(__file__).resolve().parents[2]
"""The clone: invoke.yaml, infra/, flows/ and scripts/ stand here."""


LOCAL_PROJECT = "taxistack-local"
"""The setting `project` as invoke.yaml has it: the local target's, and nobody's on Google Cloud."""
VARIABLE_PREFIX = "INVOKE_TAXISTACK_"


@dataclass(frozen=True)
class Settings:
    """The settings of one command. Names are those of `invoke.yaml`."""

    target: str
    name: str
    environment: str
    run: str
    state: Path
    source: str
    sample_rows: int
    start: str
    end: str
    parallel: int
    project: str
    region: str
    zone: str
    location: str
    machine_type: str
    schedule: str
    deletion_protection: bool
    soft_delete_days: int
    secret_version: int
    state_bucket: str
    kestra: str
    kestra_version: str
    kestra_user: str
    kestra_url: str
    postgres_host: str
    postgres_port: int
    maximum_gib_billed: int

    @classmethod
    def load(cls, raw: Mapping[str, Any], **overrides: Any) -> Settings:
        """Check `raw` (section `taxistack` of Invoke's configuration) and build the settings.

        `overrides` are flags of the command; None means that the flag was not given.
        Raises UsageError with the setting's name and rule.
        """
        given = dict(raw)
        given.update({key: value for key, value in overrides.items() if value is not None})
        known = {item.name for item in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise UsageError(f"unknown setting {unknown[0]!r}; invoke.yaml lists the known ones")
        if missing := sorted(known - set(given)):
            raise UsageError(f"setting {missing[0]!r} is missing from invoke.yaml")
        return cls(
            **{key: RULES[key](_said(key, overrides), value) for key, value in given.items()}
        )

    @property
    def tfstate_bucket(self) -> str:
        """The bucket that keeps Terraform's state."""
        return self.state_bucket or f"{self.project}-tfstate"


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that variables name: `INVOKE_TAXISTACK_PARALLEL=3` gives `parallel`, 3.

    Invoke reads them too, but takes `false` for true, passes over a name that it does not know
    and ends with a traceback at a word where a number is due.
    Raises UsageError with the variable, or the setting and its rule.
    """
    given: dict[str, Any] = {}
    for variable in sorted(environ):
        if variable.startswith(VARIABLE_PREFIX):
            key = variable.removeprefix(VARIABLE_PREFIX).lower()
            if key not in RULES:
                raise UsageError(
                    f"{variable}: there is no setting {key!r}; invoke.yaml lists the known ones"
                )
            given[key] = RULES[key](f"setting {key}", environ[variable])
    return given


def _said(key: str, overrides: Mapping[str, Any]) -> str:
    """What a person wrote the value behind, for messages."""
    return f"setting {key}" if overrides.get(key) is None else f"--{key.replace('_', '-')}"


Rule = Callable[[str, Any], Any]


def _text(pattern: str, rule: str) -> Rule:
    def check(said: str, value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise UsageError(f"{said}: {value!r} must be {rule}")
        return value

    return check


def _one_of(*choices: str) -> Rule:
    def check(said: str, value: Any) -> str:
        if value not in choices:
            raise UsageError(f"{said}: {value!r} must be one of {', '.join(choices)}")
        return str(value)

    return check


def _whole(low: int, high: int) -> Rule:
    def check(said: str, value: Any) -> int:
        whole = re.fullmatch(r"-?\d+", str(value), re.ASCII)
        if whole is None or not low <= int(value) <= high:
            raise UsageError(f"{said}: {value!r} must be a whole number, {low} to {high}")
        return int(value)

    return check


def _yes_no(said: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in {"true", "1", "yes", "false", "0", "no"}:
        return str(value).lower() in {"true", "1", "yes"}
    raise UsageError(f"{said}: {value!r} must be true or false")


def _folder(said: str, value: Any) -> Path:
    if not value or not isinstance(value, str | Path):
        raise UsageError(f"{said}: {value!r} must name a folder")
    try:
        return (ROOT / Path(value).expanduser()).resolve()
    except RuntimeError as error:  # ~ of nobody
        raise UsageError(f"{said}: {value!r}: {error}") from None


def _source(said: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{said}: {value!r} must be {KINDS}")
    return Source.parse(value, said).text


def _month(said: str, value: Any) -> str:
    try:
        return str(Month.parse(str(value)))
    except EtlError as error:
        raise UsageError(f"{said}: {error}") from None


# The values of Terraform's variables are checked by infra/variables.tf, which states the rules;
# here only what is needed before Terraform runs.
RULES: dict[str, Rule] = {
    "target": _one_of("local", "gcp"),
    "name": _text(
        r"[a-z][a-z0-9-]{1,18}[a-z0-9]",
        "3 to 20 lower-case letters, digits and dashes, a letter first and no dash last",
    ),
    "environment": _text(r".+", "a label value"),
    "run": _text(r".+", "a label value"),
    "state": _folder,
    "source": _source,
    "sample_rows": _whole(10, 10_000_000),
    "start": _month,
    "end": _month,
    "parallel": _whole(1, 8),
    "project": _text(
        r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "a project id: 6 to 30 lower-case letters, digits and dashes, a letter first",
    ),
    "region": _text(r".+", "a region such as us-central1"),
    "zone": _text(r".*", "a zone such as us-central1-b, or empty"),
    "location": _text(r".*", "US, EU, a region, or empty"),
    "machine_type": _text(r".+", "a machine type such as e2-standard-2"),
    "schedule": _text(
        r"((?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d)?",
        "two times of the day in UTC such as 08:00-20:00, or empty",
    ),
    "deletion_protection": _yes_no,
    "soft_delete_days": _whole(0, 1_000_000),
    "secret_version": _whole(0, 1_000_000),
    "state_bucket": _text(r"([a-z0-9][a-z0-9._-]{1,61}[a-z0-9])?", "a bucket's name, or empty"),
    "kestra": _one_of("embedded", "docker"),
    "kestra_version": _text(r"\d+\.\d+\.\d+", "a version such as 2.0.8"),
    "kestra_user": _text(r".+", "an e-mail address"),
    "kestra_url": _text(r"(https?://[^\s]+)?", "a URL, or empty"),
    "postgres_host": _text(r"[^\s]*", "a host name or an address, or empty"),
    "postgres_port": _whole(0, 65535),
    "maximum_gib_billed": _whole(1, 100_000),
}
