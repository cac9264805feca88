"""Executions on the engine: tasks, logs, outputs, files, searches, triggers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

LOG = "tasks:\n  - {id: a, type: io.kestra.plugin.core.log.Log, message: hi}\n"


def shell(engine, *commands: str, more: str = "") -> str:
    """A flow's body: one shell task, `s`."""
    lines = "".join(f"      - {command!r}\n" for command in commands)
    return (
        "tasks:\n  - id: s\n    type: io.kestra.plugin.scripts.shell.Commands\n"
        f"    {engine.process_runner}\n{more}    commands:\n{lines}"
    )


def messages(engine, until, execution: str, wanted: str, **filters: str) -> list[str]:
    """The log once it holds `wanted`: logs are indexed a moment later."""
    until(lambda: any(wanted in line for line in engine.messages(execution)))
    return engine.messages(execution, **filters)


def test_fifty_executions_at_once_all_succeed(engine) -> None:
    engine.save("many", LOG)
    with ThreadPoolExecutor(50) as pool:
        started = list(pool.map(lambda _: engine.run("many", wait=False)["id"], range(50)))
    assert {engine.ended(one)["state"]["current"] for one in started} == {"SUCCESS"}


def test_a_python_task_gets_its_files_environment_and_gives_outputs(engine) -> None:
    engine.http.post(
        "/namespaces/tests/files",
        params={"path": "/etl/x.py"},
        files={"fileContent": ("x", b"y = 7")},
    )
    engine.save(
        "python",
        f"""\
inputs: [{{id: data, type: FILE}}]
variables: {{e: {{A: "1", B: "{{{{ flow.id }}}}"}}}}
tasks:
  - id: p
    type: io.kestra.plugin.scripts.python.Commands
    {engine.process_runner}
    namespaceFiles: {{enabled: true, include: ["etl/**"]}}
    env: "{{{{ render(vars.e) }}}}"
    inputFiles: {{in.txt: "{{{{ inputs.data }}}}", main.py: "{{{{ read('etl/x.py') }}}}"}}
    outputFiles: ["*.out"]
    beforeCommands: ["export C=2"]
    commands:
      - |
        python - <<'EOF'
        import os, json
        from etl.x import y
        text = open("in.txt").read()
        open("r.out", "w").write(text * 2)
        values = {{"y": y, "text": text, **{{k: os.environ[k] for k in "ABC"}}}}
        print("::" + json.dumps({{"outputs": values}}) + "::")
        EOF
outputs: [{{id: doubled, type: STRING, value: "{{{{ read(outputs.p.outputFiles['r.out']) }}}}"}}]
""",
    )
    done = engine.run("python", data=("in.txt", b"ab"))
    assert done["state"]["current"] == "SUCCESS", engine.messages(done["id"])
    outputs = engine.task_outputs(done["id"], "p")
    assert outputs["vars"] == {"y": 7, "text": "ab", "A": "1", "B": "python", "C": "2"}
    assert outputs["exitCode"] == 0
    uri = outputs["outputFiles"]["r.out"]
    assert (
        engine.http.get(f"/executions/{done['id']}/file", params={"path": uri}).content == b"abab"
    )
    assert engine.http.get(f"/outputs/executions/{done['id']}").json() == {"doubled": "abab"}


def test_a_python_task_tells_each_line_at_once_and_calls_pip_without_remarks(engine, until) -> None:
    names = ("PYTHONUNBUFFERED", "PIP_ROOT_USER_ACTION", "PIP_DISABLE_PIP_VERSION_CHECK")
    flow = shell(engine, f"echo {' '.join(f'${one}' for one in names)}")
    engine.save("unbuffered", flow.replace("shell.Commands", "python.Commands"))
    done = engine.run("unbuffered")
    assert messages(engine, until, done["id"], "true ignore 1")


def test_a_file_of_another_execution_is_refused(engine) -> None:
    engine.save("maker", shell(engine, "echo x > a.txt", more="    outputFiles: [a.txt]\n"))
    first, second = engine.run("maker"), engine.run("maker")
    uri = engine.task_outputs(first["id"], "s")["outputFiles"]["a.txt"]
    url = f"/executions/{second['id']}/file"
    assert engine.http.get(url, params={"path": uri}).status_code == 422
    escape = uri.replace("/tasks/", f"/../{first['id']}/../../../tasks/")
    assert engine.http.get(url, params={"path": escape}).status_code == 422


