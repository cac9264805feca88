"""dbt comes from where pip's settings say, whichever program installs it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[3] / "analytics" / "run.py"


@pytest.fixture(scope="module")
def run():
    spec = importlib.util.spec_from_file_location("analytics_run", RUN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_mirror_and_its_certificates_are_handed_to_uv(run):
    listed = (
        ":env:.index-url='https://mirror.example.org/simple'\n"
        "global.cert='/etc/ssl/ours.pem'\n"
        "global.index-url='https://older.example.org/simple'\n"
        "global.timeout='60'\n"
        "install.extra-index-url='\\nhttps://a.example.org/simple\\nhttps://b.example.org/simple'\n"
    )
    assert run.in_words_of_uv(listed) == {
        "SSL_CERT_FILE": "/etc/ssl/ours.pem",
        "UV_DEFAULT_INDEX": "https://mirror.example.org/simple",
        "UV_INDEX": "https://a.example.org/simple https://b.example.org/simple",
    }


def test_without_settings_uv_is_told_nothing(run):
    assert run.in_words_of_uv("") == {}


@pytest.mark.parametrize("name", ["proxy", "no-index", "client-cert", "trusted-host"])
def test_what_uv_has_no_word_for_is_left_to_pip(run, name):
    assert run.in_words_of_uv(f"global.{name}='x'\n") is None


def test_dbt_tells_no_false_server_the_password(run):
    known = dict.fromkeys(run.NEEDED["postgres"], "x")
    _, environment = run.place("postgres", {**known, "PGREQUIREAUTH": "none"})
    assert environment["PGREQUIREAUTH"] == "scram-sha-256"
