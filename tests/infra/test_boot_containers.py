"""What the VM and a Docker engine run: compose file, image, entry point, and the packages in it."""

from __future__ import annotations

import ast
import base64
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
KESTRA = ROOT / "infra" / "kestra"
SCRIPTS = [KESTRA / "boot.sh", KESTRA / "entrypoint.sh"]


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((KESTRA / "compose.yaml").read_text())


def kestras(compose: dict) -> dict:
    """Kestra's own configuration."""
    text = compose["services"]["kestra"]["environment"]["KESTRA_CONFIGURATION"]
    return yaml.safe_load(text)["kestra"]


class _Loader(yaml.SafeLoader):
    """YAML with Compose's own tag: `!reset` drops what the first file says."""


_Loader.add_constructor("!reset", lambda loader, node: None)


def local_services() -> dict:
    """What compose.local.yaml adds."""
    text = (KESTRA / "compose.local.yaml").read_text()
    return yaml.load(text, _Loader)["services"]  # noqa: S506 (a safe loader)


def pins(path: Path) -> dict[str, str]:
    """Package -> version of a requirements file."""
    found = re.findall(
        r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)", path.read_text(), re.M
    )
    return dict(found)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("shellcheck")),
            "--enable=all",
            "--exclude=SC2250,SC2310,SC2312",
            str(script),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == ""


def test_the_servers_packages_have_the_versions_of_the_repository() -> None:
    ours, servers = pins(ROOT / "requirements.txt"), pins(KESTRA / "requirements.txt")
    assert len(servers) > 20
    assert {name: version for name, version in servers.items() if ours.get(name) != version} == {}


def test_the_server_has_what_the_etl_imports_and_no_more_at_the_top() -> None:
    wanted = re.findall(r"^([a-z0-9-]+)", (KESTRA / "requirements.in").read_text(), re.M)
    assert sorted(wanted) == [
        "duckdb",
        "google-cloud-bigquery",
        "google-cloud-storage",
        "google-crc32c",
        "isal",
        "numpy",
        "psycopg",
        "requests",
        "tenacity",
    ]
    assert set(wanted) <= set(pins(KESTRA / "requirements.txt"))


# Third-party module that the steps import -> the package that brings it.
BROUGHT_BY = {
    "certifi": "certifi",
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
    "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.exceptions": "google-cloud-core",
    "google.cloud.storage": "google-cloud-storage",
    "google.resumable_media": "google-resumable-media",
    "google_crc32c": "google-crc32c",
    "isal": "isal",
    "numpy": "numpy",
    "psycopg": "psycopg",
    "requests": "requests",
    "tenacity": "tenacity",
    "urllib3": "urllib3",
}


