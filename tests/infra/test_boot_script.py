"""The VM's boot script from a bare machine to a healthy server, and again."""

from __future__ import annotations

import json
import stat

import pytest
from tests.infra.boot_sandbox import IMAGE, METADATA, TOKEN, Vm, hash_of


def test_a_bare_vm_ends_healthy(vm: Vm) -> None:
    vm.boot()
    assert vm.cloud.boot == [
        "install-docker",
        "mount-data-disk",
        "fetch-files",
        "fetch-secrets",
        "start-docker",
        "build-image",
        "prepare-database",
        "start-server",
        f"healthy {hash_of(METADATA)}",
    ]
    assert any("install docker.io docker-compose-v2" in call for call in vm.calls())
    up = next(
        call for call in vm.calls() if "up --detach --no-build --wait --wait-timeout 600" in call
    )
    assert up.startswith(f"docker compose --project-directory {vm.root}/opt/taxistack ")


def test_an_upgrade_of_docker_does_not_stop_the_containers(vm: Vm) -> None:
    vm.boot()
    assert json.loads(vm.read("etc/docker/daemon.json")) == {"live-restore": True}


def test_the_data_disk_is_there_before_the_database_starts(vm: Vm) -> None:
    vm.boot()
    mounted = vm.first("mount -o")
    assert vm.first("mkfs.ext4") < mounted < vm.first("docker compose --project-directory")
    device, data = "dev/disk/by-id/google-data", "var/lib/taxistack"
    assert vm.calls()[mounted].endswith(f"{vm.root}/{device} {vm.root}/{data}")
    assert f"POSTGRES_DATA={vm.root}/{data}/postgres\n" in vm.read("opt/taxistack/.env")


def test_the_database_is_ready_before_kestra_starts(vm: Vm) -> None:
    vm.boot()
    calls = vm.calls()
    prepared = next(at for at, call in enumerate(calls) if " psql " in call)
    assert any(call.endswith(" --wait-timeout 300 postgres") for call in calls[:prepared])
    assert any(
        "up --detach --no-build --wait --wait-timeout 600" in call for call in calls[prepared:]
    )


def test_a_second_boot_installs_and_formats_nothing(vm: Vm) -> None:
    vm.boot()
    password = vm.read("var/lib/taxistack/database-password")
    vm.boot()
    changing = ("apt-get", "mkfs.ext4", "mount ")
    assert not any(call.startswith(changing) for call in vm.calls())
    assert any("up --detach --no-build --wait --wait-timeout 600" in call for call in vm.calls())
    assert vm.read("var/lib/taxistack/database-password") == password
    assert vm.cloud.boot[-1] == f"healthy {hash_of(vm.cloud.metadata)}"


def test_a_disk_with_data_is_never_formatted(vm: Vm) -> None:
    (vm.sandbox / "has-file-system").touch()
    vm.boot()
    assert not any(call.startswith("mkfs") for call in vm.calls())
    assert any(call.startswith("mount -o") for call in vm.calls())


def test_a_disk_that_has_grown_is_used_whole(vm: Vm) -> None:
    vm.boot()
    assert f"resize2fs {vm.root}/dev/disk/by-id/google-data" in vm.calls()


def test_without_the_data_disk_nothing_starts(vm: Vm) -> None:
    (vm.root / "dev/disk/by-id/google-data").unlink()
    said = vm.boot(fails=True)
    assert vm.cloud.boot[-1] == "failed: mount-data-disk"
    assert "failed: mount-data-disk" in said
    assert not any("compose --project-directory" in call for call in vm.calls())


def test_secrets_are_files_that_only_root_reads(vm: Vm) -> None:
    vm.boot()
    folder = vm.root / "run/taxistack/secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "ALARM_WEBHOOK": 0o600,
        "KESTRA_DB_PASSWORD": 0o600,
        "KESTRA_PASSWORD": 0o600,
        "POSTGRES_PASSWORD": 0o600,
    }
    assert (folder / "ALARM_WEBHOOK").read_text() == "https://hooks.example.org/token-3"
    assert (folder / "KESTRA_PASSWORD").read_text() == "Kestra-Secret-1"
    assert (folder / "POSTGRES_PASSWORD").read_text() == "postgres-secret-2"
    database = vm.root / "var/lib/taxistack/database-password"
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert len(database.read_text()) >= 32


