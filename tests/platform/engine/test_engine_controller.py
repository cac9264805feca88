"""The engine's controller hands out tasks with their secrets: to the engine's own worker only."""

from __future__ import annotations

import json

import grpc
import pytest

METHOD = "/ConnectControllerService/connect"


@pytest.mark.parametrize("word", [None, "", "0" * 64])
def test_another_worker_is_not_let_in(engine, word: str | None):
    port = json.loads(engine.config.read_text())["controller_port"]
    metadata = [] if word is None else [("localcloud-word", word)]
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    with channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(METHOD)(b"", timeout=20, metadata=metadata)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert refused.value.details() == "not this engine's worker"
