"""Credentials, network, roles: what target gcp says before anything runs, and how it says it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from tests.conftest import settings_of
from tests.gcp.cloud import Google
from tests.gcp.conftest import PROJECT, Machine

from taxistack.errors import MissingError, UsageError
from taxistack.google import (
    Api,
    ApiError,
    BusyError,
    CredentialsError,
    DisabledApiError,
    ForbiddenError,
    GoogleApis,
    NoNetworkError,
)
from taxistack.google.credentials import TERRAFORMS_ALONE
from taxistack.targets.gcp import GcpTarget
from taxistack.terraform import program

# Every command that works on a stack, with what it needs to be right otherwise.
MONTHS = ("--start", "2019-01", "--end", "2019-01")
COMMANDS = [
    ("plan",),
    ("up", "--auto-approve"),
    ("down", "--yes"),
    ("status",),
    ("status", "--env"),
    ("status", "--drift"),
    ("deploy-flows", "--source", "public"),
    ("backfill", *MONTHS),
    ("verify", *MONTHS),
    ("homework",),
    ("logs", "--execution", "4kK2"),
]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def target(here: Machine, tmp_path: Path) -> GcpTarget:
    """The kit's own target, in this process."""
    target = GcpTarget(settings_of(tmp_path / "state", target="gcp", project=PROJECT))
    target.__dict__["google"] = GoogleApis(sleep=lambda seconds: None)
    return target


# --- clients --------------------------------------------------------------------------------


def test_every_client_of_the_target_opens_from_these_credentials(
    target: GcpTarget, google: Google
) -> None:
    target.check()
    assert target.storage().lookup_bucket("some-project-tfstate") is None
    assert list(target.bigquery().list_datasets()) == []
    assert target.read_secret("taxistack-kestra-password") is None
    google.project.enable_all()  # an API that is off proves no emptiness
    assert list(target.inventory()) == []
    target.forget()


def test_the_token_is_fetched_again_when_it_has_expired(target: GcpTarget, google: Google) -> None:
    google.project.enable_all()
    assert target.read_secret("taxistack-kestra-password") is None
    google.tokens.expire()
    assert target.read_secret("taxistack-kestra-password") is None
    google.tokens.expire()
    assert target.storage().lookup_bucket("some-bucket") is None


@pytest.mark.parametrize("variable", ["STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST"])
def test_an_emulator_that_the_shell_names_is_never_asked(
    target: GcpTarget, google: Google, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{_free_port()}")
    google.project.enable_all()
    assert list(target.inventory()) == []
    asked = {call.split("?")[0] for call in google.calls}
    assert "GET /storage/v1/b" in asked
    assert f"GET /bigquery/v2/projects/{PROJECT}/datasets" in asked
    assert "STORAGE_EMULATOR_HOST" not in program.environment({})


# --- secrets --------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["SERVICE_DISABLED", "accessNotConfigured"])
def test_an_api_that_is_off_means_no_value_yet(
    target: GcpTarget, google: Google, reason: str
) -> None:
    google.project.enable_all()
    google.fail("GET .*/secrets/", status=403, reason=reason)
    assert target.read_secret("taxistack-kestra-password") is None


def test_a_missing_role_is_told_with_googles_words_and_the_role(
    target: GcpTarget, google: Google
) -> None:
    google.project.enable_all()
    google.project.denied.add("secretmanager.versions.access")
    with pytest.raises(ForbiddenError, match=r"'secretmanager\.versions\.access' denied") as raised:
        target.read_secret("taxistack-kestra-password")
    assert "roles/secretmanager.secretAccessor" in (raised.value.hint or "")
    assert raised.value.exit_code == 3


# --- faults ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429},
        {"status": 500},
        {"status": 502},
        {"status": 503},
        {"reset": True},
        {"seconds": 0.2},
    ],
)
def test_what_passes_is_tried_again(target: GcpTarget, google: Google, fault: dict) -> None:
    google.project.enable_all()
    google.fail("GET .*/secrets/", times=3, **fault)
    assert target.read_secret("taxistack-kestra-password") is None


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ({"status": 503}, BusyError, "currently unavailable"),
        ({"status": 429, "message": "Quota exceeded."}, BusyError, "Quota exceeded"),
        ({"status": 409, "message": "It exists."}, ApiError, "It exists"),
        ({"status": 400, "message": "Service account x does not exist."}, ApiError, "not exist"),
        ({"status": 403, "reason": "SERVICE_DISABLED"}, DisabledApiError, "has not been used"),
        ({"status": 403, "message": "No.", "reason": "BILLING_DISABLED"}, ForbiddenError, "No"),
        ({"reset": True}, NoNetworkError, "connection"),
    ],
)
def test_what_does_not_pass_is_one_line_of_the_kits(
    here: Machine, google: Google, fault: dict, error: type, words: str
) -> None:
    google.project.enable_all()
    google.fail("GET .*/projects/some-project$", times=99, **fault)
    apis = GoogleApis(sleep=lambda seconds: None)
    with pytest.raises(error, match=words) as raised:
        apis.get(Api.RESOURCE_MANAGER, f"projects/{PROJECT}", doing="looking at the project")
    assert str(raised.value).startswith(("looking at the project", "no network"))
    assert "\n" not in str(raised.value)
    assert "account-" not in str(raised.value), "no token in a message"


