"""The daemon's edges: where it listens, how it is found, and that one run can't end it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest

from localcloud.errors import CloudError
from localcloud.google.protocol import MESSAGES, SERVICE
from localcloud.google.server import reattach, start


def call(channel: grpc.Channel, method: str, response: str, request: bytes = b""):
    answer = channel.unary_unary(method)(request, timeout=10)
    return MESSAGES[response].FromString(answer)


def test_it_serves_loopback_only(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match=r"127\.0\.0\.1 only"):
        start(tmp_path, "0.0.0.0:0", cloud=None)


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    first = start(tmp_path, "127.0.0.1:0", cloud=None)
    try:
        with pytest.raises(CloudError, match="can't listen on"):
            start(tmp_path, f"127.0.0.1:{first.bound_port}", cloud=None)
    finally:
        first.stop(0).wait()


def test_terraform_finds_it_by_address_and_process() -> None:
    state = SimpleNamespace(google=SimpleNamespace(address="127.0.0.1:7", pid=42))
    provider = json.loads(reattach(state))["registry.terraform.io/hashicorp/google"]
    assert provider["Addr"] == {"Network": "tcp", "String": "127.0.0.1:7"}
    assert (provider["Pid"], provider["ProtocolVersion"], provider["Test"]) == (42, 5, True)


def test_stop_and_shutdown_of_one_run_leave_it_running(tmp_path: Path) -> None:
    server = start(tmp_path, "127.0.0.1:0", cloud=None)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{server.bound_port}") as channel:
            assert call(channel, f"/{SERVICE}/Stop", "StopResponse").Error == ""
            assert channel.unary_unary("/plugin.GRPCController/Shutdown")(b"", timeout=10) == b""
            schema = call(channel, f"/{SERVICE}/GetSchema", "SchemaResponse")
            assert "google_storage_bucket" in {e.key for e in schema.resource_schemas}
    finally:
        server.stop(0).wait()


def test_a_type_that_it_does_not_know_is_refused_by_name(tmp_path: Path) -> None:
    server = start(tmp_path, "127.0.0.1:0", cloud=None)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{server.bound_port}") as channel:
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