def imported(path: Path) -> Iterator[str]:
    """The full names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_what_the_steps_import_is_on_the_server() -> None:
    modules = {m for path in (ROOT / "scripts/taxi_etl").rglob("*.py") for m in imported(path)}
    known = sys.stdlib_module_names | {"taxi_etl"}
    foreign = {module for module in modules if module.split(".")[0] not in known}
    assert foreign
    found = {
        module: next((d for m, d in BROUGHT_BY.items() if f"{module}.".startswith(f"{m}.")), None)
        for module in foreign
    }
    servers = pins(KESTRA / "requirements.txt")
    assert {module: package for module, package in found.items() if package not in servers} == {}


@pytest.mark.parametrize("name", ["requirements.txt", "build-requirements.txt"])
def test_every_package_is_pinned_by_hash(name: str) -> None:
    text = (KESTRA / name).read_text()
    entries = re.split(r"^(?=[a-z])", text, flags=re.M)[1:]
    assert entries
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_every_image_is_pinned_and_kestras_version_is_one_setting(compose: dict) -> None:
    digest = "@sha256:[0-9a-f]{64}"
    assert re.fullmatch(rf"postgres:18\.\d+{digest}", compose["services"]["postgres"]["image"])
    python, kestra = re.findall(r"^FROM (\S+)", (KESTRA / "Dockerfile").read_text(), re.M)
    assert re.fullmatch(rf"python:3\.11-slim-bookworm{digest}", python)
    assert kestra == "kestra/kestra:v${KESTRA_VERSION}"
    assert f"image: {python}\n" in (KESTRA / "compose.local.yaml").read_text()


def test_our_image_is_built_and_never_pulled_from_who_has_its_name(compose: dict) -> None:
    kestra = compose["services"]["kestra"]
    assert kestra["image"] == "taxistack/kestra:${KESTRA_IMAGE:-${KESTRA_VERSION:?}}"
    assert kestra["pull_policy"] == "never"
    assert kestra["build"]["labels"] == {"taxistack.inputs": "${KESTRA_INPUTS:-}"}


def test_nothing_is_published_beyond_loopback_unless_told(compose: dict) -> None:
    ports = [port for service in compose["services"].values() for port in service["ports"]]
    assert set(ports) == {
        "${POSTGRES_BIND:-127.0.0.1}:${POSTGRES_PORT:-5432}:5432",
        "${KESTRA_BIND:-127.0.0.1}:${KESTRA_PORT:-8080}:8080",
    }


def test_every_container_has_a_limit_of_memory(compose: dict) -> None:
    limits = {name: service["mem_limit"] for name, service in compose["services"].items()}
    assert limits == {
        "kestra": "${KESTRA_MEMORY:-4g}",
        "postgres": "${POSTGRES_MEMORY:-1g}",
    }
    boot = (KESTRA / "boot.sh").read_text()
    shares = re.findall(r"_MEMORY=\$\(\(memory \* (\d+) / 100\)\)m", boot)
    assert len(shares) == 2
    assert sum(map(int, shares)) <= 90


def seconds(text: str) -> int:
    """Of a duration such as 6m or 45s."""
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]


def test_docker_waits_longer_than_kestra_does_for_its_running_steps(compose: dict) -> None:
    configured = kestras(compose)["server"]
    kestra = compose["services"]["kestra"]
    assert seconds(kestra["stop_grace_period"]) > seconds(configured["termination-grace-period"])
    local = local_services()["kestra"]
    own = local["environment"]["KESTRA_SERVER_TERMINATION_GRACE_PERIOD"]
    # What `down` is given on a laptop is 300 s.
    assert seconds(own) < seconds(local["stop_grace_period"]) < 300


def test_a_dead_server_is_noticed_by_what_its_database_says(compose: dict) -> None:
    liveness = kestras(compose)["server"]["liveness"]
    assert liveness["enabled"]
    assert seconds(liveness["heartbeat-interval"]) < seconds(liveness["timeout"])
    assert seconds(liveness["interval"]) < seconds(liveness["timeout"])


def test_no_flows_but_ours_are_on_the_server(compose: dict) -> None:
    assert kestras(compose)["tutorial-flows"] == {"enabled": False}


def test_kestra_waits_for_a_healthy_database(compose: dict) -> None:
    assert compose["services"]["kestra"]["depends_on"] == {
        "postgres": {"condition": "service_healthy"}
    }
    assert all("healthcheck" in service for service in compose["services"].values())


def test_the_database_is_mounted_where_postgresql_18_keeps_it(compose: dict) -> None:
    volumes = compose["services"]["postgres"]["volumes"]
    assert volumes == ["${POSTGRES_DATA:-postgres}:/var/lib/postgresql"]


def test_containers_come_back_after_a_crash(compose: dict) -> None:
    """And with Docker, which the VM does not start before its data disk is mounted."""
    assert {service["restart"] for service in compose["services"].values()} == {"on-failure"}


@pytest.mark.parametrize(
    ("second", "healthy", "said"),
    [
        (5, True, ["taxistack: Kestra is healthy"]),
        (9.9, True, ["taxistack: Kestra is healthy"]),
        (10, True, []),
        (5, False, []),
    ],
)
def test_the_health_check_says_once_a_minute_that_kestra_is_healthy(
    compose: dict, tmp_path: Path, second: float, healthy: bool, said: list[str]
) -> None:
    """Checks are 10 s apart. The place of the log and the port are those of this test."""
    check = compose["services"]["kestra"]["healthcheck"]
    assert seconds(check["interval"]) == 10
    command, interpreter, flag, code = check["test"]
    assert (command, interpreter, flag) == ("CMD", "python", "-c")
    log = tmp_path / "log"
    log.touch()

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" and healthy else 503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        for place, ours in (
            ("127.0.0.1:8081", f"127.0.0.1:{server.server_port}"),
            ("/proc/1/fd/1", str(log)),
        ):
            assert code.count(place) == 1
            code = code.replace(place, ours)
        clock = f"import time; time.time = lambda: {1_800_000_000 + second}\n"
        done = subprocess.run(
            [sys.executable, "-c", clock + code], capture_output=True, text=True, check=False
        )
    finally:
        server.shutdown()
        server.server_close()
    assert (done.returncode == 0) == healthy, done.stderr
    assert log.read_text().splitlines() == said


def test_a_log_that_takes_nothing_makes_no_server_unhealthy(compose: dict) -> None:
    code = compose["services"]["kestra"]["healthcheck"]["test"][-1]
    asked = next(line for line in code.splitlines() if line.startswith("urllib.request.urlopen"))
    code = code.replace(asked, "time.time = lambda: 5").replace("/proc/1/fd/1", "/nowhere/fd/1")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_containers_logs_go_where_the_machine_says(compose: dict) -> None:
    """On the VM to Cloud Logging. The driver gcplogs takes none of the options of `local`."""
    for service in compose["services"].values():
        assert service["logging"] == {"driver": "${LOG_DRIVER:-local}"}
    assert "\nLOG_DRIVER=gcplogs\n" in (KESTRA / "boot.sh").read_text()


def test_containers_have_few_rights(compose: dict) -> None:
    for service in compose["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        assert not any("docker.sock" in volume for volume in service["volumes"])


def test_secrets_are_files_and_in_no_containers_configuration(compose: dict) -> None:
    assert all("SECRETS:?}/" in secret["file"] for secret in compose["secrets"].values())
    for service in compose["services"].values():
        environment = service["environment"]
        assert not any("PASSWORD" in n and not n.endswith("_FILE") for n in environment)
    configuration = yaml.safe_load(
        compose["services"]["kestra"]["environment"]["KESTRA_CONFIGURATION"]
    )
    assert configuration["datasources"]["postgres"]["password"] == "$${DATABASE_PASSWORD}"
    basic_auth = configuration["kestra"]["server"]["basic-auth"]
    assert basic_auth == {"username": "${KESTRA_USER:?}", "password": "$${BASIC_AUTH_PASSWORD}"}


def test_kestra_keeps_everything_in_postgresql_and_its_bucket(compose: dict) -> None:
    configuration = kestras(compose)
    assert configuration["repository"]["type"] == configuration["queue"]["type"] == "postgres"
    assert configuration["storage"]["type"] == "${KESTRA_STORAGE:-local}"
    assert configuration["storage"]["gcs"]["bucket"] == "${KESTRA_BUCKET:-}"
    assert "service-account" not in configuration["storage"]["gcs"]  # the VM's own identity


def test_the_boot_script_gives_every_variable_that_compose_asks_for() -> None:
    text = (KESTRA / "compose.yaml").read_text()
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    boot = (KESTRA / "boot.sh").read_text()
    given = set(
        re.findall(r"^([A-Z_]+)=\$?", boot.split("<<SETTINGS")[1].split("SETTINGS\n")[0], re.M)
    )
    assert given <= asked
    assert asked - given == {"POSTGRES_PORT"}  # its default is right on the VM
    documented = set(re.findall(r"^#   ([A-Z_]+) ", text, re.M))
    assert documented == asked


def has_compose() -> bool:
    """Whether this machine's Docker client has its Compose plugin; it needs no engine for this."""
    if not shutil.which("docker"):
        return False
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


