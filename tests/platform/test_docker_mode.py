"""Kestra in containers on the whole local cloud, with a `docker` program that plays the engine."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fake_docker import FakeDocker

from localcloud import Compose, InstanceConfig, LocalCloud
from localcloud.errors import MissingError, PartError, StopError

ROOT = Path(__file__).resolve().parents[2]
FILES = tuple(ROOT / "infra" / "kestra" / name for name in ("compose.yaml", "compose.local.yaml"))
CONFIG = InstanceConfig(
    user="admin@kestra.io",
    password="Sesame-2026",
    secrets={
        "ALARM_WEBHOOK": "https://hooks.example.org/token-3",
        "KESTRA_PASSWORD": "Sesame-2026",
        "POSTGRES_PASSWORD": "hush-hush-hush",
    },
    variables={"KESTRA_VERSION": "2.0.0", "ETL_REQUIREMENTS": "ab12", "SECRET_VERSION": "1"},
)


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    made = FakeDocker(tmp_path)
    monkeypatch.setenv("PATH", made.path)
    return made


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalCloud, FakeDocker]]:
    folder = tmp_path_factory.mktemp("docker")
    with pytest.MonkeyPatch.context() as patch:
        docker = FakeDocker(folder)
        patch.setenv("PATH", docker.path)
        cloud = LocalCloud(folder / "cloud")
        cloud.start()
        cloud.run_instance_as(Compose.with_docker_of(os.environ, FILES, "stack"))
    yield cloud, docker
    cloud.stop()
    cloud.erase()


@pytest.fixture
def cloud(parts: tuple[LocalCloud, FakeDocker]) -> Iterator[LocalCloud]:
    made, docker = parts
    yield made
    docker.mend()
    if made.state() is None:
        made.start()
    made.delete_instance()
    docker.forget()


@pytest.fixture
def engine(parts: tuple[LocalCloud, FakeDocker]) -> FakeDocker:
    """The Docker of `cloud`."""
    return parts[1]


def answer(url: str, password: str = CONFIG.password) -> int:
    login = base64.b64encode(f"{CONFIG.user}:{password}".encode()).decode()
    request = urllib.request.Request(
        f"{url}/api/v1/main/flows/search?size=1", headers={"Authorization": f"Basic {login}"}
    )
    try:
        with urllib.request.urlopen(request) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def pid(cloud: LocalCloud) -> int | None:
    return next(part.pid for part in cloud.status() if part.name == "kestra")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_life_of_a_server_in_containers(cloud: LocalCloud, engine: FakeDocker):
    assert cloud.instance_in_containers() is None
    url = cloud.start_instance(CONFIG)
    assert answer(url) == 200
    assert (cloud.instance_state(), cloud.instance_in_containers()) == ("RUNNING", True)
    project = engine.there("containers")
    assert len(project) == 1
    assert project[0].startswith("stack-")
    assert "server started" in cloud.layout.log("kestra").read_text()

    first = pid(cloud)
    assert cloud.start_instance(CONFIG) == url
    assert pid(cloud) == first, "the same configuration leaves it alone"

    os.kill(first, signal.SIGKILL)
    until(lambda: pid(cloud) not in (first, None))
    cloud.start()
    assert answer(url) == 200, "the supervisor starts `docker compose up` again"

    cloud.stop()
    assert engine.there("containers") == []
    assert engine.there("volumes") == project, "stop keeps the volumes"
    cloud.start()
    assert cloud.instance_state() == "RUNNING"
    assert engine.there("containers") == project, "start brings back what ran"

    other = replace(CONFIG, password="Another-2026", secrets={})
    assert cloud.start_instance(other) == url
    assert (answer(url, "Another-2026"), answer(url)) == (200, 401), "a new password restarts it"

    cloud.stop_instance()
    assert cloud.instance_state() == "TERMINATED"
    assert (engine.there("containers"), engine.there("volumes")) == ([], project)

    cloud.delete_instance()
    assert cloud.instance_state() is None
    assert (engine.there("containers"), engine.there("volumes")) == ([], [])
    assert not cloud.layout.compose.exists()
    assert not cloud.layout.kestra_config.exists()


def test_docker_is_handed_the_ports_of_the_parts_and_no_secret(cloud: LocalCloud, engine):
    url = cloud.start_instance(CONFIG)
    state = cloud.state()
    lines = cloud.layout.compose_variables.read_text().splitlines()
    variables = {name: text.strip("'") for name, text in (line.split("=", 1) for line in lines)}
    relayed = [state.storage.address, state.warehouse.address, f":{state.postgres.port}"]
    relayed.append(state.releases.url)
    assert variables == {
        "KESTRA_VERSION": "2.0.0",
        "ETL_REQUIREMENTS": "ab12",
        "SECRET_VERSION": "1",
        "KESTRA_USER": "admin@kestra.io",
        "KESTRA_BIND": "127.0.0.1",
        "KESTRA_PORT": url.rpartition(":")[2],
        "SECRETS": str(cloud.layout.compose_secrets),
        "RELAY_PORTS": " ".join(address.rpartition(":")[2] for address in relayed),
    }
    secrets = {path.name: path for path in cloud.layout.compose_secrets.iterdir()}
    assert sorted(secrets) == [
        "ALARM_WEBHOOK",
        "EMULATOR_KEY",
        "KESTRA_DB_PASSWORD",
        "KESTRA_PASSWORD",
        "POSTGRES_PASSWORD",
    ]
    assert secrets["POSTGRES_PASSWORD"].read_text() == "hush-hush-hush"
    for path in cloud.layout.private.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path
    cloud.stop()
    values = [path.read_text() for path in secrets.values()]
    for call in engine.calls():
        assert not [value for value in values if value in json.dumps(call)]
    outside = [p for p in cloud.layout.folder.rglob("*") if cloud.layout.private not in p.parents]
    for path in outside:
        if path.is_file() and not path.is_symlink():
            assert not [value for value in values if value.encode() in path.read_bytes()], path


def test_the_commands_are_those_of_docker_compose(cloud: LocalCloud, engine: FakeDocker):
    cloud.start_instance(CONFIG)
    cloud.stop()
    cloud.start()
    cloud.delete_instance()
    project = engine.calls("up")[0]["argv"][2]
    assert project.startswith("--project-name=stack-")
    common = [
        *("compose", "--ansi=never", project, *(f"--file={file}" for file in FILES)),
        f"--env-file={cloud.layout.compose_variables}",
    ]
    commands = [call["argv"] for call in engine.calls() if call["argv"][0] == "compose"]
    assert [argv[len(common) :] for argv in commands if argv[: len(common)] == common] == [
        ["create", "--build", "--remove-orphans"],
        ["up", "--no-build", "--remove-orphans", "--abort-on-container-exit"],
        ["down", "--remove-orphans"],
        ["create", "--no-build", "--remove-orphans"],
        ["up", "--no-build", "--remove-orphans", "--abort-on-container-exit"],
        ["down", "--remove-orphans", "--volumes"],
    ]


def test_an_image_that_was_removed_meanwhile_is_built_again(cloud: LocalCloud, engine):
    url = cloud.start_instance(CONFIG)
    cloud.stop()
    (engine.folder / "images" / "2.0.0").unlink()
    cloud.start()
    assert answer(url) == 200


def test_an_image_that_cannot_be_built_is_told_at_once(cloud: LocalCloud, engine: FakeDocker):
    engine.set("no-build")
    with pytest.raises(PartError, match=r"can't be made(.|\n)*kestra:v2.0.0: not found"):
        cloud.start_instance(CONFIG)
    assert engine.calls("up") == []
    cloud.delete_instance()
    assert not cloud.layout.compose.exists()


def test_a_server_that_never_comes_up_is_given_up_with_docker_s_words(cloud: LocalCloud, engine):
    with socket.create_server(("127.0.0.1", json.loads(cloud.layout.state.read_text())["ports"]
                               ["kestra"])), \
         pytest.raises(PartError, match="port is already allocated"):  # fmt: skip
        cloud.start_instance(CONFIG)


def test_without_an_engine_start_refuses_before_anything_runs(cloud: LocalCloud, engine):
    url = cloud.start_instance(CONFIG)
    cloud.stop()
    engine.set("no-engine")
    with pytest.raises(MissingError, match="no Docker engine answers"):
        cloud.start()
    assert cloud.state() is None
    engine.set("no-engine", on=False)
    cloud.start()
    assert answer(url) == 200


def test_a_stop_that_docker_does_not_follow_says_what_is_left(cloud: LocalCloud, engine):
    cloud.start_instance(CONFIG)
    engine.set("no-engine")
    with pytest.raises(StopError, match="did not take the containers") as failed:
        cloud.stop()
    assert "docker compose -p stack-" in failed.value.hint
    assert cloud.state() is None, "everything else is stopped"


# -- the whole stack ---------------------------------------------------------------------------


class Stack:
    """Commands on a stack of the test's own."""

    def __init__(self, state: Path, path: str) -> None:
        self.state = state
        self._environment = {**os.environ, "PATH": path, "INVOKE_TAXISTACK_STATE": str(state)}

    def __call__(self, *arguments: str, code: int = 0, kestra: str = "docker") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=ROOT, env={**self._environment, "INVOKE_TAXISTACK_KESTRA": kestra},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}"
        return done.stdout


