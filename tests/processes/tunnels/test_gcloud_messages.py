"""What gcloud says when a tunnel can't be opened, in our words: one line, the mend, exit 3."""

from __future__ import annotations

import pytest

from taxistack.errors import FailedError, MissingError
from taxistack.tunnels import NotListening, Tunnel, VmAddress, program
from taxistack.tunnels import gcloud as messages

from .conftest import INSTANCE

VM = VmAddress(INSTANCE, "z", "some-project")


def _error(port: int = 8080, vm: VmAddress = VM, local_port: int = 0) -> Exception:
    tunnel = Tunnel(vm, port, local_port)
    try:
        with pytest.raises((MissingError, FailedError)) as raised:
            tunnel.ensure()
    finally:
        tunnel.close()
    assert "\n" not in raised.value.message
    return raised.value


EXPECTED = {
    "logged-out": ("gcloud is not logged in", "gcloud auth login"),
    "login-expired": ("gcloud is not logged in, or its login has run out", "gcloud auth login"),
    "no-credentials": ("gcloud is not logged in", "gcloud auth login"),
    "offline": ("can't reach Google Cloud", "check the network"),
    "no-role": ("lacks the role roles/iap.tunnelResourceAccessor", "add-iam-policy-binding"),
    "may-not-see": ("may not see the VM (compute.instances.get)", "roles/compute.viewer"),
    "iap-off": (
        "iap.googleapis.com is not enabled in project some-project",
        "gcloud services enable iap.googleapis.com --project some-project",
    ),
    "compute-off": (
        "compute.googleapis.com is not enabled",
        "gcloud services enable compute.googleapis.com",
    ),
    "not-running": ("or it does not run", "gcloud compute instances start taxistack-kestra"),
}


@pytest.mark.parametrize("fault", EXPECTED)
def test_what_is_missing_is_said_with_its_mend(fault, server, gcloud):
    gcloud.fail(fault)
    error = _error()
    words, mend = EXPECTED[fault]
    assert words in error.message
    assert mend in error.hint
    assert error.exit_code == 3


def test_a_vm_that_is_not_there_is_named(server, gcloud):
    error = _error(vm=VmAddress("another", "z", "some-project"))
    assert "another:8080: there is no such VM in z of project some-project" in error.message
    assert "invoke up" in error.hint
    assert error.exit_code == 3


def test_a_vm_that_boots_refuses_the_port(server, gcloud):
    error = _error(port=5432)
    assert isinstance(error, NotListening)
    assert "nothing answers at port 5432" in error.message
    assert "boot" in error.hint
    assert error.exit_code == 3


def test_a_port_that_is_taken_here_is_said(server, gcloud):
    error = _error(local_port=server.server_port)
    assert "its port on this machine is taken" in error.message
    assert "--kestra-port" in error.hint
    assert error.exit_code == 3


def test_words_that_nobody_knows_are_handed_on(server, gcloud):
    gcloud.fail("crash")
    error = _error()
    assert "gcloud crashed (RuntimeError): something new" in error.message
    assert f"start-iap-tunnel {INSTANCE} 8080 --zone z --project some-project" in error.hint
    assert error.exit_code == 1


def test_without_gcloud_it_says_where_it_comes_from(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="gcloud is not on PATH") as raised:
        program()
    assert "cloud.google.com/sdk" in raised.value.hint


def test_the_numbers_of_a_project_are_no_close_codes():
    lines = ["ERROR: (gcloud) port 4033 of project 4047 says nothing that we know"]
    error = messages.problem(lines, VM, 8080)
    assert error.exit_code == 1
