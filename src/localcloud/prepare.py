"""`python -m localcloud.prepare [--engine]`: second half of scripts/bootstrap.

Fetches the engine's archives, compiles our Java and, without --engine, puts PostgreSQL's programs
beside Python. What is done already is not done again. With --engine it runs on the packages that
scripts/prepare_environment.py installs first.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from localcloud import jars, kestra, postgres
from localcloud.errors import CloudError
from localcloud.layout import default_cache

_LOCKS = ("engine.lock", "build.lock")


def prepare(cache: Path, say: jars.Say) -> None:
    """Make `cache` hold what the engine needs. Raises CloudError."""
    begun = time.monotonic()
    here = Path(kestra.__file__).parent
    fetched = sum(jars.fetch(here / lock, cache / "jars", say) for lock in _LOCKS)
    if fetched or not kestra.built(cache):
        kestra.build(cache, say)
        say(f"engine: ready in {time.monotonic() - begun:.0f} s")


def link_programs(folder: Path) -> None:
    """Put the wheel's psql, pg_dump and pg_restore into `folder`, which is on PATH with Python.

    A machine may have none, or those of an older release. Raises MissingError when the wheel is
    not installed.
    """
    for name in ("psql", "pg_dump", "pg_restore"):
        link, program = folder / name, postgres.programs() / name
        if not link.exists() or link.resolve() != program.resolve():
            link.unlink(missing_ok=True)
            link.symlink_to(program)


def main(arguments: list[str]) -> int:
    """Prepare the cache of this user and the programs of this environment."""

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended too
        prepare(default_cache(), say)
        if arguments == ["--engine"]:
            return 0
        link_programs(Path(sys.executable).parent)
    except CloudError as error:
        say(f"bootstrap: {error.message}" + (f"\n{error.hint}" if error.hint else ""))
        return 3
    except OSError as error:
        place = error.filename or default_cache()
        say(
            f"bootstrap: can't use {place}: {error.strerror or error}; "
            "TAXISTACK_CACHE names another folder"
        )
        return 3
    except KeyboardInterrupt:
        say("bootstrap: interrupted; run it again to go on")
        return 130
    say("ready")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
