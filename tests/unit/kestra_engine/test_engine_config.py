"""What the launcher makes of kestra.json."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from localcloud.errors import CloudError
from localcloud.kestra.config import Config

CONTENT = {
    "host": "127.0.0.1",
    "port": 1,
    "controller_port": 2,
    "data": "data",
    "user": "admin@kestra.io",
    "password": "a-password",
    "secrets": {"postgres_password": "word"},
    "environment": {"ENV_ETL_REQUIREMENTS": "abc"},
    "path": "/venv/bin",
    "cache": "cache",
}


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "kestra.json"
    path.write_text(json.dumps(CONTENT))
    return path


def test_secrets_reach_the_engine_as_kestra_reads_them(config_file: Path) -> None:
    environment = Config.load(config_file).jvm_environment({"HOME": "/h", "PATH": "/bin"})
    assert base64.b64decode(environment["SECRET_POSTGRES_PASSWORD"]) == b"word"
    assert environment["ENV_ETL_REQUIREMENTS"] == "abc"
    assert environment["PATH"] == "/venv/bin"
    assert environment["HOME"] == "/h"


def test_the_password_goes_by_standard_input_only(config_file: Path) -> None:
    config = Config.load(config_file)
    assert json.loads(config.settings())["password"] == "a-password"
    assert "a-password" not in str(config.jvm_environment({}))


def test_a_configuration_does_not_print_its_secrets(config_file: Path) -> None:
    shown = repr(Config.load(config_file))
    assert "a-password" not in shown
    assert "word'" not in shown


def test_the_encryption_key_is_made_once_and_private(config_file: Path) -> None:
    first = json.loads(Config.load(config_file).settings())["encryptionKey"]
    second = json.loads(Config.load(config_file).settings())["encryptionKey"]
    key = config_file.with_name("kestra-encryption.key")
    assert first == second
    assert len(base64.b64decode(first)) == 32
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_missing_field_is_named(config_file: Path) -> None:
    content = {name: value for name, value in CONTENT.items() if name != "password"}
    config_file.write_text(json.dumps(content))
    with pytest.raises(CloudError, match="password"):
        Config.load(config_file)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kestra.json"
    path.write_text("{")
    with pytest.raises(CloudError, match=str(path)):
        Config.load(path)
