"""The `gcloud` that opens a tunnel: its command line, and what its messages mean.

The texts are those of gcloud 528 (lib/surface/compute/start_iap_tunnel.py,
lib/googlecloudsdk/command_lib/compute/iap_tunnel.py, …/api_lib/compute/iap_tunnel_websocket.py,
core/credentials/store.py); the numbers 4001 to 4047 are the close codes of IAP's server.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from taxistack.errors import FailedError, MissingError, TaxistackError

INSTALL = "https://cloud.google.com/sdk/docs/install"
ROLE = "roles/iap.tunnelResourceAccessor"


class NotListening(MissingError):
    """The VM is there, and nothing answers at its port: it boots, or the server is down."""


@dataclass(frozen=True)
class VmAddress:
    """A VM by its name; `zone` and `project` as gcloud asks for them."""

    instance: str
    zone: str
    project: str


def program() -> str:
    """The path of gcloud. Raises MissingError when there is none on PATH."""
    program = shutil.which("gcloud")
    if program is None:
        raise MissingError(
            "gcloud is not on PATH: it opens the tunnels to the VM",
            hint=f"install the Google Cloud CLI ({INSTALL}) and run `gcloud auth login`",
        )
    return program


def command(vm: VmAddress, port: int, local_port: int) -> list[str]:
    """The command that relays 127.0.0.1:`local_port` to the VM's `port`; 0: a free one."""
    return [
        *(program(), "compute", "start-iap-tunnel", vm.instance, str(port)),
        f"--local-host-port=127.0.0.1:{local_port}",
        *("--zone", vm.zone, "--project", vm.project),
    ]


def environment() -> Mapping[str, str]:
    """What gcloud runs under: it asks nothing, and says at once what it says."""
    return {
        **os.environ,
        # It is written in Python and says where it listens on stdout, which would stay in a
        # buffer for as long as that is a pipe.
        "PYTHONUNBUFFERED": "1",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_USER_OUTPUT_ENABLED": "true",
    }


def listening(line: str) -> int | None:
    """The local port, when the line says that it is open."""
    match = re.search(r"Listening on port \[(\d+)\]", line)
    return int(match[1]) if match else None


_NETWORK = (
    r"Max retries exceeded|Failed to resolve|Unable to find the server|Name or service not known"
    r"|name resolution|nodename nor servname|Network is unreachable"
)
_LOGIN = (
    r"do not currently have an active account|problem refreshing your current auth tokens"
    r"|Reauthentication|does not have any valid credentials|invalid_grant"
)
_TAKEN = r"Local port \[\d+\] is not available|Unable to open socket on port"
_API = r"API \[([\w.]+)\] (?:is )?not enabled|SERVICE_DISABLED|accessNotConfigured"
_API_UNUSED = r"([\w -]+ API) has not been used in project"
_IAP_OFF = r"\[4001:"
_VIEW = r"Required '(compute\.\S+)' permission"
_ROLE = r"\[4033:|Handshake status 40[013]\b|missing permissions"
_ABSENT = r"\[4047:|/instances/\S+' was not found"
_REFUSED = r"\[40(?:03|10):"


def problem(lines: Iterable[str], vm: VmAddress, port: int) -> TaxistackError:
    """What gcloud's last lines say of a tunnel that did not open, with what mends it.

    The network comes first: gcloud tells it as a problem with the login or with the VM.
    """
    text = "\n".join(lines)
    address = f"{vm.instance}:{port}"
    if re.search(_NETWORK, text):
        return MissingError(
            f"no tunnel to {address}: gcloud can't reach Google Cloud from here",
            hint="check the network and the proxy, and run the command again",
        )
    if re.search(_LOGIN, text):
        return MissingError(
            f"no tunnel to {address}: gcloud is not logged in, or its login has run out",
            hint="gcloud auth login (Application Default Credentials don't log gcloud in)",
        )
    if re.search(_TAKEN, text):
        return MissingError(
            f"no tunnel to {address}: its port on this machine is taken",
            hint="end what holds it, or choose another with `invoke tunnel --kestra-port` or "
            "`--postgres-port`",
        )
    return _refused_by_google(text, vm, port) or _unknown(text, vm, port)


def _refused_by_google(text: str, vm: VmAddress, port: int) -> MissingError | None:
    address, project = f"{vm.instance}:{port}", vm.project
    if off := re.search(f"{_API}|{_API_UNUSED}|{_IAP_OFF}", text):
        name = off[1] or off[2] or "iap.googleapis.com"
        service = name if "." in name else _service(name)
        return MissingError(
            f"no tunnel to {address}: {service} is not enabled in project {project}",
            hint=f"gcloud services enable {service} --project {project}; it takes some minutes",
        )
    if view := re.search(_VIEW, text):
        return MissingError(
            f"no tunnel to {address}: gcloud's account may not see the VM ({view[1]})",
            hint=_grant(project, "roles/compute.viewer"),
        )
    if re.search(_ROLE, text):
        return MissingError(
            f"no tunnel to {address}: gcloud's account lacks the role {ROLE}",
            hint=_grant(project, ROLE),
        )
    if re.search(_ABSENT, text):
        return MissingError(
            f"no tunnel to {address}: there is no such VM in {vm.zone} of project {project}, or it "
            "does not run",
            hint=f"gcloud compute instances start {vm.instance} --zone {vm.zone} --project "
            f"{project}, or `invoke up` when it is gone",
        )
    if re.search(_REFUSED, text):
        return NotListening(
            f"no tunnel to {address}: the VM runs, and nothing answers at port {port}",
            hint="it may still boot: `invoke up` waits for it and says how far it is",
        )
    return None


def _service(name: str) -> str:
    # "Cloud Identity-Aware Proxy API", "Compute Engine API": as the console calls them.
    return "compute.googleapis.com" if "Compute" in name else "iap.googleapis.com"


def _grant(project: str, role: str) -> str:
    return (
        f"gcloud projects add-iam-policy-binding {project} --role {role} "
        "--member user:WHO@EXAMPLE.COM (an owner of the project can)"
    )


def _unknown(text: str, vm: VmAddress, port: int) -> FailedError:
    said = [line for line in text.splitlines() if line.startswith("ERROR:")] or text.splitlines()
    words = said[-1].strip() if said else "it said nothing"
    return FailedError(
        f"no tunnel to {vm.instance}:{port}: gcloud ended: {words}",
        hint=f"gcloud compute start-iap-tunnel {vm.instance} {port} --zone {vm.zone} --project "
        f"{vm.project} shows all of it",
    )
