"""The guide to testing one's own flows, done: its files, its test, a session of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "testing-flows.md").read_text()
FLOWS = ROOT / "flows"
MORE = '''
import pytest

from taxistack.errors import UsageError
from taxistack.kestra import Invalid

CHILD = """
id: child
namespace: mine
tasks:
  - {id: pair, type: io.kestra.plugin.core.log.Log, message: "pair {{ kv('word') }}"}
  - id: steps
    type: io.kestra.plugin.scripts.python.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    namespaceFiles: {enabled: true}
    env: {TOKEN: "{{ secret('API_TOKEN') }}"}
    commands: [python package/step.py]
"""
PARENT = """
id: parent
namespace: mine
tasks:
  - {id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: mine, flowId: child,
     wait: true, transmitFailed: true}
"""


def test_flows_pairs_files_and_secrets(kestra):
    kestra.put_pairs("mine", word="abc")
    kestra.put_files("mine", "package")
    kestra.deploy(CHILD)
    assert kestra.run(PARENT).state == "SUCCESS"
    run = kestra.run(CHILD)
    assert "pair abc" in run.messages
    assert run.tasks["steps"]["vars"] == {"length": 14}


def test_what_fails_says_why(kestra):
    run = kestra.run(
        "id: bad\\nnamespace: mine\\ntasks:\\n"
        "  - {id: end, type: io.kestra.plugin.core.execution.Fail, errorMessage: not today}"
    )
    assert (run.state, run.errors) == ("FAILED", ["not today"])


def test_what_the_server_refuses_is_raised(kestra):
    with pytest.raises(UsageError, match="no.such.Type"):
        kestra.run("id: bad\\nnamespace: mine\\ntasks: [{id: a, type: no.such.Type}]")
    with pytest.raises(Invalid):
        kestra.run("flows/greeting.yaml")


def test_the_kits_own_flow(kestra):
    run = kestra.run(OURS, {"name": "Ada"})
    assert run.state == "SUCCESS"
    assert "Goodbye, Ada!" in run.messages
'''


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def session(folder: Path) -> str:
    """A session of pytest's own in the folder, which passes; what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_guides_files_make_a_test_session_that_passes(engine_built, tmp_path):
    greeting, secrets = fenced("python")
    (flow,), (settings,) = fenced("yaml"), fenced("ini")
    (tmp_path / "flows").mkdir()
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "step.py").write_text(
        "import os\nprint('::{\"outputs\": {\"length\": %d}}::' % len(os.environ['TOKEN']))\n"
    )
    (tmp_path / "flows" / "greeting.yaml").write_text(flow)
    (tmp_path / "conftest.py").write_text(secrets)
    (tmp_path / "pytest.ini").write_text(settings)
    (tmp_path / "test_greeting.py").write_text(greeting)
    ours = f"OURS = {str(FLOWS / 'hello_world.yaml')!r}\n"
    (tmp_path / "test_more.py").write_text(ours + MORE)
    assert "5 passed" in session(tmp_path)


def test_a_session_that_asks_for_no_engine_starts_none(tmp_path):
    (tmp_path / "pytest.ini").write_text(fenced("ini")[0])
    (tmp_path / "test_other.py").write_text(
        "import sys\n\n\ndef test_nothing():\n"
        "    assert 'localcloud.kestra.standalone' not in sys.modules\n"
    )
    assert "1 passed" in session(tmp_path)
