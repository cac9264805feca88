"""PostgreSQL as one file: pg_dump writes it, pg_restore and psql put it back in one transaction.

Facts: a dump is of one moment whatever runs meanwhile, and is read by the same or a newer major
release (PostgreSQL's documentation of pg_dump and pg_restore). The password goes by the
environment of the program, never by its arguments.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from taxistack import libpq
from taxistack.errors import FailedError, MissingError

# Whatever the database holds goes, also what was made after the dump, and comes as it was.
_EMPTY = b"""SET lock_timeout = '60s';
DO $$ DECLARE one name; BEGIN
  FOR one IN SELECT nspname FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', one);
  END LOOP;
END $$;
CREATE SCHEMA public;
"""
_PSQL = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", "--file=-")


def dump(
    address: Mapping[str, Any], password: str, file: Path, programs: Path | None = None
) -> None:
    """Write the database into `file` (pg_dump's custom format).

    `address`: host, port, dbname and user. `programs`: the folder of PostgreSQL's programs; None:
    beside Python, else the machine's. Raises MissingError when pg_dump is not there, FailedError
    when it fails: it must be of the server's major release or a newer one.
    """
    command = [
        program("pg_dump", programs),
        "--format=custom",
        "--compress=gzip:1",
        "--no-owner",
        "--no-privileges",
        f"--file={file}",
    ]
    done = subprocess.run(
        command,
        env=_environment(address, password),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        file.unlink(missing_ok=True)
        raise FailedError(f"pg_dump: {_last(done.stderr)}")
    file.chmod(0o600)


def check(file: Path, programs: Path | None = None) -> None:
    """Read all of what `dump` wrote, and change nothing.

    Raises MissingError as `dump`, FailedError for a file that is not such a one, or not whole.
    """
    done = subprocess.run(
        [program("pg_restore", programs), f"--file={os.devnull}", str(file)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise FailedError(f"{file} can't be put back: {_last(done.stderr)}")


def restore(
    address: Mapping[str, Any], password: str, file: Path, programs: Path | None = None
) -> None:
    """Make the database what it was when `dump` wrote `file`; all of it or nothing.

    Raises MissingError as `dump`, FailedError when PostgreSQL refuses: it is as before then.
    """
    reading = subprocess.Popen(
        [program("pg_restore", programs), "--no-owner", "--no-privileges", "--file=-", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    writing = subprocess.Popen(
        [program("psql", programs), *_PSQL],
        env=_environment(address, password),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _pump(reading.stdout, writing.stdin)
        said = reading.stderr.read().decode(errors="replace") if reading.stderr else ""
        if reading.wait() != 0:
            raise FailedError(f"pg_restore: {_last(said)}; PostgreSQL is as before")
        _, stderr = writing.communicate()
        if writing.returncode != 0:
            raise FailedError(f"psql: {_last(stderr.decode(errors='replace'))}; it is as before")
    finally:
        for process in (reading, writing):  # an end that nobody asked for commits nothing
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None and not stream.closed:
                    stream.close()


def _pump(source: IO[bytes] | None, sink: IO[bytes] | None) -> None:
    assert source is not None  # noqa: S101 (pipes were asked for)
    assert sink is not None  # noqa: S101
    try:
        sink.write(_EMPTY)
        shutil.copyfileobj(source, sink)
        sink.flush()
    except BrokenPipeError:  # psql has ended: what it said is told
        source.read()


def program(name: str, programs: Path | None) -> str:
    """The path of one of PostgreSQL's programs: of `programs`, beside Python, or the machine's."""
    beside = programs or Path(sys.executable).parent
    path = shutil.which(name, path=os.pathsep.join([str(beside), os.environ.get("PATH", "")]))
    if path is None:
        raise MissingError(
            f"{name} is not on this machine",
            hint="scripts/bootstrap puts it beside Python; or install PostgreSQL 18's client",
        )
    return path


def _environment(address: Mapping[str, Any], password: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {
        **kept,
        **libpq.environment(address, password),
        "PGCONNECT_TIMEOUT": "10",
    }


def _last(text: str) -> str:
    """The first line that tells of an error."""
    lines = [line for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "rror" in line), lines[-1] if lines else "no word")