def test_up_and_down_with_kestra_in_containers(tmp_path: Path, docker: FakeDocker):
    stack = Stack(tmp_path / "state", docker.path)
    try:
        assert "Kestra 2.0.8 at http://127.0.0.1:" in stack("up")
        variables = (stack.state / "cloud/private/compose/variables.env").read_text()
        assert "KESTRA_VERSION='2.0.8'\n" in variables
        assert "KESTRA_USER='admin@taxistack.dev'\n" in variables
        assert docker.there("containers")[0].startswith("taxistack-")
        runs = len(docker.calls("up"))
        assert "no changes" in stack("up")
        assert len(docker.calls("up")) == runs, "a second up leaves the containers alone"

        for command in ("up", "plan"):
            told = stack(command, kestra="embedded", code=2)
            assert "this stack's Kestra is docker, and can't become embedded" in told
            assert "invoke down --keep-data" in told
        assert len(docker.there("containers")) == 1

        # What the message says to do: the data stays, the server becomes another.
        stack("down", "--keep-data", "--yes", kestra="embedded")
        assert (docker.there("containers"), docker.there("volumes")) == ([], [])
        stack("up", kestra="embedded")
        assert (stack.state / "cloud/data/kestra/engine.lock").exists()
        told = stack("up", code=2)
        assert "this stack's Kestra is embedded, and can't become docker" in told
    finally:
        stack("down", "--yes")
    assert not (stack.state / "cloud").exists() or not list((stack.state / "cloud").iterdir())


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("no-engine", "no Docker engine answers (Cannot connect"),
        ("no-plugin", "this `docker` has no Compose plugin (docker: unknown command"),
    ],
)
@pytest.mark.parametrize("command", ["up", "plan", "demo"])
def test_up_is_refused_before_anything_is_made(tmp_path, docker, command, fault, told):
    docker.set(fault)
    stack = Stack(tmp_path / "state", docker.path)
    output = stack(command, code=3)
    assert f"setting kestra: docker can't be had on this machine: {told}" in output
    assert "Or set kestra: embedded" in output
    assert not stack.state.exists()
    assert docker.there("containers") == []


