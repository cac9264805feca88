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
    """The settings of one command. Names are those of `invoke.yaml`.

    What stands below one is what docs/reference/settings.md says of it beside its line there.
    """

    target: str
    """Which of the two targets every command works on. Each has its own state below the state
    folder, so that a change of this setting does not touch the other's stack."""
    name: str
    """The stack's name: buckets, datasets, secrets and the VM carry it. Two stacks in one project
    need two names; changing it means another stack, not a renamed one."""
    environment: str
    """The label tells stacks apart on the bill and in lists, `dev` from `prod` for example; nothing
    behaves differently for it."""
    run: str
    """`manual` means that a person made the stack: `sweep` leaves it alone. CI sets a value of its
    own for each run, so that what a lost run has left can be told and removed."""
    state: Path
    """Everything that the kit keeps on this machine: Terraform's working folder, the local cloud
    with its data, logs, reports of runs. A relative path is one of the clone. The folder bears a
    mark; one that holds something else is refused."""
    source: str
    """Where month files come from, for the first `deploy-flows`; later ones keep what is deployed,
    unless `--source` says otherwise. `sample` months are generated here and are not the TLC's data;
    `public` is the course's release."""
    sample_rows: int
    """How many rows a generated month has. A changed number counts for the months that are
    generated from then on; those that are there stay."""
    start: str
    """A month, `YYYY-MM`. `demo` loads from this one to `end`; its flags `--start` and `--end` say
    others for once. `backfill` and `verify` do not read it."""
    end: str
    """A month, `YYYY-MM`, and not before `start`; it is loaded too."""
    parallel: int
    """How many months a backfill loads at a time, 1 to 8. More is faster until the processors are
    busy: a load keeps one of them at work."""
    project: str
    """On Google Cloud the project that holds the stack and is billed for it. On the local target
    any name that keeps Google's rules; the buckets' names begin with it."""
    region: str
    """The VM, its network and its way out (NAT) are made there. Lake and warehouse are there too,
    unless `location` says otherwise."""
    zone: str
    """One zone of `region`. Another one replaces the VM and its data disk, with what is on it: back
    up first."""
    location: str
    """Lake and warehouse always have the same one: BigQuery refuses to load from elsewhere. It
    can't be changed while there is data."""
    machine_type: str
    """Kestra needs 4 GiB for itself and its steps. Another type stops and starts the VM."""
    schedule: str
    """The VM is started and stopped at these hours, every day; disks and NAT are billed on. Hours
    in which a load's schedule would miss its time are refused. Nothing is stopped on the local
    target."""
    deletion_protection: bool
    """With it Google refuses to delete the VM, and `down` says so before it begins."""
    soft_delete_days: int
    """0, or 7 to 90. What is deleted can be brought back for so long, and is billed as before until
    then."""
    secret_version: int
    """The next `up` makes new passwords for Kestra and, on Google Cloud, PostgreSQL, and starts the
    server again with them."""
    state_bucket: str
    """Made by `invoke setup` on Google Cloud and kept by `down`; on the local target it goes with
    the local cloud."""
    kestra: str
    """`embedded` needs no Docker and has no pages of Kestra's; `docker` runs the official image
    with its UI. A stack can't change over: its executions would be lost (`down --keep-data`
    first)."""
    kestra_version: str
    """Any 2.0 release that has an image. The VM takes it at the next `up`; `invoke upgrade` does
    the same with a backup before and a test after it."""
    kestra_user: str
    """The login for Kestra's API and pages, with a generated password; `invoke status --env` prints
    both."""
    kestra_url: str
    """For a Kestra that is reached without a tunnel, behind a proxy of yours for example."""
    postgres_host: str
    """For a PostgreSQL that is reached without a tunnel, together with `postgres_port`."""
    postgres_port: int
    """It counts only where `postgres_host` is set."""
    maximum_gib_billed: int
    """A query that would scan more is refused by BigQuery before it runs, and costs nothing."""
    retention_days: int
    """The flow `retention` deletes executions that are older, with their logs and metrics."""
    alarm_email: str
    """On Google Cloud: Cloud Monitoring writes to it when Kestra has been silent for 20 minutes."""
    alarm_webhook: str
    """The flow `alarm` posts `{"text": …}` to it (Slack, Mattermost, Google Chat). It is a secret,
    so it stands in no file. On a stack that is up it counts once `secret_version` is raised."""

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


# A flag that is not called as its setting: of `upgrade`.
_FLAGS = {"kestra_version": "--to"}


