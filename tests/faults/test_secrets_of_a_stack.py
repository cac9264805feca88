"""Where the secrets of a stack are while it works, and who may read its files.

The stack's commands run in a shell that makes everything for everybody (umask 0).
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from tests.faults.conftest import months_of_their_own
from tests.faults.stack import Stack, kept_dead, load, span

from localcloud import gate, postgres
from localcloud.layout import Layout
from localcloud.parts import PARTS
from taxi_etl.month import Month

# Who has which secret in its environment, by a pattern of its command line: where flows read it by
# secret('…'), or where the program knows no other way.
FLOWS = {"SECRET_EMULATOR_KEY: key", "SECRET_POSTGRES_PASSWORD: postgres"}
LAKE, WAREHOUSE = "STORAGE_EMULATOR_HOST: key", "BIGQUERY_EMULATOR_HOST: key"
DATABASE = "PGPASSWORD: postgres"
NEEDED = {
    r"localcloud\.kestra\.Main|jspawnhelper": FLOWS,  # the second: Java's first step to a process
    r"taxi_etl extract ": {LAKE},
    r"taxi_etl (load|reconcile) .*--destination bigquery": {LAKE, WAREHOUSE},
    r"taxi_etl (load|reconcile) .*--destination postgres": {LAKE, DATABASE},
    r"^\S*terraform \S+": {
        "GOOGLE_OAUTH_ACCESS_TOKEN: key",
        "TF_VAR_kestra_password: kestra",
        "TF_VAR_postgres_password: postgres",
    },
    r"^\S*pg_dump ": {DATABASE},
}
SEEN_ALWAYS = (
    *("taxi_etl extract ", "--destination bigquery", "--destination postgres"),
    *("localcloud.kestra.Main", "localcloud.run storage", "localcloud.run warehouse"),
    *("invoke backfill", "terraform plan"),
)


def secrets_of(stack: Stack) -> dict[str, str]:
    layout: Layout = stack.target.cloud.layout
    config = json.loads(layout.kestra_config.read_text())
    return {
        "key": gate.key(layout),
        "postgres": postgres.password(layout),
        "kestra": config["password"],
        "encryption": layout.encryption_key.read_text(),
    }


def found_in(text: str, secrets: dict[str, str]) -> set[str]:
    """The secrets that a text tells, plain or in base64."""
    return {
        name
        for name, secret in secrets.items()
        if secret in text or base64.b64encode(secret.encode()).decode() in text
    }


@dataclass
class Watch:
    """Every process of a stack, and of its commands, while it is looked at."""

    state: Path
    secrets: dict[str, str]
    lines: set[str] = field(default_factory=set)
    environments: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By command line: which variable tells which secret."""
    told: set[str] = field(default_factory=set)
    """Command lines that tell one."""
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        seen: set[tuple[psutil.Process, str]] = set()
        while not self._over.is_set():
            for process in psutil.process_iter():
                try:
                    line = " ".join(process.cmdline())
                    if (process, line) in seen:
                        continue  # its environment is what it was when its program began
                    environment = process.environ()
                except (psutil.Error, OSError):
                    continue  # it has ended
                seen.add((process, line))
                if any(str(self.state) in text for text in (line, *environment.values())):
                    self._note(line, environment)
            time.sleep(0.01)

    def _note(self, line: str, environment: dict[str, str]) -> None:
        self.lines.add(line)
        if found_in(line, self.secrets):
            self.told.add(line)
        for variable, value in environment.items():
            for name in found_in(value, self.secrets):
                self.environments[line].add(f"{variable}: {name}")


@dataclass
class Worked:
    """A stack that has loaded, proven, reported and saved."""

    stack: Stack
    secrets: dict[str, str]
    watch: Watch
    said: str
    report: Path
    months: list[Month]


@pytest.fixture(scope="module")
def worked(own_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Worked:
    months = months_of_their_own(own_stack)
    report = tmp_path_factory.mktemp("report")
    secrets = secrets_of(own_stack)
    with Watch(own_stack.state, secrets) as watch:
        said = [
            own_stack.run(*command)
            for command in (
                load(months),
                ("verify", *span(months), "--report", str(report)),
                ("backup",),
                ("plan",),
                ("status",),
                ("logs", "--part", "kestra"),
            )
        ]
    return Worked(own_stack, secrets, watch, "".join(said), report, months)


def test_no_process_has_a_secret_that_it_does_not_need(worked: Worked):
    lines = worked.watch.lines
    for mark in SEEN_ALWAYS:
        assert any(mark in line for line in lines), (mark, sorted(lines))
    for line, holds in worked.watch.environments.items():
        needed = [held for pattern, held in NEEDED.items() if re.search(pattern, line)]
        assert needed, f"{line} needs none and has {holds}"
        assert holds <= set.union(*needed), f"{line} has {holds - set.union(*needed)}"
    held = set.union(*worked.watch.environments.values())
    assert {LAKE, WAREHOUSE, DATABASE, *FLOWS} <= held, "they were looked for where they are"


def test_no_command_line_and_no_output_tells_a_secret(worked: Worked):
    assert worked.watch.told == set()
    assert found_in(worked.said, worked.secrets) == set()


def test_no_file_tells_a_secret_but_in_the_private_folder(worked: Worked):
    state = worked.stack.state
    private = worked.stack.target.cloud.layout.private
    wanted = {
        name: [secret.encode(), base64.b64encode(secret.encode())]
        for name, secret in worked.secrets.items()
    }
    read = 0
    for folder in (state, worked.report, worked.stack.tmp):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and private not in path.parents:
                content = path.read_bytes()
                read += 1
                for name, forms in wanted.items():
                    assert not any(form in content for form in forms), (path, name)
    assert read > 500
    assert any(path.suffix == ".tfstate" for path in state.rglob("*")), "Terraform's state is there"


def test_nobody_else_may_read_or_write_a_file_of_the_stack(worked: Worked):
    paths = [worked.stack.state, *worked.stack.state.rglob("*")]
    assert any(path.parent.name == "backups" for path in paths)
    loose = [
        (oct(path.lstat().st_mode), str(path))
        for path in paths
        if not path.is_symlink() and path.lstat().st_mode & 0o077
    ]
    assert loose == []


@pytest.mark.parametrize(
    "dead",
    # Google's libraries try the first two again for a minute; CI has no time for that.
    [
        *(pytest.param(name, marks=pytest.mark.faults_all) for name in ("storage", "warehouse")),
        *("postgres", "kestra"),
    ],
)
def test_no_traceback_tells_a_secret(worked: Worked, dead: str):
    stack = worked.stack
    killed = [stack.part(dead)]
    if dead == "kestra":
        killed += [one for one in killed[0].parents() if "localcloud.kestra" in one.cmdline()]
    command = "backfill" if dead == "kestra" else "verify"
    with kept_dead(stack.part("supervisor"), *killed):
        process = stack.begin(command, *span(worked.months), "--debug")
        said, _ = process.communicate(timeout=300)
    assert process.returncode != 0, said
    assert "Traceback" in said
    assert found_in(said, worked.secrets) == set(), said
    stack.run("start")
    assert {part.name for part in stack.target.cloud.status() if part.pid} == set(PARTS)
