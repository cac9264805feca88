"""Terraform on one root and one state."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from python_terraform import IsFlagged
from python_terraform import Terraform as CommandBuilder

from taxistack.errors import FailedError, MissingError, UsageError
from taxistack.scratch import scratch
from taxistack.terraform import process
from taxistack.terraform.errors import (
    Diagnostic,
    Lock,
    StateLockedError,
    TerraformError,
    error_of,
)
from taxistack.terraform.program import environment as clean_environment
from taxistack.terraform.program import executable as find_executable
from taxistack.terraform.results import ApplyResult, Event, Plan, apply_of, plan_of
from taxistack.terraform.working import refuse_a_dead_provider, working

# A held lock is told at once instead of waited for.
_LOCKING: Mapping[str, Any] = {"lock_timeout": "0s"}
_QUIET: Mapping[str, Any] = {"input": False, "no_color": IsFlagged}
_JSON: Mapping[str, Any] = {"input": False, "json": IsFlagged}
# Changes nothing but its own folder, may ask servers that do not answer, and knows no time limit.
_INIT_SECONDS = 600.0  # a provider of 100 MB on a slow line
# These hold no lock and write no state: when they do not heed an interruption they are killed.
_KILLED = ("init", "validate", "output", "show", "state list")
_GRACE = 5.0


class Terraform:
    """One root with its backend and its variables; nothing runs before a method is called."""

    def __init__(
        self,
        *,
        root: Path,
        data_dir: Path,
        environment: Mapping[str, str] | None = None,
        backend: Mapping[str, str] | None = None,
        variables: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        executable: Sequence[str] = (),
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        """Say what to run on.

        `root`: the folder of the root module. `data_dir`: Terraform's own files of this target.
        `environment`: what the target needs (the user's own TF_… settings are dropped).
        `backend`: configuration of the root's backend; empty for a root without one.
        `variables`: input variables; None values are left to the root's defaults.
        `secrets`: ephemeral variables; they go into the child's environment and nowhere else.
        `executable`: another Terraform than the one that `executable()` finds, as argv begins.
        `on_event`: called with every event of init, plan and apply as it comes.
        """
        self.root = Path(root).absolute()
        self.data_dir = Path(data_dir).absolute()
        self._backend = dict(backend or {})
        self._variables = {k: v for k, v in (variables or {}).items() if v is not None}
        self._secrets = dict(secrets or {})
        self._executable = tuple(executable)
        self._on_event = on_event or (lambda event: None)
        self._environment = clean_environment(
            {
                **(environment or {}),
                "TF_DATA_DIR": str(self.data_dir),
                **{f"TF_VAR_{name}": value for name, value in self._secrets.items()},
            }
        )

    # --- commands ---------------------------------------------------------------------------

    def init(self) -> bool:
        """Prepare backend, modules and providers; False when all was as before.

        Another backend configuration replaces the one before: no state is copied.
        """
        key = self._init_key()
        mark = self.data_dir / "init.sha256"
        if mark.exists() and mark.read_text() == key:
            return False
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark.unlink(missing_ok=True)
        backend: dict[str, Any] = {"backend_config": self._backend} if self._backend else {}
        self._run("init", reconfigure=IsFlagged, **backend, **_JSON)
        mark.write_text(key)
        return True

    def validate(self) -> None:
        """Check the configuration. Raises TerraformError with what is wrong in it."""
        self._run("validate", no_color=IsFlagged, json=IsFlagged)

    def plan(
        self,
        out: Path | None = None,
        *,
        destroy: bool = False,
        refresh_only: bool = False,
        replace: Iterable[str] = (),
    ) -> Plan:
        """Compare configuration, state and cloud; save the plan in `out` when given.

        `replace`: addresses of what is made anew though nothing of it has changed.
        """
        flags: dict[str, Any] = {
            "destroy": IsFlagged if destroy else None,
            "refresh_only": IsFlagged if refresh_only else None,
            "out": str(Path(out).absolute()) if out else None,
            "replace": list(replace),
        }
        if out:
            Path(out).absolute().parent.mkdir(parents=True, exist_ok=True)
        with self._gathering() as events, self._given() as given:
            done = self._run(
                "plan",
                ok=(0, 2),
                detailed_exitcode=IsFlagged,
                **flags,
                **given,
                **_JSON,
                **_LOCKING,
            )
        return plan_of(events, out, done.code == 2, destroy)

    def apply(self, plan: Plan | Path) -> ApplyResult:
        """Do what a saved plan says; a plan that the state has overtaken is refused."""
        path = plan.path if isinstance(plan, Plan) else plan
        if path is None:
            raise UsageError("only a saved plan can be applied: plan(out=…)")
        with self._gathering() as events:
            self._run("apply", str(Path(path).absolute()), **_JSON, **_LOCKING)
        return apply_of(events)

    def plan_and_apply(
        self, *, destroy: bool = False, refresh: bool = True, targets: Iterable[str] = ()
    ) -> None:
        """Both in one run, unseen: for what was shown and approved right before, by another plan.

        `targets`: addresses; without any, all of the stack. `refresh`: False takes the state's word
        for the cloud's, right after a plan that has asked.
        """
        flags: dict[str, Any] = {
            "auto_approve": IsFlagged,
            "refresh": None if refresh else False,
            "destroy": IsFlagged if destroy else None,
            "target": list(targets),
        }
        with self._given() as given:
            self._run("apply", **flags, **given, **_JSON, **_LOCKING)

    def outputs(self) -> dict[str, Any]:
        """The outputs by name; empty when nothing was applied."""
        values = json.loads(self._run("output", json=IsFlagged, no_color=IsFlagged).stdout)
        return {name: output["value"] for name, output in values.items()}

    def show(self, plan: Plan | Path) -> dict[str, Any]:
        """A saved plan in Terraform's JSON form."""
        path = plan.path if isinstance(plan, Plan) else plan
        file = str(Path(path or "").absolute())
        text = self._run("show", file, json=IsFlagged, no_color=IsFlagged).stdout
        shown: dict[str, Any] = json.loads(text)
        return shown

    def resources(self) -> list[str]:
        """The addresses of all resources in the state; empty when there is none."""
        done = self._run("state list", ok=(0, 1))
        if done.code == 1 and "No state file was found" not in done.stderr:
            raise error_of("state list", [], 1, done.stderr)
        return [line for line in done.stdout.splitlines() if line]

    def import_(self, address: str, id_: str) -> None:
        """Take an object that exists into the state."""
        with self._given() as given:
            self._run("import", address, id_, **given, **_QUIET, **_LOCKING)

    def adopt(
        self,
        plan: Plan,
        error: TerraformError,
        import_id: Callable[[str, dict[str, Any]], str],
    ) -> list[str]:
        """Take what `plan` could not create, because it exists, into the state; the addresses.

        A run that was killed has made objects that its state does not know. Only for a stack
        whose names nobody else uses: an object of somebody else would be adopted too.
        `import_id`: the id of an object, by its resource's type and its planned values.
        """
        changes = {c["address"]: c for c in self.show(plan)["resource_changes"]}
        for address in error.existing:
            values = {
                "project": self._variables.get("project"),
                **changes[address]["change"]["after"],
            }
            self.import_(address, import_id(changes[address]["type"], values))
        return error.existing

    def lock(self) -> Lock | None:
        """The lock that somebody holds on the state; None when it is free."""
        try:
            with self._given() as given:
                self._run("plan", ok=(0, 2), refresh=False, **given, **_JSON, **_LOCKING)
        except StateLockedError as error:
            return error.lock
        return None

    def force_unlock(self, lock_id: str) -> None:
        """Release the lock with this ID. Raises UsageError when no lock has it.

        Only for a lock whose holder is gone: the ID is asked for, so that the lock of a run that
        has begun meanwhile is left alone.
        """
        held = self.lock()
        if held is None:
            raise UsageError(f"the stack is not locked: there is no lock {lock_id} to release")
        if held.id != lock_id:
            raise UsageError(f"the lock's ID is {held.id}, held by {held.who}; not {lock_id}")
        self._run("force-unlock", lock_id, force=IsFlagged, no_color=IsFlagged)

    @contextlib.contextmanager
    def _given(self) -> Iterator[dict[str, Any]]:
        """The flag that gives Terraform the variables; their file goes with the command.

        The builder could write that file too: into the system's temporary folder, where it stays
        when the command is killed.
        """
        if not self._variables:
            yield {}
            return
        with scratch(self.data_dir) as folder:
            path = folder / "given.tfvars.json"
            path.write_text(json.dumps(self._variables), encoding="utf-8")
            yield {"var_file": str(path)}

    # --- the process ------------------------------------------------------------------------

    def _run(
        self, command: str, *arguments: str, ok: tuple[int, ...] = (0,), **flags: Any
    ) -> process.Finished:
        program = self._executable or find_executable()
        builder = CommandBuilder(working_dir=str(self.root))
        diagnostics: list[Diagnostic] = []
        try:
            with working(self.data_dir):
                refuse_a_dead_provider(self._environment)
                done = process.run(
                    [*program, *builder.generate_cmd_string(command, *arguments, **flags)[1:]],
                    folder=self.root,
                    environment=self._environment,
                    on_line=lambda line: self._line(line, diagnostics, "json" in flags),
                    secrets=[value for value in self._secrets.values() if value],
                    seconds=_INIT_SECONDS if command == "init" else None,
                    grace=_GRACE if command in _KILLED else None,
                )
        except OSError as error:
            raise FailedError(f"terraform {command}: {program[0]} can't be run: {error}") from error
        if command == "validate" and done.stdout:
            reported = json.loads(done.stdout).get("diagnostics", [])
            diagnostics += [Diagnostic.parse(entry) for entry in reported]
        if done.timed_out:
            raise MissingError(
                f"terraform {command} did not end within {_INIT_SECONDS:.0f} s",
                hint="the registry of providers does not answer: a mirror can be named in the file "
                "of TF_CLI_CONFIG_FILE",
            )
        if done.signals:
            raise KeyboardInterrupt(_interrupted(command, done.signals))
        if done.code not in ok:
            raise error_of(command, diagnostics, done.code, done.stderr)
        return done

    def _line(self, line: str, diagnostics: list[Diagnostic], streamed: bool) -> None:
        if not streamed:
            return
        event = Event.parse(line)
        if event.type == "diagnostic":
            diagnostics.append(Diagnostic.parse(event.data["diagnostic"]))
        self._on_event(event)

    @contextlib.contextmanager
    def _gathering(self) -> Iterator[list[Event]]:
        """Keep the events of what runs inside."""
        events: list[Event] = []
        on_event = self._on_event

        def both(event: Event) -> None:
            events.append(event)
            on_event(event)

        self._on_event = both
        try:
            yield events
        finally:
            self._on_event = on_event

    # --- init -------------------------------------------------------------------------------

    def _init_key(self) -> str:
        """What `init` depends on: backend, modules, provider versions, and who runs."""
        digest = hashlib.sha256()
        program = self._executable or find_executable()
        parts = [str(self.root), *program, json.dumps(self._backend, sort_keys=True)]
        parts.append(str(Path(program[0]).stat().st_mtime_ns))
        # With TF_REATTACH_PROVIDERS no provider is installed; its address does not matter.
        parts.append(str("TF_REATTACH_PROVIDERS" in self._environment))
        for part in parts:
            digest.update(part.encode() + b"\0")
        for folder, _, names in sorted(os.walk(self.root)):
            for name in sorted(names):
                if name.endswith(".tf") or name == ".terraform.lock.hcl":
                    path = Path(folder, name)
                    digest.update(str(path).encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()


def _interrupted(command: str, signals: int) -> str:
    if command != "apply":
        return f"terraform {command} was interrupted: nothing was changed"
    if signals == 1:
        return (
            "terraform apply was interrupted: it ended what was under way, saved its state and "
            "released its lock; the same command does the rest"
        )
    return (
        "terraform apply was stopped at once: what was under way may exist without being in its "
        "state; run the same command again"
    )
