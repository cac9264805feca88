"""The daemon's edges: where it listens, how it is found, and that one run can't end it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import grpc
import psutil
import pytest

from localcloud import sockets
from localcloud.errors import CloudError
from localcloud.google.protocol import MESSAGES, SERVICE
from localcloud.google.provider import Provider
from localcloud.google.reattaching import reattach
from localcloud.google.server import start

STOPPED = MESSAGES["StopResponse"]()


def channel_to(private: Path) -> grpc.Channel:
    options = [("grpc.use_local_subchannel_pool", 1)]
    return grpc.insecure_channel(f"unix:{private / sockets.GOOGLE}", options=options)


def call(channel: grpc.Channel, method: str, response: str, request: bytes = b""):
    answer = channel.unary_unary(method)(request, timeout=10)
    return MESSAGES[response].FromString(answer)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


def test_it_serves_in_a_folder_of_its_owner_only(tmp_path: Path, private: Path) -> None:
    private.chmod(0o750)
    with pytest.raises(CloudError, match="its owner's alone"):
        start(tmp_path, cloud=None)


def test_its_sockets_are_its_owners_and_nothing_listens_on_a_port(tmp_path, private) -> None:
    before = {c.laddr.port for c in psutil.Process().net_connections("tcp")}
    server = start(tmp_path, cloud=None)
    try:
        assert (private / sockets.GOOGLE).stat().st_mode & 0o777 == 0o600
        assert {c.laddr.port for c in psutil.Process().net_connections("tcp")} == before
    finally:
        server.stop(0).wait()


def test_each_connection_has_a_name_of_its_own(tmp_path, private, monkeypatch) -> None:
    peers = []
    monkeypatch.setattr(Provider, "Stop", lambda _, __, peer: peers.append(peer) or STOPPED)
    server = start(tmp_path, cloud=None)
    try:
        for _ in range(2):  # two Terraform runs; each has a provider block of its own
            with channel_to(private) as channel:
                call(channel, f"/{SERVICE}/Stop", "StopResponse")
                call(channel, f"/{SERVICE}/Stop", "StopResponse")
    finally:
        server.stop(0).wait()
    assert peers[0] == peers[1] != peers[2] == peers[3]


def test_a_path_too_long_for_a_socket_goes_by_the_folder_of_a_process(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    (deep / "private").mkdir(mode=0o700, parents=True)
    server = start(deep, cloud=None)
    try:
        assert sockets.answers(deep / "private", sockets.GOOGLE)
        with subprocess.Popen(["cat"], cwd=deep / "private", stdin=subprocess.PIPE) as holder:
            path = sockets.reachable(deep / "private", sockets.GOOGLE, holder.pid)
            with grpc.insecure_channel(f"unix:{path}") as channel:
                assert call(channel, f"/{SERVICE}/Stop", "StopResponse").Error == ""
    finally:
        server.stop(0).wait()


def test_terraform_finds_it_by_address_and_process() -> None:
    state = SimpleNamespace(google=SimpleNamespace(address="/p/google.sock", pid=42))
    provider = json.loads(reattach(state))["registry.terraform.io/hashicorp/google"]
    assert provider["Addr"] == {"Network": "unix", "String": "/p/google.sock"}
    assert (provider["Pid"], provider["ProtocolVersion"], provider["Test"]) == (42, 5, True)


def test_stop_and_shutdown_of_one_run_leave_it_running(tmp_path: Path, private: Path) -> None:
    server = start(tmp_path, cloud=None)
    try:
        with channel_to(private) as channel:
            assert call(channel, f"/{SERVICE}/Stop", "StopResponse").Error == ""
            assert channel.unary_unary("/plugin.GRPCController/Shutdown")(b"", timeout=10) == b""
            schema = call(channel, f"/{SERVICE}/GetSchema", "SchemaResponse")
            assert "google_storage_bucket" in {e.key for e in schema.resource_schemas}
    finally:
        server.stop(0).wait()


def test_a_type_that_it_does_not_know_is_refused_by_name(tmp_path: Path, private: Path) -> None:
    server = start(tmp_path, cloud=None)
    try:
        with channel_to(private) as channel:
            request = MESSAGES["UpgradeRequest"](type_name="google_pubsub_topic")
            request.raw_state.json = b"{}"
            answer = call(
                channel,
                f"/{SERVICE}/UpgradeResourceState",
                "UpgradeResponse",
                request.SerializeToString(),
            )
        assert "google_pubsub_topic" in answer.diagnostics[0].summary
    finally:
        server.stop(0).wait()
