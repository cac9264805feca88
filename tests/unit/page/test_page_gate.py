"""Nobody comes in without the password, and no other page does with it."""

from __future__ import annotations

import re

import pytest

from taxistack.page.serving import STATIC

from .conftest import PASSWORD, USER

ASKED = [
    ("GET", "/"), ("GET", "/months"), ("GET", "/executions/x"), ("GET", "/flows/taxi/x"),
    ("GET", "/static/page.js"), ("GET", "/static/"), ("GET", "/nothing"), ("GET", "/api/about"),
    ("GET", "/api/executions/x/file?path=y"), ("GET", "/report"), ("GET", "/charts/1-0-wide.svg"),
    ("POST", "/api/flows/taxi/x/execute"), ("POST", "/api/executions/x/kill"),
    ("POST", "/api/triggers/taxi/x/y/disable"), ("POST", "/api/loads"), ("POST", "/api/report"),
    ("DELETE", "/api/executions/x"), ("OPTIONS", "/api/about"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "path"), ASKED)
def test_nothing_is_answered_without_the_password(page, verb, path):
    for auth in (None, (USER, "Wrong-password-1"), ("other@taxistack.dev", PASSWORD), (USER, "")):
        answer = page.request(verb, path, auth=auth)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert PASSWORD not in answer.text


@pytest.mark.parametrize("header", ["Basic", "Basic ???", "Bearer x", "Basic " + "QQ==" * 9])
def test_a_broken_login_is_none(page, header):
    answer = page.get("/", headers={"Authorization": header}, auth=None)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:PORT"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1.evil.example:PORT"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:PORT"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize(("verb", "path"), ASKED)
def test_nothing_is_answered_to_another_host_or_page_even_with_the_password(
    page, address, verb, path, headers
):
    sent = {name: value.replace("PORT", str(address.port)) for name, value in headers.items()}
    answer = page.request(verb, path, headers=sent)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_page_itself_and_a_typed_address_are_answered(page, address):
    own = {"Origin": f"http://127.0.0.1:{address.port}", "Sec-Fetch-Site": "same-origin"}
    assert page.get("/api/about", headers=own).json()["kestra"] == "2.0.0"
    assert page.get("/", headers={"Sec-Fetch-Site": "none"}).status_code == 200
    assert page.get("/", headers={"Host": f"localhost:{address.port}"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/api/about", "/api/nothing", "/report"])
def test_every_answer_says_what_a_browser_may_do_with_it(page, path):
    headers = page.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_no_script_of_the_page_reads_text_as_markup_and_nothing_comes_from_elsewhere():
    scripts = {path.name: path.read_text() for path in STATIC.glob("*.js")}
    assert scripts
    forbidden = r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|srcdoc"
    for name, text in scripts.items():
        assert not re.search(forbidden, text), name
        assert not re.search(r"""from ["'](?!\./)|import\(""", text), name
    markup = (STATIC / "index.html").read_text()
    assert not re.search(r"""(src|href)="(?!/|#)|style=|\bon\w+=""", markup)
    assert re.findall(r"<script[^>]*>", markup) == ['<script type="module" src="/static/page.js">']
    assert not re.search(r"url\(|@import", (STATIC / "page.css").read_text())
