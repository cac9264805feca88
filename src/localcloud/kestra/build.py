"""Makes the engine runnable: compile the face, put it into a jar, write class-data archives.

The Eclipse compiler does it on the wheel's own runtime, so no JDK is needed. The archives hold
the parsed classes of the runtime and of the engine; with them the engine boots in half the time.
They come from a training run: the engine starts, does a little of everything, and ends. From its
start comes the database that new engines begin with: with all migrations done, and nothing in it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.errors import MissingError, PartError
from localcloud.kestra import family, runtime, training
from localcloud.kestra.runtime import Build

Say = Callable[[str], None]

_STEP_SECONDS = 300  # a step that takes longer hangs
_BUILD_SECONDS = 86400  # one that began longer ago was killed
KEPT_SECONDS = 30 * 86400
_LOG_LINES = 25


def built(cache: Path) -> bool:
    """Whether the engine is ready to run, as its sources, lock and Java runtime are now."""
    try:
        return Build(cache).whole
    except MissingError:  # no Java runtime: what was prepared is for Google Cloud only
        return False


def require_built(cache: Path) -> None:
    """Raises MissingError when the engine is not ready to run, or not what it was built as."""
    target = Build(cache)
    if target.hashes is None:
        raise MissingError(
            f"the Kestra engine is not built in {cache}", hint="Run scripts/bootstrap."
        )
    if changed := target.changed():
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise MissingError(
            "the Kestra engine is not what was fetched and built; other bytes, or none, are in "
            f"{', '.join(map(str, changed[:3]))}{more}",
            hint="Run scripts/bootstrap: it brings what the locks name, and builds the rest anew.",
        )


def build(cache: Path, say: Say) -> None:
    """Build the engine unless that is done; the jars of both locks must be in `cache`.

    `say` gets a line for each step. Safe to interrupt and to run twice at once. Raises
    MissingError when a jar is not there, PartError when a step fails.
    """
    target = Build(cache)
    if target.whole:
        return
    _require_jars(target.cache)
    with _only_one(target, say):
        if target.whole:
            return
        begin = time.monotonic()
        _sweep(target)
        target.folder.mkdir()
        _compile(target, say)
        _archive_runtime(target, say)
        _archive_engine(target, say)
        target.seal()
        say(f"engine built in {time.monotonic() - begin:.1f} s")


def _sweep(target: Build) -> None:
    """Remove what interrupted builds left, and builds that nothing was started from for long."""
    shutil.rmtree(target.folder, ignore_errors=True)
    for folder in target.folder.parent.iterdir():
        marker = folder / target.marker.name
        if not folder.is_dir():
            continue
        kept, last = (KEPT_SECONDS, marker) if marker.exists() else (_BUILD_SECONDS, folder)
        if last.stat().st_mtime < time.time() - kept:
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_suffix(".lock").unlink(missing_ok=True)


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
def _only_one(target: Build, say: Say) -> Iterator[None]:
    """One at a time makes this build; another one, of other sources, is nobody's business."""
    target.folder.parent.mkdir(parents=True, exist_ok=True)
    with target.folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another bootstrap builds the engine: waiting for it")
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
        template = Path(folder) / "template.zip"
        training.run(command, Path(folder), template)
        with zipfile.ZipFile(template) as archive:
            archive.extract(target.database.name, target.folder)
    if not target.archive.is_file():
        raise PartError("kestra", "the training run ended without an archive of its classes")


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
            preexec_fn=family.dying_with_parent(signal.SIGKILL),
        )
    except subprocess.TimeoutExpired as error:
        raise PartError("kestra", f"{name} did not end in {_STEP_SECONDS} s") from error
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-_LOG_LINES:])
        raise PartError("kestra", f"{name} failed with exit code {done.returncode}", log=tail)
