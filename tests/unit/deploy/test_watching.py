"""`deploy-flows --watch`: what is saved is pushed once, what is refused is said."""

from __future__ import annotations

import io

import pytest
from rich.console import Console as RichConsole

from taxistack.commands import watching
from taxistack.console import Console
from taxistack.errors import MissingError, UsageError


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """Folders to save files in."""
    for name in ("flows", "scripts/taxi_etl", "analytics"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(watching, "FLOWS", tmp_path / "flows")
    monkeypatch.setattr(watching, "ETL", tmp_path / "scripts" / "taxi_etl")
    monkeypatch.setattr(watching, "ANALYTICS", tmp_path / "analytics")
    monkeypatch.setattr(watching, "EVERY", 0)
    (tmp_path / "flows" / "one.yaml").write_text("id: one")
    return tmp_path


@pytest.fixture
def console():
    stream = RichConsole(file=io.StringIO(), width=200)
    return Console(out=stream, err=stream)


def watched(monkeypatch, console, saves, error=None):
    """The sources of the pushes, when each of `saves` happens before one look."""
    pushed = []

    def push(target, console, source=""):
        pushed.append(source)
        if error and len(pushed) > 1:
            raise error

    steps = iter(saves)

    def forever():
        step = next(steps, None)
        if step:
            step()
        return step is not None

    monkeypatch.setattr(watching, "deploy_flows", push)
    watching.watch(None, console, source="public", forever=forever)
    return pushed, console.err.file.getvalue()


def test_a_save_is_pushed_once_and_named(clone, console, monkeypatch):
    saves = [
        lambda: None,
        lambda: (clone / "flows" / "two.yml").write_text("id: two"),
        lambda: None,
        lambda: (clone / "scripts" / "taxi_etl" / "cli.py").write_text("x = 1"),
        lambda: (clone / "flows" / "one.yaml").unlink(),
        lambda: (clone / "flows" / ".one.yaml.swp").write_text("an editor's own"),
    ]
    pushed, told = watched(monkeypatch, console, saves)
    assert pushed == ["public", "", "", ""], "the source is chosen once"
    assert [line for line in told.splitlines() if line.startswith("saved")] == [
        "saved: two.yml", "saved: cli.py", "saved: one.yaml",
    ]  # fmt: skip


def test_what_the_server_refuses_is_said_and_waited_for(clone, console, monkeypatch):
    saves = [lambda: (clone / "flows" / "one.yaml").write_text("id: 1")] * 1 + [lambda: None]
    refusal = UsageError("one.yaml: no id", hint="give it one")
    pushed, told = watched(monkeypatch, console, saves, refusal)
    assert len(pushed) == 2
    assert "error: one.yaml: no id" in told
    assert "try: give it one" in told


def test_a_server_that_is_gone_ends_it(clone, console, monkeypatch):
    saves = [lambda: (clone / "flows" / "one.yaml").write_text("id: 1")]
    with pytest.raises(MissingError, match="gone"):
        watched(monkeypatch, console, saves, MissingError("gone"))


@pytest.mark.parametrize("flag", ["prune", "dry_run", "json"])
def test_flags_that_mean_nothing_beside_it_are_refused(flag):
    with pytest.raises(UsageError, match=flag.replace("_", "-")):
        watching.refuse_beside(**{flag: True})
    watching.refuse_beside(**{flag: False})