def test_no_secret_is_in_an_argument_a_log_or_a_settings_file(vm: Vm) -> None:
    said = vm.boot()
    secrets = [*vm.cloud.secrets.values(), TOKEN, vm.read("var/lib/taxistack/database-password")]
    server = vm.root / "opt/taxistack"
    texts = {path.name: path.read_text() for path in server.iterdir()}
    texts |= {"arguments": (vm.sandbox / "calls").read_text(), "output": said}
    assert "curl --silent" in texts["arguments"]  # curl's arguments are in there
    leaks = [(where, s) for where, text in texts.items() for s in secrets if s in text]
    assert leaks == []


def test_the_flows_user_gets_its_password_by_standard_input(vm: Vm) -> None:
    vm.boot()
    sql = (vm.sandbox / "sql").read_text()
    assert "\n\\set password 'postgres-secret-2'\n" in f"\n{sql}"
    assert "ALTER ROLE taxi PASSWORD :'password';" in sql
    assert "CREATE DATABASE taxi OWNER taxi" in sql


def test_a_new_password_reaches_the_server_at_the_next_boot(vm: Vm) -> None:
    vm.boot()
    vm.cloud.secrets["s-postgres"] = "another-secret-3"
    vm.cloud.metadata["secret-version"] = "2"
    vm.boot()
    assert "\\set password 'another-secret-3'\n" in (vm.sandbox / "sql").read_text()
    assert vm.read("run/taxistack/secrets/POSTGRES_PASSWORD") == "another-secret-3"
    assert "SECRET_VERSION=2\n" in vm.read("opt/taxistack/.env")  # recreates the containers


def test_rights_that_come_late_are_waited_for(vm: Vm) -> None:
    vm.cloud.refusals = 2
    said = vm.boot()
    assert said.count("secret_file failed") == 2
    assert vm.cloud.boot[-1] == f"healthy {hash_of(vm.cloud.metadata)}"


def test_a_secret_that_cannot_be_read_ends_the_boot_and_says_where(vm: Vm) -> None:
    vm.cloud.refusals = 1000
    vm.boot(fails=True)
    assert vm.cloud.boot[-1] == "failed: fetch-secrets"
    assert not any("compose --project-directory" in call for call in vm.calls())


def test_a_setting_that_is_missing_ends_the_boot_and_says_where(vm: Vm) -> None:
    del vm.cloud.metadata["kestra-version"]
    vm.boot(fails=True)
    assert vm.cloud.boot[-1] == "failed: fetch-files"


@pytest.mark.parametrize(
    ("program", "step"),
    [
        ("info", "start-docker"),
        ("build", "build-image"),
        ("postgres", "prepare-database"),
        ("--remove-orphans", "start-server"),
    ],
)
def test_a_step_that_fails_is_named(vm: Vm, program: str, step: str) -> None:
    vm.boot(fails=True, fail_at=program)
    assert vm.cloud.boot[-1] == f"failed: {step}"
    assert not any(said.startswith(("healthy", "degraded")) for said in vm.cloud.boot)


def test_the_boot_after_a_failed_one_mends_it(vm: Vm) -> None:
    vm.boot(fails=True, fail_at="build")
    vm.boot()
    assert vm.cloud.boot[-1] == f"healthy {hash_of(vm.cloud.metadata)}"


def test_the_settings_are_those_of_the_metadata(vm: Vm) -> None:
    vm.boot()
    assert vm.settings() == {
        "KESTRA_VERSION": "2.0.0",
        "KESTRA_IMAGE": hash_of(METADATA, *IMAGE),
        "KESTRA_INPUTS": hash_of(METADATA),
        "KESTRA_USER": "admin@kestra.io",
        "ETL_REQUIREMENTS": "a-digest",
        "SECRETS": f"{vm.root}/run/taxistack/secrets",
        "SECRET_VERSION": "1",
        "KESTRA_BIND": "0.0.0.0",  # noqa: S104 (the VM's only address is in its own network)
        "KESTRA_PORT": "8080",
        "LOG_DRIVER": "gcplogs",
        "KESTRA_MEMORY": "5161m",  # of 7941 MiB
        "POSTGRES_BIND": "0.0.0.0",  # noqa: S104 (as above)
        "POSTGRES_MEMORY": "1985m",
        "POSTGRES_DATA": f"{vm.root}/var/lib/taxistack/postgres",
        "KESTRA_STORAGE": "gcs",
        "KESTRA_BUCKET": "a-bucket",
        "PROJECT": "a-project",
    }