def test_secrets_are_rendered_masked_and_not_inherited(engine, until) -> None:
    engine.save(
        "secret",
        shell(
            engine,
            'echo "given $WORD"',
            'echo "inherited ${SECRET_WORD:-none}"',
            'test "$WORD" = a-very-secret-word',
            more="    env: {WORD: \"{{ secret('WORD') }}\"}\n",
        ),
    )
    done = engine.run("secret")
    assert done["state"]["current"] == "SUCCESS"
    lines = messages(engine, until, done["id"], "inherited")
    assert "given ******" in lines
    assert "inherited none" in lines
    whole = engine.http.get(f"/logs/{done['id']}").text
    assert "a-very-secret-word" not in whole + engine.log.read_text()


def test_the_environment_of_the_server_is_readable_in_flows(engine) -> None:
    engine.save("envs", LOG + 'outputs: [{id: a, type: STRING, value: "{{ envs.answer }}"}]\n')
    done = engine.run("envs")
    assert engine.http.get(f"/outputs/executions/{done['id']}").json() == {"a": "42"}


def test_logs_are_filtered_by_level_and_task(engine, until) -> None:
    engine.save("logs", shell(engine, "echo out", "echo err >&2", "exit 3"))
    done = engine.run("logs")
    assert done["state"]["current"] == "FAILED"
    every = messages(engine, until, done["id"], "Command failed with exit code 3")
    assert {"out", "err"} <= set(every)
    errors = engine.messages(done["id"], **{"filters[level][GREATER_THAN_OR_EQUAL_TO]": "ERROR"})
    assert "err" in errors
    assert "out" not in errors
    assert not engine.messages(done["id"], **{"filters[taskId][EQUALS]": "other"})


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [({}, "color"), ({"color": "blue"}, "[red, green]"), ({"color": "red", "n": "x"}, "`n`")],
)
def test_wrong_inputs_are_refused_before_anything_runs(engine, inputs, reason) -> None:
    engine.save(
        "inputs",
        "inputs:\n  - {id: color, type: SELECT, values: [red, green]}\n"
        "  - {id: n, type: INT, required: false}\n" + LOG,
    )
    answer = engine.http.post(
        "/executions/tests/inputs", files={k: (None, v) for k, v in inputs.items()} or None
    )
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]


def test_a_check_of_the_flow_blocks_or_fails_an_execution(engine) -> None:
    check = "checks: [{when: '{{ inputs.n > 0 }}', message: too few, behavior: %s}]\n"
    inputs = "inputs: [{id: n, type: INT}]\n"
    engine.save("blocked", inputs + LOG + check % "BLOCK_EXECUTION")
    answer = engine.http.post("/executions/tests/blocked", files={"n": (None, "0")})
    assert answer.status_code == 422
    assert "too few" in answer.json()["detail"]
    engine.save("failed", inputs + LOG + check % "FAIL_EXECUTION")
    failed = engine.run("failed", n="0")
    assert failed["state"]["current"] == "FAILED"
    assert not failed.get("taskRunList")
    assert engine.run("failed", n="1")["state"]["current"] == "SUCCESS"


def test_who_starts_an_execution_may_say_where_it_comes_from(engine) -> None:
    engine.save("from", LOG)

    def origins(**labels: str) -> list[str]:
        started = engine.run("from", labels=labels)
        return [one["value"] for one in started["labels"] if one["key"] == "system.from"]

    assert origins() == ["api"]
    assert origins(**{"system.from": "ui"}) == ["ui"]
    answer = engine.http.post("/executions/tests/from", params={"labels": "system.replay:true"})
    assert answer.status_code == 422


