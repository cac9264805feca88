"""Bad inputs with the exact words that they are answered with: bad_inputs.txt.

`$` is a command line, with variables of the environment before it; what follows is its stderr, and
its exit code. Nothing of the stack is begun by any of them. To change the words on purpose:
`UPDATE_BAD_INPUTS=1 pytest tests/processes/commands/test_bad_inputs.py`, and read the difference.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WANTED = Path(__file__).with_name("bad_inputs.txt")


def cases() -> dict[str, str]:
    """What is wanted, by command line."""
    blocks = WANTED.read_text(encoding="utf-8").split("\n$ ")
    found = {}
    for block in blocks[1:]:
        line, _, said = block.partition("\n")
        found[line] = said.rstrip("\n")
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, str]:
    """What is said now, by command line."""
    folder = tmp_path_factory.mktemp("bad")
    full = folder / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("mine")
    names = {"{state}": str(folder / "state"), "{full}": str(full)}
    lines = []
    for line in cases():
        for name, path in names.items():
            line = line.replace(name, path)
        words = shlex.split(line)
        split = next(n for n, word in enumerate(words) if "=" not in word)
        environment = {"INVOKE_TAXISTACK_STATE": names["{state}"], "COLUMNS": "200"}
        environment |= dict(word.split("=", 1) for word in words[:split])
        lines.append({"words": words[split:], "environment": environment})
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run_lines.py"))],
        cwd=ROOT, input=json.dumps(lines), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {}
    for line, answer in zip(cases(), json.loads(done.stdout), strict=True):
        said = answer["said"].rstrip("\n")
        for name, path in {**names, "{clone}": str(ROOT)}.items():
            said = said.replace(path, name)
        found[line] = f"{said}\n(exit {answer['code']})"
    if os.environ.get("UPDATE_BAD_INPUTS"):
        top = WANTED.read_text(encoding="utf-8").split("\n$ ")[0]
        blocks = [f"$ {line}\n{said}\n" for line, said in found.items()]
        WANTED.write_text("\n".join([top, *blocks]), encoding="utf-8")
    assert not (folder / "state").exists(), "nothing was begun"
    assert [path.name for path in full.iterdir()] == ["thesis.txt"]
    return found


@pytest.mark.parametrize("line", list(cases()))
def test_a_bad_input_is_answered_with_these_words(answers, line):
    assert answers[line] == cases()[line]
    assert "Traceback" not in answers[line]


def test_they_are_many():
    assert len(cases()) >= 60