def test_a_pause_is_as_long_as_google_asks_for(here: Machine, google: Google) -> None:
    google.project.enable_all()
    google.fail("GET .*/projects/some-project$", status=429, retry_after="7")
    pauses: list[float] = []
    GoogleApis(sleep=pauses.append).get(
        Api.RESOURCE_MANAGER, f"projects/{PROJECT}", doing="looking at the project"
    )
    assert pauses == [7.0]


# --- credentials ----------------------------------------------------------------------------


def test_a_credentials_file_that_is_not_there_is_named_with_its_variable(machine: Machine) -> None:
    done = machine.run("plan", code=3, GOOGLE_APPLICATION_CREDENTIALS="/nonexistent/key.json")
    assert "GOOGLE_APPLICATION_CREDENTIALS names /nonexistent/key.json" in done.stderr
    assert "unset GOOGLE_APPLICATION_CREDENTIALS" in done.stderr


@pytest.mark.parametrize("content", ["no json", "{}", '{"type": "authorized_user"}', "[]"])
def test_a_broken_credentials_file_is_named_with_its_variable(
    here: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(CredentialsError, match="GOOGLE_APPLICATION_CREDENTIALS names") as raised:
        GoogleApis().check()
    assert str(path) in str(raised.value)


def test_a_token_that_is_not_accepted_is_no_network_problem(here: Machine, tmp_path: Path) -> None:
    (tmp_path / "subject-token").write_text("somebody else's")
    with pytest.raises(CredentialsError, match=r"not accepted: .*invalid_grant"):
        GoogleApis().check()


@pytest.mark.parametrize("variable", TERRAFORMS_ALONE)
@pytest.mark.parametrize("command", ["plan", "up", "status"])
def test_no_command_acts_as_one_account_and_lets_terraform_act_as_another(
    machine: Machine, command: str, variable: str
) -> None:
    done = machine.run(command, code=3, **{variable: "a-token-of-another-one"})
    assert f"{variable}: Terraform would obey it" in done.stderr
    assert f"unset {variable}" in done.stderr
    assert "a-token-of-another-one" not in done.stdout + done.stderr
    assert machine.google.calls == []


def test_doctor_tells_that_terraform_would_act_as_another_account(machine: Machine) -> None:
    rows = json.loads(
        machine.run("doctor", "--json", code=3, GOOGLE_OAUTH_ACCESS_TOKEN="ya29.another").stdout
    )
    found = {row["name"]: row for row in rows}
    assert found["credentials"]["state"] == "missing"
    assert "two accounts" in found["credentials"]["found"]
    assert "unset GOOGLE_OAUTH_ACCESS_TOKEN" in found["credentials"]["mend"]
    assert found["APIs"]["found"] == "because of: credentials"


# --- before anything runs -------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_network_every_command_says_so(
    machine: Machine, tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = tmp_path / "credentials.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "token_url": f"http://127.0.0.1:{_free_port()}/token"}))
    done = machine.run(*command, code=3)
    assert "error: no network" in done.stderr
    assert "unexpected" not in done.stderr


def test_a_network_that_swallows_everything_is_no_network_either(
    here: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxistack.google.credentials.SECONDS", 0.5)
    here.google.fail("POST /sts/", times=9, seconds=30)
    with pytest.raises(NoNetworkError, match="did not answer within"):
        GoogleApis().check()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_forgotten_project_is_refused(machine: Machine, command: tuple[str, ...]) -> None:
    done = machine.run(*command, code=2, INVOKE_TAXISTACK_PROJECT="taxistack-local")
    assert "setting project" in done.stderr


def test_a_state_bucket_that_is_not_there_leads_to_setup(target: GcpTarget) -> None:
    with pytest.raises(MissingError, match="gs://some-project-tfstate does not exist") as raised:
        target.prepare(lambda text: None)
    assert "invoke setup" in (raised.value.hint or "")


def test_a_state_bucket_that_is_forbidden_tells_the_role(machine: Machine, google: Google) -> None:
    google.project.denied.add("storage.buckets.get")
    done = machine.run("plan", code=3)
    assert "does not have storage.buckets.get access" in done.stderr
    assert "roles/storage.admin" in done.stderr


def test_the_project_that_is_forgotten_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="setting project"):
        GcpTarget(settings_of(tmp_path / "state", target="gcp")).check()
