"""Makes the engine runnable: compile the face, put it into a jar, write class-data archives.

The Eclipse compiler does it on the wheel's own runtime, so no JDK is needed. The archives hold
the parsed classes of the runtime and of the engine; with them the engine boots in half the time.
They come from a training run: the engine starts, does a little of everything, and ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.errors import MissingError, PartError
from localcloud.kestra import runtime, training
from localcloud.kestra.runtime import Build

Say = Callable[[str], None]

_STEP_SECONDS = 300  # a step that takes longer hangs
_LOG_LINES = 25


def built(cache: Path) -> bool:
    """Whether the engine is ready to run, as its sources, lock and Java runtime are now."""
    try:
        return Build(cache).complete
    except MissingError:  # no Java runtime: what was prepared is for Google Cloud only
        return False


def require_built(cache: Path) -> None:
    """Raises MissingError when the engine is not ready to run."""
    if not built(cache):
        raise MissingError(
            f"the Kestra engine is not built in {cache}", hint="Run scripts/bootstrap."
        )


def build(cache: Path, say: Say) -> None:
    """Build the engine unless that is done; the jars of both locks must be in `cache`.

    `say` gets a line for each step. Safe to interrupt and to run twice at once. Raises
    MissingError when a jar is not there, PartError when a step fails.
    """
    target = Build(cache)
    if target.complete:
        return
    _require_jars(target.cache)
    with _only_one(target.cache):
        if target.complete:
            return
        begin = time.monotonic()
        shutil.rmtree(target.folder, ignore_errors=True)  # what an interrupted build left
        target.folder.mkdir(parents=True)
        _compile(target, say)
        target.arguments.write_text(_arguments(target), encoding="utf-8")
        _archive_runtime(target, say)
        _archive_engine(target, say)
        target.marker.touch()
        say(f"engine built in {time.monotonic() - begin:.1f} s")


def _require_jars(cache: Path) -> None:
    wanted = [
        jar
        for lock in (runtime.ENGINE_LOCK, runtime.BUILD_LOCK)
        for jar in runtime.jars(lock, cache)
    ]
    missing = [jar.name for jar in wanted if not jar.is_file()]
    if missing:
        raise MissingError(
            f"{len(missing)} of the engine's {len(wanted)} jars are not in {cache / 'jars'}: "
            f"{', '.join(missing[:3])}{'…' if len(missing) > 3 else ''}",
            hint="Run scripts/bootstrap; it fetches what is missing.",
        )


@contextmanager
def _only_one(cache: Path) -> Iterator[None]:
    folder = cache / "engine"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _compile(target: Build, say: Say) -> None:
    say("compiling the engine's REST face")
    with tempfile.TemporaryDirectory(dir=target.folder) as classes:
        (compiler,) = runtime.jars(runtime.BUILD_LOCK, target.cache)
        class_path = ":".join(str(jar) for jar in runtime.jars(runtime.ENGINE_LOCK, target.cache))
        _step(
            "the compiler",
            [
                *(str(runtime.java()), "-XX:+UseSerialGC", "-XX:-UsePerfData"),
                *("-jar", str(compiler)),
                *("-25", "-parameters", "-proc:none", "-cp", class_path),
                *("-d", classes, str(runtime.SOURCES)),
            ],
        )
        with zipfile.ZipFile(target.face, "w") as jar:
            _pack(jar, Path(classes), "*.class")
            _pack(jar, runtime.SOURCES, "META-INF/**/*")
            _pack(jar, runtime.SOURCES, "logback.xml")


def _pack(jar: zipfile.ZipFile, folder: Path, pattern: str) -> None:
    for path in sorted(folder.rglob(pattern)):
        if path.is_file():
            jar.write(path, path.relative_to(folder))


def _arguments(target: Build) -> str:
    """The JVM's options as a file: the class-path is too long for a process list."""
    return "\n".join([*runtime.JVM_FLAGS, "-cp", f'"{target.class_path()}"']) + "\n"


def _archive_runtime(target: Build, say: Say) -> None:
    say("archiving the classes of the Java runtime")
    _step(
        "the archive of the Java runtime",
        [
            str(runtime.java()),
            *runtime.JVM_FLAGS,
            "-Xshare:dump",
            f"-XX:SharedArchiveFile={target.base_archive}",
        ],
    )


def _archive_engine(target: Build, say: Say) -> None:
    say("training run of the engine, to archive its classes")
    with tempfile.TemporaryDirectory(dir=target.folder) as folder:
        command = target.command(
            Path(folder),
            f"-XX:SharedArchiveFile={target.base_archive}",
            f"-XX:ArchiveClassesAtExit={target.archive}",
            "-Xlog:cds=off,cds+dynamic=off",
        )
        training.run(command, Path(folder))
    if not target.archive.is_file():
        raise PartError("kestra", "the training run ended without an archive of its classes")
    with target.arguments.open("a", encoding="utf-8") as arguments:
        arguments.write(f"-XX:SharedArchiveFile={target.base_archive}:{target.archive}\n")


def _step(name: str, command: list[str]) -> None:
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_STEP_SECONDS,
            check=False,
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired as error:
        raise PartError("kestra", f"{name} did not end in {_STEP_SECONDS} s") from error
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-_LOG_LINES:])
        raise PartError("kestra", f"{name} failed with exit code {done.returncode}", log=tail)
