"""The Kestra instance in a local cloud of its own: its life beside the other parts'."""

from __future__ import annotations

import base64
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from localcloud import CloudError, InstanceConfig, LocalCloud

CONFIG = InstanceConfig(
    user="admin@kestra.io",
    password="Sesame-2026",
    secrets={"KESTRA_PASSWORD": "Sesame-2026", "POSTGRES_PASSWORD": "hush"},
    environment={"ENV_ETL_REQUIREMENTS": "none"},
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    made = LocalCloud(tmp_path_factory.mktemp("instance") / "cloud")
    made.start()
    yield made
    made.stop()
    made.erase()


def answer(url: str, config: InstanceConfig = CONFIG) -> int:
    login = base64.b64encode(f"{config.user}:{config.password}".encode()).decode()
    request = urllib.request.Request(
        f"{url}/api/v1/main/flows/search?size=1", headers={"Authorization": f"Basic {login}"}
    )
    try:
        with urllib.request.urlopen(request) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def part(cloud: LocalCloud):
    return next(part for part in cloud.status() if part.name == "kestra")


def test_the_life_of_an_instance(cloud: LocalCloud):
    assert cloud.instance_state() is None
    assert cloud.state().kestra.url is None

    url = cloud.start_instance(CONFIG)
    assert answer(url) == 200
    assert cloud.instance_state() == "RUNNING"
    assert cloud.state().kestra.url == url
    pid = part(cloud).pid
    assert cloud.start_instance(CONFIG) == url
    assert part(cloud).pid == pid, "the same configuration leaves it alone"

    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while part(cloud).pid in (pid, None):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    cloud.start()
    assert answer(url) == 200, "a crash is healed"

    cloud.stop()
    assert cloud.instance_state() == "TERMINATED"
    cloud.start()
    assert cloud.instance_state() == "RUNNING"
    assert answer(url) == 200, "start brings back what ran"

    other = InstanceConfig(CONFIG.user, "Another-2026", CONFIG.secrets, CONFIG.environment)
    assert cloud.start_instance(other) == url
    assert (answer(url, other), answer(url)) == (200, 401), "a new password restarts it"

    cloud.stop_instance()
    assert cloud.instance_state() == "TERMINATED"
    cloud.start()
    assert cloud.instance_state() == "TERMINATED", "what was stopped on purpose stays stopped"
    assert cloud.start_instance(other) == url

    cloud.delete_instance()
    cloud.delete_instance()
    assert cloud.instance_state() is None
    assert not cloud.layout.kestra_config.exists()
    assert not cloud.layout.data("kestra").exists()
    assert part(cloud).state == "STOPPED"


def test_an_instance_whose_port_was_taken_meanwhile_comes_back_on_another(tmp_path):
    cloud = LocalCloud(tmp_path / "cloud")
    cloud.start()
    try:
        old = cloud.start_instance(CONFIG)
        cloud.stop()
        with socket.create_server(("127.0.0.1", int(old.rpartition(":")[2]))):
            new = cloud.start().kestra.url
            assert new != old
            assert answer(new) == 200
            assert cloud.start_instance(CONFIG) == new
    finally:
        cloud.stop()
        cloud.erase()


def test_a_stopped_cloud_starts_no_instance(tmp_path):
    with pytest.raises(CloudError, match="does not run"):
        LocalCloud(tmp_path / "cloud").start_instance(CONFIG)
