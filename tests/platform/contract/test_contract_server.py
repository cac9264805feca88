"""Which Kestra it is, who may ask it, and what the embedded engine says of calls it has not."""

from __future__ import annotations

import os

import httpx
import pytest

from taxistack.kestra import KestraClient, NotOffered, Unauthorized

from .conftest import NAMESPACE


class TestServer:
    def test_it_is_kestra_2(self, client):
        assert client.version().startswith("2.")

    @pytest.mark.parametrize("password", ["", "Wrong-password-1"])
    def test_a_wrong_password_is_refused(self, client, contract_server, password):
        with (
            KestraClient(contract_server[0], contract_server[1], password) as other,
            pytest.raises(Unauthorized),
        ):
            other.flows.list(NAMESPACE)

    @pytest.mark.parametrize("password", ["", "Wrong-password-1"])
    def test_the_version_proves_no_password_and_being_ready_does(
        self, client, contract_server, password
    ):
        with KestraClient(contract_server[0], contract_server[1], password) as other:
            assert other.version() == client.ready()
            with pytest.raises(Unauthorized):
                other.ready()

    def test_every_call_but_for_the_version_needs_credentials(self, client, contract_server):
        assert httpx.get(f"{contract_server[0]}/api/v1/configs").status_code == 200
        for path in ("main/flows/taxi", "main/executions/search"):
            assert httpx.get(f"{contract_server[0]}/api/v1/{path}").status_code == 401

    @pytest.mark.skipif("KESTRA_URL" in os.environ, reason="a full server offers every call")
    def test_what_the_embedded_engine_lacks_says_so(self, client):
        with pytest.raises(NotOffered):
            client._http.json("main/dashboards", "read dashboards")
