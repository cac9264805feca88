"""Every rule has a case that fails without it.

A rule is switched off (its condition becomes true) in a copy of the root, and the cases that are
about it run again: one of them must fail now. So a rule without a case is found, and a case that
would pass anyway, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

INFRA = Path(__file__).resolve().parents[2] / "infra"

_CONDITION = re.compile(
    r"(condition\s+= )(.*?)(\n\s+error_message\s+= \"((?:[^\"\\]|\\.)*)\")", re.S
)


@dataclass(frozen=True)
class Rule:
    """One validation block: where it stands, and what it tells the user."""

    root: str
    variable: str
    message: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.root}-{self.message[:60]}"


def rules_of(root: str) -> list[Rule]:
    """Every validation block of a root's variables.tf."""
    text = (INFRA / root / "variables.tf").read_text()
    found = []
    for block in re.finditer(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.M | re.S):
        for condition in _CONDITION.finditer(block[2]):
            start, end = (block.start(2) + at for at in condition.span(2))
            found.append(Rule(root, block[1], condition[4], start, end))
    return found


ROOTS = (".", "bootstrap", "gke")
RULES = [rule for root in ROOTS for rule in rules_of(root)]


@pytest.fixture(scope="module", params=ROOTS)
def root(request: pytest.FixtureRequest, copy_root, tmp_path_factory):
    return copy_root(tmp_path_factory.mktemp("rules"), request.param)


def cases_about(variable: str, text: str) -> str:
    """The test file `text` with only the runs that expect this variable to be refused."""
    head, *runs = re.split(r"^(?=run \")", text, flags=re.M)
    kept = [run for run in runs if f"expect_failures = [var.{variable}]" in run]
    assert kept, f"no case is about var.{variable}"
    return head + "".join(kept)


def test_every_validation_block_is_found() -> None:
    written = sum((INFRA / r / "variables.tf").read_text().count("validation {") for r in ROOTS)
    assert len(RULES) == written > 30


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_message_names_the_setting_and_the_rule(rule: Rule) -> None:
    assert re.match(rf"{rule.variable}\b.* must ", rule.message)
    assert rule.message.endswith(".")


def test_every_rule_has_a_case_that_fails_without_it(root) -> None:
    name = root.folder.name if root.folder.name in ROOTS else "."
    variables, cases = root.folder / "variables.tf", root.folder / "tests" / "rules.tftest.hcl"
    original, all_cases = variables.read_text(), cases.read_text()
    for other in cases.parent.glob("*.hcl"):
        other.unlink()
    idle = []
    for rule in (rule for rule in RULES if rule.root == name):
        condition = original[rule.start : rule.end]
        variables.write_text(f"{original[: rule.start]}true || ({condition}){original[rule.end :]}")
        cases.write_text(cases_about(rule.variable, all_cases))
        done = root("test", "-no-color", code=None)
        if "Missing expected failure" not in done.stdout + done.stderr:
            idle.append(f"{rule.variable}: {rule.message}\n{done.stdout}{done.stderr}")
    assert idle == []


LAKE, WAREHOUSE, VM = "lake.tf", "warehouse.tf", "modules/kestra/instance.tf"
NETWORK, IDENTITY = "modules/kestra/network.tf", "modules/kestra/identity.tf"
SECRETS, HEARTBEAT = "modules/kestra/secrets.tf", "modules/kestra/heartbeat.tf"

HEARTBEAT_RUN = "the_heartbeat_that_is_counted_is_the_one_that_the_health_check_writes"
SILENT_RUN = "a_silent_kestra_is_an_incident_and_nobody_is_written_to"

