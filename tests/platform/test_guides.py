"""Every command of the README and the guides works as it is written there."""

from __future__ import annotations

import copy
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from invoke.parser import Parser, ParserContext
from invoke.program import Program
from tests import workflows

from taxistack.reference import collection

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)( \w+)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block: where it stands, what kind of shell it needs, its text."""

    page: Path
    kind: str
    text: str


def blocks(kind: str) -> list[Block]:
    """The `sh` blocks of all pages: "" for those that run here, else `gcp`, `public`, `dbt`."""
    found = []
    for page in GUIDES:
        for language, mark, text in FENCE.findall(page.read_text()):
            if language == "sh" and mark.strip() == kind:
                found.append(Block(page, kind, text))
    return found


def joined(text: str) -> list[str]:
    """The lines of a block; a command that goes on in the next line (`\\`) is one."""
    return text.replace("\\\n", "").splitlines()


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory):
    """A shell as the guides assume it: our programs on PATH, a platform of its own."""
    state = tmp_path_factory.mktemp("guides")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "INVOKE_TAXISTACK_STATE": str(state),
        "INVOKE_TAXISTACK_SAMPLE_ROWS": "300",
    }

    def run(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-eu", "-c", text],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    yield run
    done = run("invoke down --yes")
    assert done.returncode == 0, done.stderr


def test_the_guides_run_from_top_to_bottom(shell):
    """In the order in which a reader meets them; one shell session a page."""
    left_out = []
    for page in GUIDES:
        mine = [block for block in blocks("") if block.page == page]
        text = "".join(block.text for block in mine)
        # Bootstrap has made the environment that this runs in, and the tests are not run in a test.
        lines = [line.removeprefix("scripts/bootstrap && ") for line in joined(text)]
        lines = [line for line in lines if not line.endswith("invoke test")]
        if not shutil.which("curl"):
            left_out += [line for line in lines if line.startswith("curl ")]
            lines = [line for line in lines if not line.startswith("curl ")]
        if lines:
            done = shell("\n".join(lines))
            assert done.returncode == 0, f"{page.name}:\n{done.stdout}\n{done.stderr}"
    if left_out:
        pytest.skip(f"all ran but {len(left_out)} commands of curl, which is not on this machine")


def test_the_commands_of_the_local_workflow_work(shell, tmp_path):
    """After the guides: the README's demo has loaded the months, and this ends with nothing."""
    report = tmp_path / "report"
    command = workflows.command("local.yml", "demo")
    demo = shell(f"export REPORT={report}\n{command}")
    assert demo.returncode == 0, demo.stderr
    assert (report / "index.html").stat().st_size > 10_000
    down = shell(workflows.command("local.yml", "down"))
    assert down.returncode == 0, down.stderr
    assert "0 left" in down.stdout


@pytest.mark.parametrize("kind", ["browser", "docker", "gcp", "public", "dbt"])
def test_commands_that_need_a_network_or_docker_are_spelt_right(kind):
    """They can't run here: their names and flags are read by Invoke's own parser."""
    commands = [
        shlex.split(line)
        for block in blocks(kind)
        for line in joined(block.text)
        if line.startswith("invoke ")
    ]
    assert commands
    contexts = copy.deepcopy(collection()).to_contexts()
    for command in commands:
        initial = ParserContext(args=Program().core_args())
        parsed = Parser(contexts=contexts, initial=initial).parse_argv(command[1:])
        assert [context.name for context in parsed if context.name] == [command[1]]
