"""A source is read in one place: what can't work is refused with its rule, at once."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.conftest import settings_of

from taxistack.errors import MissingError, UsageError
from taxistack.sources import PUBLIC_SOURCE, Source, require_answer

READ = {
    "sample": "sample",
    "public": "public",
    "http://h": "http://h",
    "http://h/": "http://h",
    "HTTP://h": "http://h",
    "HTTPS://Example.ORG/A/b/": "https://example.org/A/b",
    "http://h:8080/x": "http://h:8080/x",
    "http://[::1]:80/x": "http://[::1]:80/x",
    "/some/folder": "/some/folder",
    "/some/../folder/": "/folder",
    "/a folder": "/a folder",
}
REFUSED = {
    "": "must be",
    " http://h": "no blanks",
    "http://h ": "no blanks",
    " http://h ": "no blanks",
    "http://h\n": "no blanks",
    "http://h:99999": "not an address that can be asked: Port out of range",
    "http://h:0/x": "no server listens at port 0",
    "http://h/a/../x": "has no `..` and no half `%` in it",
    "http://h/%zz": "has no `..` and no half `%` in it",
    "http://h:port": "not an address that can be asked",
    "http://[::1": "not an address that can be asked",
    "http:///x": "the address has no host",
    "http://:80/x": "the address has no host",
    "http://h o/x": "no blanks",
    "http://h\\x": "no backslashes",
    "http://h/sas?sig=abc": "a base address ends before `?`",
    "http://h/?": "a base address ends before `?`",
    "http://h/x#part": "a base address ends before `#`",
    "ftp://h/x": "begins with http:// or https://",
    "gs://bucket/x": "begins with http:// or https://",
    "file:///x": "begins with http:// or https://",
    "http://user:Swordfish@h/x": "must not carry a user or a password",
    "http://user@h/x": "must not carry a user or a password",
}


@pytest.mark.parametrize("text", READ)
def test_what_can_be_asked_is_kept_in_its_plain_form(text):
    assert Source.parse(text).text == READ[text]
    assert settings_of(Path("/nowhere"), source=text).source == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_asked_is_refused_with_the_rule(text):
    with pytest.raises(UsageError) as refused:
        Source.parse(text)
    assert refused.value.message.startswith("--source")
    assert REFUSED[text] in refused.value.message
    with pytest.raises(UsageError):
        settings_of(Path("/nowhere"), source=text)


@pytest.mark.parametrize("text", ["http://u:Swordfish@h/x", "http://u:Swordfish@h:99999",
                                  "http://h/x?sig=Swordfish", "ftp://u:Swordfish@h"])  # fmt: skip
def test_what_may_be_a_secret_is_not_repeated(text):
    with pytest.raises(UsageError) as refused:
        Source.parse(text)
    assert "Swordfish" not in refused.value.message


def test_a_relative_folder_is_one_of_the_folder_where_the_command_is_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Source.parse("months").folder == tmp_path / "months"
    assert Source.parse("./months/").folder == tmp_path / "months"


def test_a_source_names_itself_for_people():
    assert Source.parse("sample").words == "the samples (generated here)"
    assert Source.parse("public").words == f"the course's public releases ({PUBLIC_SOURCE})"
    assert Source.parse("http://h/").words == "http://h"
    assert Source.parse("/a/folder").words == "folder /a/folder"


def asked(answer) -> list[str]:
    """Look at a source that answers so; the requests that it saw."""
    seen: list[str] = []

    def site(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.path}")
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)

    require_answer("http://h/base", "http://h/base", httpx.MockTransport(site))
    return seen


@pytest.mark.parametrize("status", [200, 206, 403, 404, 405, 410, 429])
def test_a_site_that_answers_is_asked_once(status):
    assert asked(status) == ["GET /base/yellow/yellow_tripdata_2019-01.csv.gz"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (503, "it answers 503"),
        (httpx.ConnectError("Connection refused"), "Connection refused"),
        (httpx.ConnectTimeout("x"), "no answer in time"),
        (httpx.TooManyRedirects("round and round"), "round and round"),
    ],
)
def test_a_site_that_does_not_answer_is_one_sentence_and_exit_3(answer, told):
    with pytest.raises(MissingError) as silent:
        asked(answer)
    assert silent.value.message == f"no answer from http://h/base: {told}; nothing was changed"
