"""A step's process imports little, and what it puts off is there when somebody needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from taxi_etl.lean import LATER, SELDOM

PSYCOPG = {"asyncio", "subprocess", "traceback"}
"""What psycopg uses when it is imported."""


def run(code: str, *arguments: str) -> str:
    """What a process prints that takes no warning."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    "modules",
    [
        "taxi_etl.extract",
        "taxi_etl.load, taxi_etl.destinations.bigquery",
        "taxi_etl.load, taxi_etl.destinations.postgres",
        "taxi_etl.reconcile",
        "taxi_etl.sample",
    ],
)
def test_a_step_imports_no_heavy_library(modules):
    heavy = "grpc pyarrow pandas numpy duckdb opentelemetry rich"
    code = (
        "from taxi_etl.lean import hide_optional_packages as hide; hide()\n"
        f"import sys, {modules}\n"
        f"print([name for name in '{heavy}'.split() if sys.modules.get(name)])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_what_signs_with_a_key_is_loaded_by_who_signs_and_works_then():
    code = """if True:
        from taxi_etl import lean
        lean.start()
        import sys
        from google.cloud import storage
        print("cryptography" in sys.modules)
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives import serialization as form
        pem = rsa.generate_private_key(65537, 2048).private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
        )
        from google.oauth2 import service_account
        key = {"client_email": "a@b", "token_uri": "https://c", "private_key": pem.decode()}
        made = service_account.Credentials.from_service_account_info(key)
        print(len(made.sign_bytes(b"text")))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "256"]


UNUSED = """
from taxi_etl import later
print(*(name for name, one in sys.modules.items() if type(one) is later._Unused))
"""


@pytest.mark.parametrize(
    ("modules", "used"),
    [
        ("taxi_etl.extract", {"ctypes.util"}),
        ("taxi_etl.load, taxi_etl.destinations.bigquery", {"ctypes.util"}),
        ("taxi_etl.load, taxi_etl.destinations.postgres", PSYCOPG),
        ("taxi_etl.reconcile, taxi_etl.destinations.postgres", PSYCOPG),
    ],
)
def test_what_is_put_off_is_imported_and_not_used(modules, used):
    """A name that nobody imports any more, or that is used at once, is none for the lists."""
    code = f"""
        from taxi_etl import lean
        lean.start()
        import sys, taxi_etl.cli, {modules}, google.cloud.storage
    """
    unused = set(run(textwrap.dedent(code) + UNUSED).split())
    assert unused >= {*LATER, *SELDOM} - used
    assert not unused & used


def test_a_whole_step_does_without_what_is_put_off(site, tmp_path):
    code = """
        from taxi_etl import later, lean
        lean.start()
        import sys
        from taxi_etl.cli import main
        assert main(sys.argv[1:]) == 0
        loaded = [name for name in (*lean.LATER, *lean.SELDOM) if name in sys.modules]
        print(len(loaded), [one for one in loaded if type(sys.modules[one]) is not later._Unused])
    """
    flags = ["--taxi", "green", "--month", "2020-10", "--source", site.url, "--bucket", "lake"]
    last = run(code, "extract", *flags, "--work", str(tmp_path)).splitlines()[-1]
    number, used = last.split(maxsplit=1)
    assert int(number) > 0
    assert used == "[]"


class Metadata(BaseHTTPRequestHandler):
    """What a machine of Google's is told of itself."""

    ANSWERS: ClassVar = {
        "project/project-id": "taxi-project",
        "universe/universe-domain": "googleapis.com",
        "instance/service-accounts/default/": {"email": "a@b", "scopes": [], "aliases": []},
        "instance/service-accounts/default/token": {"access_token": "T", "expires_in": 3600},
    }

    def do_GET(self) -> None:
        answer = self.ANSWERS.get(self.path.partition("?")[0].removeprefix("/computeMetadata/v1/"))
        body = answer if isinstance(answer, str) else json.dumps(answer)
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google")
        kind = "text/plain" if isinstance(answer, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


def test_a_step_on_a_machine_of_google_s_is_known_by_its_service_account(tmp_path, monkeypatch):
    code = """
        from taxi_etl import lean
        lean.start()
        from taxi_etl import google_clients
        from google.auth import default
        from google.auth.transport.requests import Request
        made, project = default()
        made.refresh(Request())
        print(project, made.token, google_clients.storage_client("mine").project)
    """
    for name in [name for name in os.environ if name.startswith(("GOOGLE_", "STORAGE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))  # no credentials of a user's
    with ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP"):
            monkeypatch.setenv(name, f"127.0.0.1:{server.server_port}")
        try:
            assert run(code) == "taxi-project T mine\n"
        finally:
            server.shutdown()


def test_psycopg_is_not_driven_to_its_slow_form():
    """It takes any error of its fast form's import for a missing one."""
    code = """
        from taxi_etl import lean
        lean.start()
        import taxi_etl.destinations.postgres, psycopg
        print(psycopg.pq.__impl__)
    """
    assert run(code) == "binary\n"


PACKAGE = {
    "plain.py": "print('plain')\nvalue = 1",
    "wrong.py": "print('wrong')\n1 / 0",
    "slow.py": "import time\nprint('slow')\ntime.sleep(0.3)\nvalue = 1",
    "folder/__init__.py": "print('folder')\nfrom folder import part\nvalue = part.value",
    "folder/part.py": "import folder\nvalue = 1",
}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import plain\nimport plain\nprint(plain.__name__)", "plain"),
        ("import plain\nprint('first')\nprint(plain.value)", "first plain 1"),
        ("import plain\nplain.value = 2\nprint(plain.value)", "plain 2"),
        ("import plain\ndel plain.value\nprint(hasattr(plain, 'value'))", "plain False"),
        ("import plain\nprint(hasattr(plain, 'other'), plain.value)", "plain False 1"),
        ("from plain import value\nprint(value)", "plain 1"),
        ("import plain, importlib\nplain.value\nimportlib.reload(plain)", "plain plain"),
        ("import folder.part\nprint(folder.value)", "folder 1"),
        ("import folder\nprint('first')\nprint(folder.part.value)", "first folder 1"),
        ("from folder import part\nprint(part.value)", "folder 1"),
        (
            "import wrong\nfor _ in range(2):\n try: wrong.value\n"
            " except ZeroDivisionError: print('no')",
            "wrong no wrong no",
        ),
        (
            "import slow\nfrom concurrent.futures import ThreadPoolExecutor\n"
            "with ThreadPoolExecutor(4) as pool:\n"
            " print(*pool.map(lambda _: slow.value, range(4)))",
            "slow 1 1 1 1",
        ),
    ],
)
def test_a_module_that_is_put_off_is_run_once_by_who_uses_it(tmp_path, code, said):
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    begin = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
    begin += "from taxi_etl.later import put_off\nput_off(['plain', 'wrong', 'slow', 'folder'])\n"
    assert run(begin + code).split() == said.split()


def test_a_regular_expression_that_is_compiled_later_is_one():
    code = """
        import copy, pickle, re
        from taxi_etl.later import compile_later
        compile_later()
        made = [re.compile(r"(?P<a>A)b", re.I), re.compile(b"ab")]
        texts = ["xAbx", b"xabx"]
        for one, text in zip(made, texts):
            for form in (one, copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
                assert isinstance(form, re.Pattern)
                assert form.search(text).span() == re.search(form, text).span() == (1, 3)
                assert form.sub(text[:0], text) == re.sub(form, text[:0], text)
        assert (made[0].flags & re.I, made[0].groups, made[0].groupindex) == (re.I, 1, {"a": 1})
        assert re.compile(made[0]).fullmatch("ab")
        assert re.compile(pattern="ab").pattern == "ab"
        wrong = re.compile("(")
        for _ in range(2):
            try:
                wrong.match("x")
            except re.error:
                print("wrong")
    """
    assert run(code) == "wrong\nwrong\n"