def test_executions_are_found_by_label_state_date_and_page(engine, until) -> None:
    engine.save("found", LOG)
    before = datetime.now(UTC) - timedelta(seconds=1)
    for month in ("2019-01", "2019-02", "2019-03"):
        engine.run("found", labels={"month": month, "batch": "b:1"})

    def search(**query: str) -> dict:
        answer = engine.http.get(
            "/executions/search", params={"filters[labels][EQUALS][batch]": "b:1", **query}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    until(lambda: search(**{"filters[state][IN]": "SUCCESS"})["total"] == 3)
    one = search(**{"filters[labels][EQUALS][month]": "2019-02"})
    assert one["total"] == 1
    assert {"key": "month", "value": "2019-02"} in one["results"][0]["labels"]
    assert search(**{"filters[state][IN]": "FAILED,KILLED"})["total"] == 0
    assert search(**{"filters[startDate][GREATER_THAN]": before.isoformat()})["total"] == 3
    assert search(**{"filters[startDate][LESS_THAN]": before.isoformat()})["total"] == 0
    assert (
        search(**{"filters[namespace][EQUALS]": "tests", "filters[flowId][EQUALS]": "found"})[
            "total"
        ]
        == 3
    )
    pages = [
        [e["id"] for e in search(page=str(n), size="2", sort="state.startDate:desc")["results"]]
        for n in (1, 2)
    ]
    assert list(map(len, pages)) == [2, 1]
    assert len({*pages[0], *pages[1]}) == 3


def test_loop_iterations_are_left_out_of_searches(engine, until) -> None:
    engine.save(
        "looped",
        "tasks:\n  - id: l\n    type: io.kestra.plugin.core.flow.Loop\n    values: [1, 2, 3]\n"
        "    tasks:\n      - {id: r, type: io.kestra.plugin.core.debug.Return, format: x}\n",
    )
    done = engine.run("looped")
    assert done["state"]["current"] == "SUCCESS"
    query = {"filters[flowId][EQUALS]": "looped"}
    assert engine.http.get("/executions/search", params=query).json()["total"] == 1
    loops = {**query, "filters[kind][EQUALS]": "LOOP", "filters[parentId][EQUALS]": done["id"]}
    found = engine.http.get("/executions/search", params=loops).json()["results"]
    assert sorted(item["loopRun"]["index"] for item in found) == [0, 1, 2]


def test_a_failed_execution_restarts_where_it_failed(engine, tmp_path) -> None:
    engine.save("again", LOG + shell(engine, f"test -e {tmp_path}/ok").removeprefix("tasks:\n"))
    failed = engine.run("again")
    assert failed["state"]["current"] == "FAILED"
    (tmp_path / "ok").touch()
    assert engine.http.post(f"/executions/{failed['id']}/actions/restart").status_code == 200
    done = engine.ended(failed["id"])
    assert done["state"]["current"] == "SUCCESS"
    assert [len(run["attempts"]) for run in done["taskRunList"]] == [1, 2]
    assert engine.http.post(f"/executions/{failed['id']}/actions/restart").status_code == 409
    kill = f"/executions/{failed['id']}/actions/kill"
    assert engine.http.delete(kill).status_code == 200
    assert engine.http.delete(kill, params={"isOnKillCascade": "false"}).status_code == 409
    assert engine.execution(failed["id"])["state"]["current"] == "SUCCESS"


def test_a_retried_task_alone_in_a_sequential_is_tried_as_often_as_asked(engine) -> None:
    retry = "    retry: {type: constant, interval: PT0.1S, maxAttempts: 3}\n"
    task = (
        shell(engine, "exit 1", more=retry)
        .removeprefix("tasks:\n")
        .replace("\n", "\n    ")
        .rstrip()
    )
    engine.save(
        "retried",
        LOG
        + f"  - id: q\n    type: io.kestra.plugin.core.flow.Sequential\n    tasks:\n    {task}\n",
    )
    done = engine.run("retried")
    assert done["state"]["current"] == "FAILED"
    tries = [run for run in done["taskRunList"] if run["taskId"] == "s"]
    assert [len(run["attempts"]) for run in tries] == [3]


def test_following_ends_with_the_execution(engine) -> None:
    engine.save("followed", shell(engine, "sleep 1"))
    execution = engine.run("followed", wait=False)["id"]
    for _ in ("while it runs", "when it has ended"):
        with engine.http.stream("GET", f"/executions/{execution}/follow") as stream:
            assert stream.headers["content-type"] == "text/event-stream"
            lines = list(stream.iter_lines())
        ids = [line.removeprefix("id: ") for line in lines if line.startswith("id: ")]
        assert ids[0] == "start"
        assert ids[-1] == "end"
    assert engine.http.get("/executions/nothing/follow").status_code == 404


def test_a_deleted_execution_is_gone(engine) -> None:
    engine.save("deleted", LOG)
    execution = engine.run("deleted")["id"]
    assert engine.http.delete(f"/executions/{execution}").status_code == 204
    assert engine.http.get(f"/executions/{execution}").status_code == 404
    assert engine.http.get(f"/logs/{execution}").json() == []


def test_an_execution_can_wait_for_its_date(engine, until) -> None:
    engine.save("dated", LOG)
    date = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    execution = engine.http.post("/executions/tests/dated", params={"scheduleDate": date}).json()
    assert execution["state"]["current"] == "CREATED"
    assert engine.ended(execution["id"])["state"]["current"] == "SUCCESS"


def test_a_flow_that_is_not_there_or_disabled_does_not_run(engine) -> None:
    assert engine.http.post("/executions/tests/nothing").status_code == 404
    engine.save("disabled", LOG + "disabled: true\n")
    answer = engine.http.post("/executions/tests/disabled")
    assert (answer.status_code, "disabled" in answer.json()["detail"]) == (500, True)


def test_a_download_over_http_works(engine) -> None:
    engine.save(
        "download",
        f"tasks:\n  - id: d\n    type: io.kestra.plugin.core.http.Download\n"
        f"    uri: http://127.0.0.1:{engine.port}/api/v1/configs\n"
        f"    options:\n      auth: {{type: BASIC, username: {engine.user}, "
        f"password: {engine.password}}}\n",
    )
    done = engine.run("download")
    assert done["state"]["current"] == "SUCCESS", engine.messages(done["id"])
    outputs = engine.task_outputs(done["id"], "d")
    assert outputs["code"] == 200


def backfill(engine, action: str, **more: object) -> httpx.Response:
    body = {"namespace": "tests", "flowId": "ticking", "triggerId": "monthly", **more}
    method = "POST" if action == "delete" else "PUT"
    return engine.http.request(method, f"/triggers/backfill/{action}", json=body)


def test_a_schedule_is_backfilled_tick_by_tick(engine, until) -> None:
    engine.save(
        "ticking",
        LOG + "triggers:\n  - id: monthly\n    type: io.kestra.plugin.core.trigger.Schedule\n"
        '    cron: "0 9 1 * *"\n    timezone: UTC\n    recoverMissedSchedules: NONE\n'
        "    labels: {month: \"{{ trigger.date | date('yyyy-MM') }}\"}\n",
    )

    def state() -> dict:
        query = {"filters[namespace][EQUALS]": "tests", "filters[flowId][EQUALS]": "ticking"}
        results = engine.http.get("/triggers/search", params=query).json()["results"]
        return results[0]["state"] if results else {}

    until(lambda: state().get("nextEvaluationDate"))
    for action in ("pause", "unpause", "delete"):
        assert "backfill" not in backfill(engine, action).json()
    wrong = {"start": "2020-01-01T00:00:00Z", "end": "2019-01-01T00:00:00Z"}
    assert backfill(engine, "create", backfill=wrong).status_code == 422
    long = {"start": "1990-01-01T00:00:00Z", "end": "2019-01-01T00:00:00Z"}
    assert backfill(engine, "create", backfill=long).status_code == 200
    assert backfill(engine, "create", backfill=long).status_code == 409
    assert backfill(engine, "pause").json()["backfill"]["paused"] is True
    assert backfill(engine, "unpause").json()["backfill"]["paused"] is False
    assert "backfill" not in backfill(engine, "delete").json()
    until(lambda: not state().get("locked"))

    short = {
        "start": "2019-01-01T00:00:00Z",
        "end": "2019-03-31T00:00:00Z",
        "labels": [{"key": "backfill", "value": "mine"}],
    }
    assert backfill(engine, "create", backfill=short).status_code == 200
    until(lambda: "backfill" not in state())
    query = {"filters[labels][EQUALS][backfill]": "mine", "filters[state][EQUALS]": "SUCCESS"}
    until(lambda: engine.http.get("/executions/search", params=query).json()["total"] == 3)
    found = engine.http.get("/executions/search", params=query).json()["results"]
    months = [
        label["value"] for item in found for label in item["labels"] if label["key"] == "month"
    ]
    assert sorted(months) == ["2019-01", "2019-02", "2019-03"]

    ids = {"namespace": "tests", "flowId": "ticking", "triggerId": "monthly"}
    off = engine.http.put("/triggers/set-disabled", json={**ids, "disabled": True})
    assert off.json()["disabled"] is True
    search = engine.http.get(
        "/triggers/search", params={"filters[flowId][EQUALS]": "ticking"}
    ).json()
    assert search["results"][0]["state"]["disabled"] is True
    assert search["results"][0]["trigger"]["id"] == "monthly"
    unclear = engine.http.put("/triggers/set-disabled", json={**ids, "disabled": "maybe"})
    assert unclear.status_code == 400
    other = engine.http.put(
        "/triggers/set-disabled", json={**ids, "triggerId": "x", "disabled": True}
    )
    assert other.status_code == 404


def test_a_run_that_was_interrupted_is_taken_up_again(new_engine, until, tmp_path) -> None:
    engine = new_engine()
    engine.start()
    engine.save(
        "long", shell(engine, f"echo x >> {tmp_path}/begun", f"test -e {tmp_path}/go || sleep 600")
    )
    execution = engine.run("long", wait=False)["id"]
    until((tmp_path / "begun").exists)
    (tmp_path / "go").touch()
    (work,) = (engine.folder / "data" / "tasks").iterdir()
    upload = engine.folder / "data" / "uploads" / "part-1.tmp"
    upload.touch()
    engine.jvm.kill()
    engine.launcher.wait(30)
    assert work.exists()
    engine.start()
    assert not work.exists()
    assert not upload.exists()
    assert engine.ended(execution)["state"]["current"] == "SUCCESS"
    assert (tmp_path / "begun").read_text().count("x") == 2


RETRIED = """\
concurrency: {limit: 1, behavior: QUEUE}
tasks:
  - id: inner
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
      - id: fails
        type: io.kestra.plugin.core.execution.Fail
        runIf: "{{ kv('calm', errorOnMissing=false) != 'yes' }}"
        retry: {type: constant, interval: PT10S, maxAttempts: 5}
"""


@pytest.mark.parametrize("through", ["itself", "its parent"])
def test_a_run_that_waits_for_a_retry_is_killed_and_frees_its_slot(engine, until, through) -> None:
    engine.http.put("/namespaces/tests/kv/calm", content='"no"')
    engine.save("retried_long", RETRIED)
    engine.save(
        "parent",
        "tasks:\n  - {id: child, type: io.kestra.plugin.core.flow.Subflow, namespace: tests,"
        " flowId: retried_long, wait: true}\n",
    )
    asked = engine.run("retried_long" if through == "itself" else "parent", wait=False)["id"]

    def waiting() -> str | None:
        query = {
            "filters[flowId][EQUALS]": "retried_long",
            "filters[state][IN]": "RETRYING,RUNNING",
        }
        for one in engine.http.get("/executions/search", params=query).json()["results"]:
            runs = engine.execution(one["id"]).get("taskRunList", [])
            if any(run["state"]["current"] == "RETRYING" for run in runs):
                return one["id"]
        return None

    execution = until(waiting)
    engine.http.put("/namespaces/tests/kv/calm", content='"yes"')
    queued = engine.run("retried_long", wait=False)["id"]
    assert engine.http.delete(f"/executions/{asked}/actions/kill").status_code == 200
    assert engine.ended(execution)["state"]["current"] == "KILLED"
    assert engine.ended(asked)["state"]["current"] == "KILLED"
    assert engine.ended(queued)["state"]["current"] == "SUCCESS"
    # The retry that was due comes to nothing: it would run the task of a killed execution.
    since = datetime.now(UTC)
    until(lambda: datetime.now(UTC) - since > timedelta(seconds=13))
    killed = engine.execution(execution)
    assert killed["state"]["current"] == "KILLED"
    assert {run["state"]["current"] for run in killed["taskRunList"]} == {"KILLED"}


MEBIBYTE = 1 << 20


def test_inputs_over_a_mebibyte_are_refused(engine) -> None:
    engine.save("big", "inputs: [{id: text, type: STRING}]\n" + LOG)
    answer = engine.http.post("/executions/tests/big", files={"text": (None, "x" * MEBIBYTE)})
    assert answer.status_code == 500
    assert "message-protection" in answer.json()["detail"]
    assert engine.run("big", text="x" * (MEBIBYTE // 2))["state"]["current"] == "SUCCESS"


BIG_OUTPUT = """\
tasks:
  - id: s
    type: io.kestra.plugin.scripts.python.Commands
    {runner}
    commands:
      - |
        python - <<'EOF'
        import json
        print("::" + json.dumps({{"outputs": {{"big": "x" * {size}}}}}) + "::")
        EOF
"""


def test_outputs_over_a_mebibyte_fail_their_task(engine, until) -> None:
    engine.save("big_output", BIG_OUTPUT.format(runner=engine.process_runner, size=MEBIBYTE))
    done = engine.run("big_output")
    assert done["state"]["current"] == "FAILED"
    assert messages(engine, until, done["id"], "has exceeded the configured limit")