def _said(key: str, overrides: Mapping[str, Any]) -> str:
    """What a person wrote the value behind, for messages."""
    if overrides.get(key) is None:
        return f"setting {key}"
    return _FLAGS.get(key, f"--{key.replace('_', '-')}")


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


_stack = _text(
    r"[a-z][a-z0-9-]{1,18}[a-z0-9]",
    "3 to 20 lower-case letters, digits and dashes, a letter first and no dash last",
)


def _name(said: str, value: Any) -> str:
    name = str(_stack(said, value))
    if "goog" in name:
        raise UsageError(f"{said}: {value!r}: Cloud Storage refuses buckets with `goog` in them")
    return name


_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_hours = _text(f"({_TIME}-{_TIME})?", "two times of the day in UTC such as 08:00-20:00, or empty")


def _schedule(said: str, value: Any) -> str:
    begin, _, end = str(_hours(said, value)).partition("-")
    if value and begin >= end:
        raise UsageError(f"{said}: {value!r} must begin before it ends")
    return str(value)


def _soft_delete(said: str, value: Any) -> int:
    days = int(_whole(0, 90)(said, value))
    if 0 < days < 7:
        raise UsageError(f"{said}: {value!r} must be 0 (off), or 7 to 90 (Cloud Storage's rule)")
    return days


_FAMILIES = "e2|n1|n2|n2d|c2|c2d|c3|c3d|t2d"
_family = _text(
    rf"(e2|n1|n2|n2d)-custom-[0-9]+-[0-9]+|({_FAMILIES})-[a-z]+(-[0-9]+)?",
    f"a machine type of {_FAMILIES.replace('|', ', ')}, such as e2-standard-2",
)
_TOO_SMALL = re.compile(
    r"e2-micro|e2-small|n1-standard-1|n1-highcpu-[24]|(e2|n2|n2d|c2d)-highcpu-2"
)


def _machine_type(said: str, value: Any) -> str:
    name = str(_family(said, value))
    custom = re.search(r"-custom-[0-9]+-([0-9]+)", name)
    if int(custom.group(1)) < 4096 if custom else _TOO_SMALL.fullmatch(name):
        raise UsageError(f"{said}: {value!r} must have 4 GiB of memory at least: Kestra needs it")
    return name


def _webhook(said: str, value: Any) -> str:
    """As `_text`, but what it is does not stand in the message: it is a secret."""
    if not isinstance(value, str) or not re.fullmatch(r"(none|https?://[!-~]+)?", value):
        raise UsageError(f"{said}: must be an http(s) URL, none, or empty")
    return value


# infra/variables.tf states the rules of what Terraform gets, and refuses what breaks one; by then
# the local cloud is started for it. So they stand here too, and a test compares the two.
_LABEL = "lower-case letters, digits, - or _, 63 at most"
RULES: dict[str, Rule] = {
    "target": _one_of("local", "gcp"),
    "name": _name,
    "environment": _text(r"[a-z][a-z0-9_-]{0,62}", f"a label value: {_LABEL}, a letter first"),
    "run": _text(r"[a-z0-9][a-z0-9_-]{0,62}", f"a label value: {_LABEL}"),
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
    "region": _text(r"[a-z]+-[a-z]+[0-9]+", "a region such as us-central1"),
    "zone": _text(r"([a-z]+-[a-z]+[0-9]+-[a-z])?", "a zone such as us-central1-b, or empty"),
    "location": _text(r"(US|EU|[a-z]+-[a-z]+[0-9]+)?", "US, EU, a region, or empty"),
    "machine_type": _machine_type,
    "schedule": _schedule,
    "deletion_protection": _yes_no,
    "soft_delete_days": _soft_delete,
    "secret_version": _whole(1, 1_000_000),
    "state_bucket": _text(r"([a-z0-9][a-z0-9._-]{1,61}[a-z0-9])?", "a bucket's name, or empty"),
    "kestra": _one_of("embedded", "docker"),
    "kestra_version": _text(r"2\.0\.[0-9]+", "a 2.0 release such as 2.0.8"),
    "kestra_user": _text(
        r"(?!.{257})[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", "an e-mail address"
    ),
    "kestra_url": _text(r"(https?://[^\s]+)?", "a URL, or empty"),
    "postgres_host": _text(r"[^\s]*", "a host name or an address, or empty"),
    "postgres_port": _whole(0, 65535),
    "maximum_gib_billed": _whole(1, 100_000),
    "retention_days": _whole(1, 3650),
    "alarm_email": _text(r"([^@\s]+@[^@\s]+\.[^@\s]+)?", "an e-mail address, or empty"),
    "alarm_webhook": _webhook,
}
