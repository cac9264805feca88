"""Kestra in containers: the check for Docker, the files for Compose, which server is chosen."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.fake_docker import FakeDocker

from localcloud import CloudError, Compose, InstanceConfig, LocalCloud
from localcloud.compose import Project, project_of
from localcloud.errors import MissingError, PartError, StopError
from localcloud.google.effects import Instance as InstanceEffect
from localcloud.instance import Instance
from localcloud.record import Record

ROOT = Path(__file__).resolve().parents[3]
FILES = tuple(ROOT / "infra" / "kestra" / name for name in ("compose.yaml", "compose.local.yaml"))
PORTS = {
    "storage": 1,
    "warehouse": 2,
    "postgres": 3,
    "releases": 4,
    "kestra": 5,
    "kestra-controller": 6,
}


@pytest.fixture
def docker(tmp_path, monkeypatch):
    made = FakeDocker(tmp_path)
    monkeypatch.setenv("PATH", made.path)
    return made


@pytest.fixture
def content():
    """kestra.json of a server in containers."""
    return {
        "compose": Compose.with_docker_of(os.environ, FILES, "stack-1").as_json(),
        "user": "admin@kestra.io",
        "password": "Sesame-2026",
        "secrets": {"POSTGRES_PASSWORD": "hush hush 'quoted' $HOME"},
        "variables": {"KESTRA_VERSION": "2.0.0", "ETL_REQUIREMENTS": "ab12"},
    }


# -- is Docker there? --------------------------------------------------------------------------


def test_what_docker_there_is_is_told(docker):
    told = Compose.with_docker_of(os.environ, FILES, "s").check()
    assert told == f"{docker.bin}/docker, engine 28.2.2, Docker Compose version v2.40.0"


def test_no_program(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="no `docker` on PATH"):
        Compose.with_docker_of(os.environ, FILES, "s").check()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("no-engine", r"no Docker engine answers \(Cannot connect to the Docker daemon"),
        ("no-plugin", r"has no Compose plugin \(docker: unknown command: docker compose\)"),
    ],
)
def test_no_engine_or_no_plugin(docker, fault, told):
    docker.set(fault)
    with pytest.raises(MissingError, match=told) as refused:
        Compose.with_docker_of(os.environ, FILES, "s").check()
    assert refused.value.hint


def test_a_client_that_ends_well_without_a_version_has_no_engine(tmp_path, monkeypatch):
    """Some clients print the error and end with 0."""
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'Cannot connect' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="Cannot connect"):
        Compose.with_docker_of(os.environ, FILES, "s").check()


def test_the_users_way_to_the_engine_is_kept_and_nothing_else():
    caller = {
        "HOME": "/home/ada",
        "PATH": "/nowhere",
        "DOCKER_HOST": "unix:///run/user/1000/docker.sock",
        "DOCKER_AUTH_CONFIG": '{"auths": {"hub": {"auth": "secret"}}}',
        "COMPOSE_FILE": "other.yaml",
    }
    made = Compose.with_docker_of(caller, FILES, "s")
    assert made.environment == {
        "DOCKER_HOST": "unix:///run/user/1000/docker.sock",
        "DOCKER_CONFIG": "/home/ada/.docker",
    }
    kept = Compose.with_docker_of({**caller, "DOCKER_CONFIG": "/etc/d"}, FILES, "s")
    assert kept.environment["DOCKER_CONFIG"] == "/etc/d"
    assert Compose.of(json.loads(json.dumps(made.as_json()))) == made


# -- what Compose is handed --------------------------------------------------------------------


def test_the_file_of_variables_has_every_required_one_and_no_secret(layout, content):
    Project(layout, content).write(PORTS)
    text = layout.compose_variables.read_text()
    assert "KESTRA_BIND='127.0.0.1'\n" in text
    assert "KESTRA_PORT='5'\n" in text
    assert "RELAY_PORTS='1 2 3 4'\n" in text
    assert "Sesame" not in text
    assert "hush" not in text


def test_secrets_are_files_for_their_owner_only_exactly_as_given(layout, content):
    Project(layout, content).write(PORTS)
    files = {path.name: path for path in layout.compose_secrets.iterdir()}
    assert sorted(files) == ["KESTRA_DB_PASSWORD", "KESTRA_PASSWORD", "POSTGRES_PASSWORD"]
    assert files["POSTGRES_PASSWORD"].read_text() == "hush hush 'quoted' $HOME"
    for path in [layout.compose_variables, *files.values()]:
        assert path.stat().st_mode & 0o777 == 0o600
    for folder in (layout.compose, layout.compose_secrets):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_the_databases_password_stays_and_dropped_secrets_go(layout, content):
    Project(layout, content).write(PORTS)
    made = (layout.compose_secrets / "KESTRA_DB_PASSWORD").read_text()
    assert len(made) >= 32
    Project(layout, {**content, "secrets": {}, "password": "Other-2026"}).write(PORTS)
    files = {path.name: path.read_text() for path in layout.compose_secrets.iterdir()}
    assert files == {"KESTRA_DB_PASSWORD": made, "KESTRA_PASSWORD": "Other-2026"}


@pytest.mark.parametrize("name", ["../x", "a b", ""])
def test_a_secret_whose_name_is_no_file_name_is_refused(layout, content, name):
    content["secrets"] = {name: "x"}
    with pytest.raises(CloudError, match="by that name"):
        Project(layout, content).write(PORTS)


@pytest.mark.parametrize("value", ["a'b", "a\nb", "a\\b"])
def test_a_value_that_the_file_cannot_carry_is_refused(layout, content, value):
    content["variables"]["KESTRA_VERSION"] = value
    with pytest.raises(CloudError, match="can't carry"):
        Project(layout, content).write(PORTS)


def test_docker_gets_a_home_of_the_clouds_and_nothing_that_beats_the_file(
    layout, content, monkeypatch
):
    monkeypatch.setenv("KESTRA_PORT", "1")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "other")
    made = Project(layout, content, mark="m").environment()
    assert made["HOME"] == str(layout.home)
    assert made["BUILDX_CONFIG"].startswith(str(layout.home))
    assert made["LOCALCLOUD_ID"] == "m"
    assert not {"KESTRA_PORT", "COMPOSE_PROJECT_NAME"} & set(made)


def test_containers_that_cannot_be_made_are_told_with_dockers_words(layout, content, docker):
    content["compose"] = Compose.with_docker_of(os.environ, FILES, "stack-1").as_json()
    content["variables"]["ETL_REQUIREMENTS"] = ""
    project = Project(layout, content)
    project.write(PORTS)
    with pytest.raises(PartError, match="required variable ETL_REQUIREMENTS is missing"):
        project.create(build=True)


def test_an_image_that_is_there_is_not_built_again(layout, content, docker):
    content["compose"] = Compose.with_docker_of(os.environ, FILES, "stack-1").as_json()
    project = Project(layout, content)
    project.write(PORTS)
    project.create(build=False)
    project.create(build=False)
    assert ["--build" in call["argv"] for call in docker.calls("create")] == [False, True, False]


def test_down_without_an_engine_says_what_to_do_by_hand(layout, content, docker):
    content["compose"] = Compose.with_docker_of(os.environ, FILES, "stack-1").as_json()
    project = Project(layout, content)
    project.write(PORTS)
    docker.set("no-engine")
    with pytest.raises(StopError, match="Cannot connect to the Docker daemon") as failed:
        project.down(volumes=True)
    assert "docker compose -p stack-1 down --volumes" in failed.value.hint


def test_a_docker_that_is_gone_is_told(layout, content):
    content["compose"]["docker"] = "/nowhere/docker"
    project = Project(layout, content)
    project.write(PORTS)
    with pytest.raises(StopError, match="/nowhere/docker can't be run"):
        project.down()


# -- which server the instance is --------------------------------------------------------------


def test_the_chosen_server_is_kept_with_a_project_name_of_the_clouds_own(tmp_path):
    names = []
    for folder in ("one", "two"):
        cloud = LocalCloud(tmp_path / folder)
        cloud.layout.create()
        Record().save(cloud.layout)
        cloud.run_instance_as(Compose(files=("/x/compose.yaml",), project="stack"))
        cloud.run_instance_as(Compose(files=("/x/compose.yaml",), project="stack"))
        record = Record.load(cloud.layout)
        names.append(record.compose["project"])
        assert names[-1] == f"stack-{record.id}"
        cloud.run_instance_as(None)
        assert Record.load(cloud.layout).compose is None
        assert cloud.instance_in_containers() is None
    assert names[0] != names[1], "two clones with stacks of one name do not share containers"


def test_the_configuration_says_which_server_it_is(layout, content):
    config = InstanceConfig("a@b.c", "Sesame-2026", variables={"KESTRA_VERSION": "2.0.0"})
    record = Record(ports=PORTS)
    embedded = json.loads(Instance(layout, record)._configuration(config, Path("/cache")))
    assert "compose" not in embedded
    assert embedded["port"] == 5
    record.compose = content["compose"]
    made = json.loads(Instance(layout, record)._configuration(config, Path("/cache")))
    assert made["variables"] == {"KESTRA_VERSION": "2.0.0"}
    assert "port" not in made, "the ports of the day are written when it starts"
    layout.kestra_config.write_text(json.dumps(made))
    assert project_of(layout).compose.project == "stack-1"
    assert Instance(layout, record).in_containers
    layout.kestra_config.write_text(json.dumps(embedded))
    assert project_of(layout) is None


def test_erasing_a_stopped_cloud_takes_the_volumes_of_its_containers_away(layout, content, docker):
    content["compose"] = Compose.with_docker_of(os.environ, FILES, "stack-1").as_json()
    project = Project(layout, content)
    project.write(PORTS)
    project.create(build=True)
    layout.kestra_config.write_text(json.dumps(content))
    Record(ports=PORTS, instance="RUNNING").save(layout)
    LocalCloud(layout.folder).erase()
    assert (docker.there("containers"), docker.there("volumes")) == ([], [])
    assert not layout.private.exists()


def test_the_provider_hands_on_what_the_boot_script_would_read():
    started = []
    cloud = SimpleNamespace(
        secrets=SimpleNamespace(get=lambda secret_id: f"value of {secret_id}"),
        start_instance=started.append,
    )
    metadata = {
        "kestra-user": "a@b.c",
        "kestra-secrets": '{"KESTRA_PASSWORD": "s"}',
        "kestra-version": "2.0.1",
        "etl-requirements": "ab12",
        "secret-version": "3",
    }
    InstanceEffect(cloud)._start({"metadata": metadata})
    inputs = started[0].variables["KESTRA_INPUTS"]
    assert started[0].variables == {
        "KESTRA_VERSION": "2.0.1",
        "ETL_REQUIREMENTS": "ab12",
        "SECRET_VERSION": "3",
        "KESTRA_INPUTS": inputs,
    }
    assert replace(started[0], variables={}).environment == {"ENV_ETL_REQUIREMENTS": "ab12"}
    # Another image to build makes another configuration, and that one starts the containers anew.
    InstanceEffect(cloud)._start({"metadata": {**metadata, "kestra-dockerfile": "FROM x"}})
    assert started[1].variables["KESTRA_INPUTS"] != inputs
