"""Flows: made, read, changed, listed, validated, removed."""

from __future__ import annotations

import pytest

from taxistack.kestra import Conflict, Invalid, NotFound

from .conftest import FLOWS, NAMESPACE, source


class TestFlows:
    def test_a_flow_is_made_read_changed_and_removed(self, client):
        text = source("coming", FLOWS["slow"])
        # A server counts on where a flow of that name, removed by now, had stopped.
        first = client.flows.create(text)["revision"]
        stored = client.flows.get(NAMESPACE, "coming")
        assert (stored["source"], stored["revision"]) == (text, first)
        changed = f"{text}\n# a remark\n"
        assert client.flows.update(NAMESPACE, "coming", changed)["revision"] == first + 1
        assert client.flows.get(NAMESPACE, "coming")["source"] == changed
        client.flows.delete(NAMESPACE, "coming")
        assert client.flows.get(NAMESPACE, "coming") is None

    def test_an_equal_source_makes_no_new_revision(self, client):
        before = client.flows.get(NAMESPACE, "slow")["revision"]
        client.flows.update(NAMESPACE, "slow", source("slow"))
        assert client.flows.get(NAMESPACE, "slow")["revision"] == before

    def test_flows_are_listed_and_searched(self, client):
        assert {one["id"] for one in client.flows.list(NAMESPACE)} == set(FLOWS)
        found = client.flows.search(namespace=NAMESPACE, size=2)
        assert sorted(one["id"] for one in found) == sorted(FLOWS)
        assert [one["id"] for one in client.flows.search(flow_id="echo")] == ["echo"]

    def test_a_flow_is_a_graph_of_its_tasks(self, client):
        graph = client.flows.graph(NAMESPACE, "looping")
        tasks = {(one.get("task") or {}).get("id") for one in graph["nodes"]}
        assert {"each", "child"} <= tasks
        ends = {end for edge in graph["edges"] for end in (edge["source"], edge["target"])}
        assert ends <= {one["uid"] for one in graph["nodes"]}
        with pytest.raises(NotFound):
            client.flows.graph(NAMESPACE, "nowhere")

    def test_a_namespace_without_flows_has_none(self, client):
        assert client.flows.list("contract.nobody") == []

    def test_validation_says_why(self, client):
        assert client.flows.validate(source("slow")) == []
        assert "tasks" in client.flows.validate(source("x", "tasks: []"))[0]
        unknown = source("x", "tasks: [{id: a, type: io.kestra.plugin.core.Nothing}]")
        assert client.flows.validate(unknown)
        removed = source("x", FLOWS["slow"] + "pluginDefaults: []\n")
        assert "pluginDefaults" in client.flows.validate(removed)[0]

    def test_wrong_flows_are_refused(self, client):
        with pytest.raises(Conflict):
            client.flows.create(source("echo"))
        with pytest.raises(Invalid):
            client.flows.create(source("wrong", "tasks: []"))
        with pytest.raises(NotFound):
            client.flows.update(NAMESPACE, "nowhere", source("nowhere", FLOWS["slow"]))
        with pytest.raises(Invalid):
            client.flows.update(NAMESPACE, "slow", source("echo"))
        with pytest.raises(NotFound):
            client.flows.delete(NAMESPACE, "nowhere")