def test_up_without_a_docker_program_is_refused(tmp_path: Path):
    bare = tmp_path / "bin"
    bare.mkdir()
    stack = Stack(tmp_path / "state", str(bare))
    assert "there is no `docker` on PATH" in stack("up", code=3)
    assert not stack.state.exists()


def test_up_with_the_real_client_is_refused_where_it_has_no_engine(tmp_path: Path):
    if shutil.which("docker") is None:
        pytest.skip("no `docker` on this machine")
    if subprocess.run(["docker", "info", "--format", "{{.ID}}"], capture_output=True).returncode:
        stack = Stack(tmp_path / "state", os.environ["PATH"])
        assert "no Docker engine answers (" in stack("up", code=3)
        assert not stack.state.exists()
    else:
        pytest.skip("this machine has a Docker engine")


def test_doctor_says_what_docker_lacks(tmp_path: Path, docker: FakeDocker):
    stack = Stack(tmp_path / "state", docker.path)
    checks = {one["name"]: one for one in _json(stack("doctor", "--json"))}
    assert checks["docker"]["ok"]
    assert "engine 28.2.2, Docker Compose version v2.40.0" in checks["docker"]["found"]
    assert "engine" not in checks, "the embedded engine is not asked for"
    docker.set("no-plugin")
    output = stack("doctor", "--json", code=3)
    checks = {one["name"]: one for one in _json(output)}
    assert not checks["docker"]["ok"]
    assert "no Compose plugin" in checks["docker"]["found"]
    assert "missing: docker" in output


def _json(output: str) -> list[dict]:
    """The JSON in the mixed output of a command."""
    decoded, _ = json.JSONDecoder().raw_decode(output[output.index("[") :])
    return decoded
