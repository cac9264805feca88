"""The engine's life: what survives, what is left behind, who may use its data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from tests.families import named

from localcloud.kestra import pulse
from localcloud.kestra.runtime import Build, java
from localcloud.layout import default_cache

# Three processes that ignore SIGTERM, one of them in a session of its own with no parent, one
# without any environment.
STUBBORN = """\
tasks:
  - id: stay
    type: io.kestra.plugin.scripts.shell.Commands
    {runner}
    commands:
      - trap "" TERM
      - (setsid python -c "import signal,time; signal.signal(15, 1); time.sleep(600)" {mark} &)
      - |
        env -i "$(command -v python)" -c "import time; time.sleep(600)" {mark} &
        python -c "import signal,time; signal.signal(15, 1); time.sleep(600)" {mark}
"""


def hold_on(engine, marker_processes, until, mark) -> str:
    """Start an execution that holds three stubborn processes; its id."""
    engine.save("stubborn", STUBBORN.format(runner=engine.process_runner, mark=mark))
    execution = engine.run("stubborn", wait=False)
    until(lambda: len(named(marker_processes(), "python")) >= 3)
    return execution["id"]


def test_everything_survives_a_stop_and_a_kill(new_engine, until) -> None:
    engine = new_engine()
    engine.start()
    engine.save("hello", "tasks:\n  - {id: a, type: io.kestra.plugin.core.log.Log, message: hi}\n")
    first = engine.run("hello")["id"]
    engine.http.put("/namespaces/tests/kv/key", content='"value"')
    engine.stop()

    engine.start()
    assert engine.execution(first)["state"]["current"] == "SUCCESS"
    second = engine.run("hello")["id"]
    family = engine.processes
    engine.jvm.kill()
    until(lambda: not [p for p in family if p.is_running() and p.status() != "zombie"])
    assert engine.launcher.wait(30) != 0

    engine.start()
    assert engine.execution(second)["state"]["current"] == "SUCCESS"
    assert engine.http.get("/flows/tests/hello").status_code == 200
    assert engine.http.get("/namespaces/tests/kv/key").json()["value"] == "value"
    assert engine.run("hello")["state"]["current"] == "SUCCESS"


def test_an_engine_that_does_not_answer_any_more_is_ended_and_leaves_nothing(new_engine, until):
    engine = new_engine(silence_seconds=3)
    engine.start()
    assert engine.http.get(pulse.PATH.removeprefix("/api/v1/main")).status_code == 404
    time.sleep(8)  # as long as it answers nothing happens
    assert engine.launcher.poll() is None
    family = engine.processes
    engine.jvm.suspend()
    assert engine.launcher.wait(60) != 0
    assert "the engine has not answered for 3 s" in engine.log.read_text()
    until(lambda: not [p for p in family if p.is_running() and p.status() != "zombie"])
    engine.start()
    assert engine.http.get("/flows/tests/hello").status_code == 404


def test_an_engine_that_is_stopped_for_a_moment_lives_on(new_engine):
    engine = new_engine(silence_seconds=12)
    engine.start()
    jvm = engine.jvm
    jvm.suspend()
    time.sleep(6)
    jvm.resume()
    time.sleep(12)
    assert engine.launcher.poll() is None
    assert engine.http.get("/flows/tests/hello").status_code == 404


def test_what_was_answered_for_is_there_after_a_kill_that_comes_at_once(new_engine):
    """Commits reach the file together, a little later: no answer may be ahead of them."""
    engine = new_engine()
    hello = "tasks:\n  - {id: a, type: io.kestra.plugin.core.log.Log, message: hi}\n"
    told: list[str] = []

    def ended() -> None:
        told.append(engine.run("hello", wait=False)["id"])
        while engine.execution(told[-1])["state"]["current"] != "SUCCESS":
            time.sleep(0.001)

    answered: dict[str, tuple[Callable[[], object], Callable[[], object], object]] = {
        "a flow": (
            lambda: engine.save("hello", hello),
            lambda: engine.http.get("/flows/tests/hello").status_code, 200,
        ),
        "a pair": (
            lambda: engine.http.put("/namespaces/tests/kv/key", content='"value"'),
            lambda: engine.http.get("/namespaces/tests/kv/key").json()["value"], "value",
        ),
        "an execution that was made": (
            lambda: told.append(engine.run("hello", wait=False)["id"]),
            lambda: engine.execution(told[-1])["id"] == told[-1], True,
        ),
        "an execution that was waited for": (
            lambda: told.append(engine.run("hello")["id"]),
            lambda: engine.execution(told[-1])["state"]["current"], "SUCCESS",
        ),
        "an execution that was seen to end": (
            ended, lambda: engine.execution(told[-1])["state"]["current"], "SUCCESS",
        ),
    }  # fmt: skip
    engine.start()
    for name, (act, look, seen) in answered.items():
        jvm = engine.jvm  # to find it takes longer than the commits do
        act()
        jvm.kill()
        engine.launcher.wait(30)
        engine.start()
        assert look() == seen, name


def test_what_was_half_written_at_a_kill_does_not_change_what_is_read(new_engine):
    """H2 rolls a torn transaction back at the next start, and must read the table as before."""
    engine = new_engine()
    engine.start()
    engine.save("hello", "tasks:\n  - {id: a, type: io.kestra.plugin.core.log.Log, message: hi}\n")
    before = engine.run("hello")
    engine.stop()
    tear_a_transaction(engine)

    engine.start()
    found = engine.http.get(
        "/executions/search",
        params={"filters[namespace][EQUALS]": "tests", "filters[state][IN]": "SUCCESS,RUNNING"},
    )
    assert found.status_code == 200, found.text
    assert [one["id"] for one in found.json()["results"]] == [before["id"]]
    assert engine.run("hello")["state"]["current"] == "SUCCESS"


def tear_a_transaction(engine) -> None:
    """Be killed while a change of an execution is in the file and not committed."""
    build = Build(default_cache())
    database = f"jdbc:h2:file:{engine.folder / 'data' / 'db'};CASE_INSENSITIVE_IDENTIFIERS=TRUE"
    shell = [str(java()), "-cp", build.class_path(), "org.h2.tools.Shell"]
    with subprocess.Popen(
        [*shell, "-url", database, "-user", "sa"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(
            "autocommit false\n"
            'UPDATE executions SET "value" = "value";\n'
            "CHECKPOINT;\n"
            "SELECT 'in the ' || 'file';\n"
        )
        process.stdin.flush()
        said = []
        for line in process.stdout:
            said.append(line)
            if "in the file" in line:
                break
        process.kill()
    assert "in the file" in said[-1], "".join(said)
    assert "(Update count: 1," in "".join(said)


def test_the_database_does_not_grow_with_every_commit(new_engine):
    """Without compaction it grows by 1.5 MB with each of these executions."""
    engine = new_engine()
    engine.start()
    task = "  - {{id: {}, type: io.kestra.plugin.core.log.Log, message: hi}}\n"
    engine.save("hello", "tasks:\n" + task.format("a") + task.format("b"))
    database = engine.folder / "data" / "db.mv.db"
    sizes = []
    for _ in range(3):
        for _ in range(40):
            engine.run("hello")
        time.sleep(4)  # what is younger than two seconds is left as it is
        sizes.append(database.stat().st_size / 1e6)
    assert max(sizes) < 80, sizes


def test_it_writes_below_its_own_folder_only(new_engine):
    engine = new_engine()
    engine.start()
    written = [Path(file.path) for file in engine.jvm.open_files() if file.mode != "r"]
    assert any(path.name == "db.mv.db" for path in written), "the database, among others"
    assert [path for path in written if engine.folder not in path.parents] == []


@pytest.mark.parametrize("victim", ["jvm", "nurse", "keeper"])
def test_a_killed_engine_leaves_no_process(new_engine, marker_processes, until, tmp_path, victim):
    engine = new_engine()
    engine.start()
    hold_on(engine, marker_processes, until, tmp_path / "stays")
    keeper = psutil.Process(engine.launcher.pid)
    (nurse,) = keeper.children()
    family = [keeper, nurse, engine.jvm]
    {"jvm": engine.jvm, "nurse": nurse, "keeper": keeper}[victim].kill()
    engine.launcher.wait(30)
    until(lambda: not marker_processes(), 30)
    until(lambda: not [p for p in family if p.is_running() and p.status() != "zombie"], 30)


def test_a_crash_of_the_java_runtime_is_healed_once_and_leaves_no_process(
    new_engine, marker_processes, until, tmp_path
) -> None:
    engine = new_engine()
    engine.start()
    hold_on(engine, marker_processes, until, tmp_path / "stays")
    crashed, held = engine.jvm, {process.pid for process in marker_processes()}
    crashed.send_signal(signal.SIGABRT)  # what the runtime ends itself with
    until(lambda: not crashed.is_running() and answers(engine))
    assert not held & {process.pid for process in marker_processes()}
    engine.jvm.send_signal(signal.SIGABRT)
    assert engine.launcher.wait(60) != 0
    until(lambda: not marker_processes(), 30)


def answers(engine) -> bool:
    try:
        return engine.http.get("../configs").status_code == 200
    except httpx.TransportError:
        return False


def test_a_stopped_engine_leaves_no_process(new_engine, marker_processes, until, tmp_path) -> None:
    engine = new_engine()
    engine.start()
    hold_on(engine, marker_processes, until, tmp_path / "stays")
    engine.stop()
    assert not marker_processes()


def test_a_killed_execution_leaves_no_process(engine, marker_processes, until, tmp_path) -> None:
    execution = hold_on(engine, marker_processes, until, tmp_path / "stays")
    (nurse,) = psutil.Process(engine.launcher.pid).children()
    assert engine.http.delete(f"/executions/{execution}/actions/kill").status_code == 200
    assert engine.ended(execution)["state"]["current"] == "KILLED"
    until(lambda: not marker_processes(), 30)
    until(lambda: nurse.children() == [engine.jvm], 30)  # no zombie of an adopted process either


def test_a_task_out_of_time_leaves_no_process(engine, marker_processes, until, tmp_path) -> None:
    body = STUBBORN.format(
        runner=engine.process_runner + "\n    timeout: PT3S", mark=tmp_path / "stays"
    )
    engine.save("late", body)
    execution = engine.run("late")
    assert execution["state"]["current"] == "FAILED"
    until(lambda: not marker_processes(), 30)


def test_a_second_engine_on_the_same_data_is_refused(engine) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "localcloud.kestra", str(engine.config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "in use by process" in second.stderr
    assert str(engine.launcher.pid) in second.stderr
    assert engine.http.get("../configs").status_code == 200


def test_a_port_that_is_taken_ends_the_engine_and_frees_its_data(new_engine, engine) -> None:
    other = new_engine(port=engine.port)
    launcher = other.launch()
    assert launcher.wait(180) == 3
    assert "Address already in use" in other.log.read_text()


def test_a_controller_port_that_is_taken_ends_the_engine_too(new_engine, engine) -> None:
    other = new_engine(controller_port=engine.port)
    launcher = other.launch()
    assert launcher.wait(120) == 3
    log = other.log.read_text()
    assert "the controller did not start" in log
    assert "Address already in use" in log


MANY = 30
"""Executions of one loop; eight at a time, so that at any moment some task is being given out."""


@pytest.fixture
def many_tasks(new_engine):
    """An engine with a flow `many`: a loop over executions of two quick tasks each."""
    engine = new_engine()
    engine.start()
    task = "type: io.kestra.plugin.scripts.shell.Commands, commands: [sleep 0.1],"
    tasks = [f"  - {{id: {name}, {task} {engine.process_runner}}}\n" for name in ("one", "two")]
    engine.save("few", "tasks:\n" + "".join(tasks))
    engine.save(
        "many",
        f"tasks:\n  - id: loop\n    type: io.kestra.plugin.core.flow.Loop\n"
        f"    values: {list(range(MANY))}\n    concurrencyLimit: 8\n    tasks:\n"
        "      - {id: run, type: io.kestra.plugin.core.flow.Subflow, namespace: tests,"
        " flowId: few, wait: true}\n",
    )
    return engine


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_no_task_is_lost_when_the_engine_ends_while_it_gives_tasks_out(many_tasks, how) -> None:
    engine = many_tasks
    execution = engine.run("many", wait=False)["id"]
    for seconds in (1.0, 1.5, 2.0):
        time.sleep(seconds)
        if how == "stopped":
            engine.stop()
        else:
            engine.jvm.kill()
            engine.launcher.wait(30)
        engine.start()
    assert engine.ended(execution)["state"]["current"] == "SUCCESS"
    search = {"filters[flowId][EQUALS]": "few", "size": 1000}
    found = engine.http.get("/executions/search", params=search).json()["results"]
    assert [one["state"]["current"] for one in found] == ["SUCCESS"] * MANY


def test_only_loopback_ports_are_open(engine) -> None:
    addresses = {
        c.laddr.ip for c in engine.jvm.net_connections("tcp") if c.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_no_password_stands_in_a_command_line(engine) -> None:
    lines = [" ".join(process.cmdline()) for process in engine.processes]
    assert len(lines) >= 3
    assert not [line for line in lines if engine.password in line or "a-very-secret-word" in line]


def test_the_launcher_ends_in_good_order_when_it_is_interrupted(new_engine) -> None:
    engine = new_engine()
    engine.start()
    os.kill(engine.launcher.pid, signal.SIGINT)
    assert engine.launcher.wait(60) == 0