@pytest.mark.skipif(not has_compose(), reason="docker compose is not on this machine")
@pytest.mark.parametrize("files", [["compose.yaml"], ["compose.yaml", "compose.local.yaml"]])
def test_compose_accepts_its_files(files: list[str], tmp_path: Path) -> None:
    settings = {
        "KESTRA_VERSION": "2.0.0",
        "KESTRA_USER": "admin@kestra.io",
        "ETL_REQUIREMENTS": "a-digest",
        "SECRETS": str(tmp_path),
        "RELAY_PORTS": "18080 18081",
    }
    chosen = [argument for name in files for argument in ("--file", str(KESTRA / name))]
    done = subprocess.run(
        ["docker", "compose", *chosen, "config", "--quiet"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_locally_the_parts_are_relayed_and_no_network_is_shared(compose: dict) -> None:
    services = local_services()
    assert services["postgres"]["ports"] is None
    assert set(services) == {"postgres", "kestra", "relay-outside", "relay-inside"}
    assert services["relay-outside"]["network_mode"] == "host"
    assert services["relay-inside"]["network_mode"] == "service:kestra"
    assert "network_mode" not in services["kestra"] | compose["services"]["kestra"]


@pytest.fixture
def entrypoint(tmp_path: Path):
    """A function that runs the entry point on secrets and gives the environment it goes on with."""
    missing = [tool for tool in ("base64", "cat", "env", "tr") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"what the image has is not on this machine: {missing}")
    folder, tools = tmp_path / "secrets", tmp_path / "bin"
    folder.mkdir()
    tools.mkdir()
    # setpriv needs a user `kestra`: what it was told, and then the command with its environment.
    (tools / "setpriv").write_text(
        '#!/bin/sh\nprintf "SETPRIV=%s\\0" "$1 $2 $3 $4"\nshift 4\nexec "$@"\n'
    )
    (tools / "setpriv").chmod(0o755)

    def run(**secrets: str) -> dict[str, str]:
        for name, value in secrets.items():
            (folder / name).write_text(value)
        done = subprocess.run(
            [str(KESTRA / "entrypoint.sh"), "env", "-0"],
            env={"PATH": f"{tools}:{os.environ['PATH']}", "SECRETS_FOLDER": str(folder)},
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(item.split("=", 1) for item in done.stdout.split("\0") if item)

    return run


def test_flows_find_their_secrets_and_not_the_servers_passwords(entrypoint) -> None:
    values = {
        "ALARM_WEBHOOK": "https://hooks.example.org/token-3",
        "KESTRA_PASSWORD": "Admin-1 'quoted' \"twice\"",
        "KESTRA_DB_PASSWORD": "database-2",
        "POSTGRES_PASSWORD": "flows-3-" + "x" * 100,  # longer than a line of base64
    }
    environment = entrypoint(**values)
    secrets = {name: value for name, value in environment.items() if name.startswith("SECRET_")}
    assert {name: base64.b64decode(value).decode() for name, value in secrets.items()} == {
        "SECRET_ALARM_WEBHOOK": values["ALARM_WEBHOOK"],
        "SECRET_POSTGRES_PASSWORD": values["POSTGRES_PASSWORD"],
    }
    assert environment["BASIC_AUTH_PASSWORD"] == values["KESTRA_PASSWORD"]
    assert environment["DATABASE_PASSWORD"] == values["KESTRA_DB_PASSWORD"]


def test_the_server_runs_as_the_images_own_user(entrypoint) -> None:
    environment = entrypoint(KESTRA_PASSWORD="Admin-1")
    assert environment["SETPRIV"] == "--reuid=kestra --regid=kestra --init-groups --"