# Which run must fail, when in which file what stands there (a regular expression) becomes what.
WEAKENED = [
    ("buckets_are_private", LAKE, r'"enforced"', '"inherited"'),
    ("buckets_are_private", LAKE, r"level_access = true", "level_access = false"),
    ("data_is_safe_from_a_destroy_unless_asked", LAKE, r"(force_destroy +=).*", r"\1 true"),
    ("data_is_safe_from_a_destroy_unless_asked", WAREHOUSE, r"(on_destroy +=).*", r"\1 true"),
    ("force_destroy_reaches_all_that_holds_data", LAKE, r"(force_destroy +=).*", r"\1 false"),
    ("snapshots_end_with_their_disk", "disk.tf", "APPLY_RETENTION_POLICY", "KEEP_AUTO_SNAPSHOTS"),
    ("services_stay_enabled_after_a_destroy", "services.tf", "_destroy = false", "_destroy = true"),
    ("everything_that_can_carries_the_labels", "providers.tf", "= local.labels", "= {}"),
    ("soft_delete_is_off_by_default", LAKE, r"(seconds += var).*", r"\1.soft_delete_days + 1"),
    (
        "versioning_comes_with_a_rule_that_ends_it",
        LAKE,
        r"lake_versioning \? \[30\]",
        "false ? [30]",
    ),
    ("nothing_of_the_lake_is_deleted_by_age", LAKE, '"SetStorageClass"', '"Delete"'),
    ("staging_tables_expire_and_trips_do_not", WAREHOUSE, r"hours \* 60", "hours * 61"),
    ("the_server_can_go_while_the_data_stays", "kestra.tf", r"(count +=).*", r"\1 1"),
    (
        "the_vm_runs_all_day_unless_hours_are_set",
        "schedule.tf",
        r"null \? \{\}",
        'null ? { vm = { start = ["08", "00"], stop = ["20", "00"] } }',
    ),
    ("hours_are_an_instance_schedule_in_utc", "schedule.tf", "Etc/UTC", "America/New_York"),
    ("hours_are_an_instance_schedule_in_utc", "schedule.tf", r"value\.start\[0\]", "value.stop[0]"),
    ("hours_are_an_instance_schedule_in_utc", "schedule.tf", r"value\.stop\[1\]", "value.start[1]"),
    ("the_vm_is_hardened", VM, r"(enable_secure_boot +=).*", r"\1 false"),
    ("the_vm_is_hardened", VM, r"(serial-port-enable +=).*", r'\1 "TRUE"'),
    ("the_vm_is_hardened", VM, r"(enable-oslogin +=).*", r'\1 "FALSE"'),
    ("the_vm_is_hardened", VM, r"(block-project-ssh-keys +=).*", r'\1 "FALSE"'),
    ("the_vm_has_no_external_address", VM, r"(network_interface {)", "\\1\naccess_config {}"),
    ("the_vm_has_no_external_address", NETWORK, r"(google_access +=).*", r"\1 false"),
    ("no_password_is_in_the_plan", VM, r"(metadata = {)", '\\1\noops = "Right-Password-1"'),
    ("no_password_is_in_the_plan", SECRETS, r"(secret_data)_wo +=.*\n.*", r'\1 = "plain"'),
    ("a_plan_without_passwords_says_so", SECRETS, r"(condition +=).*", r"\1 each.key != null"),
    ("the_only_way_in_is_iap", NETWORK, r"35\.235\.240\.0/20", "0.0.0.0/0"),
    ("the_only_way_in_is_iap", NETWORK, r'"22", ', '"22", "5432", '),
    ("the_service_account_has_the_least_it_needs", IDENTITY, "storage.objectUser", "storage.admin"),
    ("the_service_account_has_the_least_it_needs", IDENTITY, "bigquery.jobUser", "bigquery.admin"),
    ("the_service_account_has_the_least_it_needs", IDENTITY, "bigquery.dataE", "bigquery.dataOwn"),
    ("the_service_account_has_the_least_it_needs", SECRETS, "secretAccessor", "admin"),
    ("the_service_account_has_the_least_it_needs", IDENTITY, "logging.logWriter", "logging.admin"),
    ("the_logs_of_the_boot_reach_cloud_logging", VM, r"(port-logging-enable +=).*", r'\1 "FALSE"'),
    (HEARTBEAT_RUN, HEARTBEAT, "taxistack: Kestra is healthy", "Kestra is healthy"),
    (HEARTBEAT_RUN, HEARTBEAT, "gcplogs-docker-driver", "docker"),
    (HEARTBEAT_RUN, HEARTBEAT, r'name=\\"\$\{var.name\}', r'name=\\"other'),
    (SILENT_RUN, HEARTBEAT, r" or vector\(0\)", ""),
    (SILENT_RUN, HEARTBEAT, r"project_id=", "project="),
    (SILENT_RUN, HEARTBEAT, r"(disable_metric_validation =).*", r"\1 false"),
    (SILENT_RUN, HEARTBEAT, r"(enabled +=).*", r"\1 false"),
    (SILENT_RUN, HEARTBEAT, r"(user_labels +=).*(#)", r"\1 {} \2"),
    ("an_address_is_written_to", HEARTBEAT, r"(force_delete =).*", r"\1 false"),
    ("an_address_is_written_to", HEARTBEAT, r"(user_labels  =).*", r"\1 {}"),
    (
        "a_vm_that_is_stopped_by_its_schedule_is_not_silent",
        HEARTBEAT,
        r"concat\(\[local.silence\], local.awake\)",
        "[local.silence]",
    ),
    ("a_vm_that_is_to_be_stopped_is_not_silent", HEARTBEAT, r"(enabled +=).*", r"\1 true"),
    ("the_boot_script_finds_what_it_reads", VM, r"(etl-requirements +=).*", r'\1 "stale"'),
]


@pytest.fixture(scope="module")
def weakened(copy_root, tmp_path_factory):
    return copy_root(tmp_path_factory.mktemp("weakened"))


def only(run: str, text: str) -> str:
    """The test file `text` with this run and no other."""
    head, *runs = re.split(r"^(?=run \")", text, flags=re.M)
    return head + "".join(kept for kept in runs if kept.startswith(f'run "{run}" '))


@pytest.mark.parametrize(("run", "file", "right", "wrong"), WEAKENED)
def test_a_weakened_stack_fails_its_own_tests(weakened, run, file, right, wrong) -> None:
    path, tests = weakened.folder / file, weakened.folder / "tests"
    original = path.read_text()
    changed = re.sub(right, wrong, original)
    assert changed != original
    source = next(f for f in (INFRA / "tests").iterdir() if f'run "{run}" ' in f.read_text())
    for other in tests.iterdir():
        other.unlink()
    (tests / source.name).write_text(only(run, source.read_text()))
    try:
        path.write_text(changed)
        done = weakened("test", "-no-color", code=1)
        assert "0 passed, 1 failed" in done.stdout, done.stdout + done.stderr
    finally:
        path.write_text(original)


def test_every_run_that_asserts_something_is_weakened_once() -> None:
    """Or a security property could be asserted in a way that always holds."""
    unproven = {
        # What they say is a value compared with a value: there is no way to always hold.
        "soft_delete_is_counted_in_days",
        "the_data_is_where_the_vm_is_unless_told_otherwise",
        "a_multi_region_is_written_as_each_service_writes_it",
        "two_names_share_nothing",
        "services_can_be_left_alone",
        "the_data_disk_is_apart_from_the_boot_disk",
    }
    runs = {
        run
        for name in ("stack", "server")
        for run in re.findall(r'^run "(\w+)"', _tests(name), re.M)
    }
    assert runs - {case[0] for case in WEAKENED} == unproven


def _tests(name: str) -> str:
    return (INFRA / "tests" / f"{name}.tftest.hcl").read_text()
