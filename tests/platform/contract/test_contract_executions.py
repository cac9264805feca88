"""Executions: started, followed, ended, run again, and found again."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime

import pytest

from taxistack.backfill import executions as backfill
from taxistack.kestra import Conflict, Invalid, KestraError, NotFound

from .conftest import FLOWS, NAMESPACE, eventually, run, source


class TestExecutions:
    def test_inputs_of_every_kind_arrive_and_outputs_come_back(self, client):
        done = run(client, "echo", {"text": "ü & =", "number": 41, "list": [1, 2]})
        assert done.state == "SUCCESS"
        assert done.inputs["list"] == [1, 2]
        assert client.outputs.flow(done.id) == {"given": "ü & =-42-2"}
        assert client.outputs.tasks(done.id)["give"] == {"value": "ü & =-42-2"}
        assert [one["taskId"] for one in done.task_runs] == ["say", "give"]
        assert done.start <= done.end

    def test_waiting_on_the_server_gives_the_ended_execution(self, client):
        done = client.executions.create(NAMESPACE, "echo", {"text": "a"}, wait=True, timeout=60)
        assert done.succeeded

    def test_a_file_goes_in_and_comes_out(self, client, tmp_path):
        content = os.urandom(300_000)
        (tmp_path / "data.bin").write_bytes(content)
        done = run(client, "echo", {"text": "a"}, files={"file": tmp_path / "data.bin"})
        assert client.files.download(done.id, done.inputs["file"]) == content
        with pytest.raises((NotFound, Invalid)):
            client.files.download(done.id, f"{done.inputs['file']}x")

    @pytest.mark.parametrize(
        "inputs", [{}, {"text": "a", "number": "many"}, {"text": "a", "choice": "c"}]
    )
    def test_wrong_inputs_are_refused(self, client, inputs):
        with pytest.raises(Invalid):
            client.executions.create(NAMESPACE, "echo", inputs)

    def test_what_is_not_there_is_not_found(self, client):
        with pytest.raises(NotFound):
            client.executions.create(NAMESPACE, "nowhere")
        with pytest.raises(NotFound):
            client.executions.get("nowhere")
        assert client.logs("nowhere") == []

    def test_a_disabled_flow_does_not_start(self, client):
        client.flows.create(source("off", FLOWS["slow"] + "disabled: true\n"))
        with pytest.raises(KestraError):
            client.executions.create(NAMESPACE, "off")
        client.flows.delete(NAMESPACE, "off")

    def test_inputs_over_a_mebibyte_are_refused(self, client):
        with pytest.raises(KestraError):
            client.executions.create(NAMESPACE, "echo", {"text": "x" * (1 << 20)})

    def test_log_lines_have_task_and_level(self, client):
        done = run(client, "echo", {"text": "hello"})
        lines = eventually(lambda: client.logs(done.id))
        assert [(one.level, one.task_id, one.message) for one in lines] == [
            ("INFO", "say", "said hello")
        ]
        assert client.logs(done.id, "ERROR") == []

    def test_a_missing_pair_is_told_in_the_words_that_a_backfill_understands(self, client):
        body = (
            "tasks: [{id: a, type: io.kestra.plugin.core.log.Log, message: \"{{ kv('gone') }}\"}]"
        )
        client.flows.create(source("pairless", body))
        failed = run(client, "pairless")
        client.flows.delete(NAMESPACE, "pairless")
        assert failed.state == "FAILED"
        wanted = f"KV pair `gone` of namespace {NAMESPACE} is missing: invoke deploy-flows"
        assert backfill.Executions(client).reason(failed.id) == wanted

    def test_following_ends_with_the_execution(self, client):
        started = client.executions.create(NAMESPACE, "echo", {"text": "a"})
        states = [one.state for one in client.executions.follow(started.id, timeout=60)]
        assert states[-1] == "SUCCESS"

    def test_the_server_streams_changes(self, client):
        """Not by polling: the stream itself must end with the ended execution."""
        started = client.executions.create(NAMESPACE, "echo", {"text": "a"})
        states = [one.state for one in client.executions._stream(started.id, None)]
        assert states[-1] == "SUCCESS"

    def test_a_running_execution_is_killed(self, client):
        started = client.executions.create(NAMESPACE, "slow")
        eventually(lambda: client.executions.get(started.id).state == "RUNNING")
        client.executions.kill(started.id)
        assert client.executions.wait(started.id, timeout=120).state == "KILLED"
        client.executions.kill(started.id)

    def test_a_failed_execution_runs_again_under_its_id(self, client):
        client.kv.put(NAMESPACE, "fail", "yes")
        failed = run(client, "failing")
        assert failed.state == "FAILED"
        (line, *_) = eventually(lambda: client.logs(failed.id, "ERROR"))
        assert "on purpose" in line.message
        client.kv.put(NAMESPACE, "fail", "no")
        assert client.executions.restart(failed.id).id == failed.id
        again = eventually(lambda: (one := client.executions.get(failed.id)).succeeded and one)
        assert again.attempt == 2
        with pytest.raises(Conflict):
            client.executions.restart(failed.id)

    def test_a_run_is_replayed_as_a_new_one(self, client):
        done = run(client, "echo", {"text": "a"})
        again = client.executions.replay(done.id)
        assert again.id != done.id
        assert client.executions.wait(again.id, timeout=60).inputs["text"] == "a"

    def test_the_log_is_followed_to_its_end(self, client):
        started = client.executions.create(NAMESPACE, "echo", {"text": "hello"})
        lines = [one.message for one in client.logs.follow(started.id)]
        assert lines == ["said hello"]

    def test_an_execution_is_removed(self, client):
        done = run(client, "echo", {"text": "a"})
        client.executions.delete(done.id)
        with pytest.raises(NotFound):
            client.executions.get(done.id)


class TestSearch:
    def test_by_labels_state_flow_and_start(self, client):
        mark, before = secrets.token_hex(4), datetime.now(UTC)
        for taxi in ("green", "yellow", "yellow"):
            run(client, "echo", {"text": "a"}, labels={"mark": mark, "taxi": taxi, "q": "a:b c"})

        def found(**what: object) -> int:
            return len([*client.executions.search(namespace=NAMESPACE, **what)])

        eventually(lambda: found(labels={"mark": mark}) == 3)
        assert found(labels={"mark": mark, "taxi": "yellow"}) == 2
        assert found(labels={"mark": mark, "q": "a:b c"}) == 3
        assert found(labels={"mark": mark}, states=["SUCCESS", "FAILED"]) == 3
        assert found(labels={"mark": mark}, states=["RUNNING"]) == 0
        assert found(labels={"mark": mark}, flow_id="slow") == 0
        assert found(labels={"mark": mark}, start_after=before) == 3
        assert found(labels={"mark": mark}, start_after=datetime(2999, 1, 1, tzinfo=UTC)) == 0
        assert found(labels={"mark": f"{mark}x"}) == 0

    def test_pages_join_in_the_order_that_was_asked_for(self, client):
        mark = secrets.token_hex(4)
        ids = [run(client, "echo", {"text": "a"}, labels={"mark": mark}).id for _ in range(5)]

        def found(sort: str) -> list[str]:
            hits = client.executions.search(labels={"mark": mark}, page_size=2, sort=sort)
            return [one.id for one in hits]

        eventually(lambda: len(found("state.startDate:asc")) == 5)
        assert found("state.startDate:asc") == ids
        assert found("state.startDate:desc") == ids[::-1]

    def test_children_of_a_loop_are_found_by_inherited_labels_and_iterations_left_out(self, client):
        mark = secrets.token_hex(4)
        assert run(client, "looping", labels={"mark": mark}).succeeded

        def found() -> list[tuple[str, str]]:
            hits = client.executions.search(labels={"mark": mark})
            return sorted((one.flow_id, one.labels.get("nth", "")) for one in hits)

        wanted = [("echo", "n1"), ("echo", "n2"), ("echo", "n3"), ("looping", "")]
        eventually(lambda: found() == wanted)
