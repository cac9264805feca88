"""Terraform's diagnostics as exceptions."""

from __future__ import annotations

from typing import Any

from taxistack.errors import LockedError, MissingError, UsageError
from taxistack.terraform.errors import Diagnostic, StateLockedError, TerraformError, error_of

LOCKED = """Error message: writing "gs://b/p/default.tflock" failed: googleapi: Error 412: …
Lock Info:
  ID:        1795365850727089
  Path:      gs://b/p/default.tflock
  Operation: OperationTypeApply
  Who:       me@host
  Version:   1.11.4
  Created:   2026-11-22 16:42:56.1 +0000 UTC
  Info:


Terraform acquires a state lock to protect the state from being written
by multiple users at the same time."""


def diagnostic(**data: Any) -> Diagnostic:
    return Diagnostic.parse({"severity": "error", **data})


def test_a_held_lock_names_its_holder_and_how_to_release_it() -> None:
    found = diagnostic(summary="Error acquiring the state lock", detail=LOCKED)
    error = error_of("plan", [found], 1, "")
    assert isinstance(error, StateLockedError)
    assert isinstance(error, LockedError)
    assert error.exit_code == 4
    assert error.lock.id == "1795365850727089"
    assert "me@host" in error.message
    assert "apply since 2026-11-22 16:42:56" in error.message
    assert "--force-unlock 1795365850727089" in (error.hint or "")


def test_a_variable_that_breaks_a_rule_is_wrong_use() -> None:
    found = diagnostic(
        summary="Invalid value for variable",
        detail="must be below 100.\n\nThis was checked by the validation rule at main.tf:19,3-13.",
        range={"filename": "v.tfvars.json", "start": {"line": 1}},
        snippet={"code": '{"n": 200}', "values": [{"traversal": "var.n", "statement": "is 200"}]},
    )
    error = error_of("plan", [found], 1, "")
    assert isinstance(error, UsageError)
    assert error.message == "n: must be below 100."


def test_a_rule_that_begins_with_the_setting_s_name_says_it_once() -> None:
    found = diagnostic(
        summary="Invalid value for variable",
        detail="n must be below 100.",
        snippet={"values": [{"traversal": "var.n"}]},
    )
    assert error_of("plan", [found], 1, "").message == "n must be below 100."


def test_a_variable_that_is_missing_is_wrong_use() -> None:
    found = diagnostic(
        summary="No value for required variable",
        detail='The root module input variable "project" is not set, and has no default value.',
        snippet={"context": 'variable "project"'},
    )
    error = error_of("plan", [found], 1, "")
    assert isinstance(error, UsageError)
    assert error.message == "project: required, and not set"


def test_any_other_failure_says_where_and_shows_the_code() -> None:
    found = diagnostic(
        summary="Unsupported argument",
        detail="An argument named x is not expected here.",
        address="google_storage_bucket.lake",
        range={"filename": "lake.tf", "start": {"line": 3}},
        snippet={"code": "  x = 1"},
    )
    error = error_of("validate", [found, found], 1, "")
    assert isinstance(error, TerraformError)
    assert error.exit_code == 1
    assert error.message.count("Unsupported argument") == 1
    assert "google_storage_bucket.lake, lake.tf:3: x = 1" in error.message
    assert "is not expected here" in error.message


def test_an_object_that_exists_is_named_for_adoption() -> None:
    found = diagnostic(
        summary="Error 409: The resource 'n' already exists, alreadyExists",
        address="google_compute_network.this",
    )
    error = error_of("apply", [found], 1, "")
    assert isinstance(error, TerraformError)
    assert error.existing == ["google_compute_network.this"]
    assert "a run that was killed made it" in (error.hint or "")


def test_a_plan_that_the_state_has_overtaken_says_what_to_do() -> None:
    error = error_of("apply", [diagnostic(summary="Saved plan is stale")], 1, "")
    assert "Run the command again" in (error.hint or "")


def test_the_reason_goes_before_its_consequences() -> None:
    reason, halted = diagnostic(summary="Error 500"), diagnostic(summary="execution halted")
    error = error_of("apply", [halted, reason], 1, "")
    assert "execution halted" not in error.message


def test_without_a_diagnostic_the_error_output_speaks() -> None:
    assert "no such flag" in error_of("state list", [], 1, "no such flag\n").message


def test_a_killed_process_is_told_as_one() -> None:
    error = error_of("apply", [], -9, "")
    assert "killed by signal 9" in error.message
    assert "lock" in (error.hint or "")


def test_a_registry_that_does_not_answer_is_missing_and_no_failure() -> None:
    detail = (
        "Could not retrieve the list of available versions for provider hashicorp/google: could "
        "not connect to the registry: dial tcp: lookup failed"
    )
    found = [Diagnostic("error", "Failed to query available provider packages", detail)]
    error = error_of("init", found, 1, "")
    assert isinstance(error, MissingError)
    assert "registry of providers does not answer" in error.message
    assert "TF_CLI_CONFIG_FILE" in (error.hint or "")
