"""Runs dbt on this project: `python analytics/run.py --destination postgres build`.

dbt has an environment of its own, made the first time it is asked for: the packages of
requirements.txt, by their hashes, in the cache folder (TAXISTACK_CACHE, else ~/.cache/taxistack).
Where the tables are is read from the environment, by the names that `invoke status --env` prints;
the flow taxi_analytics sets the same. Standard library only: any Python from 3.11 on runs it.

Exit codes: 0 all built and all tests passed, 1 not, 2 wrong use, 3 dbt can't be installed. The last
line on stdout is the outputs in Kestra's protocol; only a failure writes to stderr.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
NEEDED = {
    "bigquery": ("GOOGLE_CLOUD_PROJECT", "TAXI_DATASET"),
    "postgres": ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD"),
}
# Where packages come from: pip's settings, uv's variables for them, and what only pip can do.
UV = {"cert": "SSL_CERT_FILE", "extra-index-url": "UV_INDEX", "index-url": "UV_DEFAULT_INDEX"}
PIP_ALONE = frozenset({"client-cert", "no-index", "proxy", "trusted-host"})
FINE = ("success", "pass", "warn", "no-op")
Environment = Mapping[str, str]


class Stop(Exception):
    """Why it ends, and the exit code."""

    def __init__(self, code: int, message: str) -> None:
        """`message`: one line."""
        super().__init__(message)
        self.code = code


def main() -> int:
    """Run dbt; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python analytics/run.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--destination", required=True, choices=sorted(NEEDED))
    parser.add_argument("command", choices=["build", "compile", "run", "test"])
    parser.add_argument("more", nargs=argparse.REMAINDER, help="flags of dbt, e.g. --select marts")
    options = parser.parse_args()
    try:
        target, environment = place(options.destination, os.environ)
        outputs = run(python(), target, environment, [options.command, *options.more])
    except Stop as stop:
        print(" ".join(str(stop).split()), file=sys.stderr, flush=True)
        return stop.code
    print(f'::{{"outputs":{json.dumps(outputs)}}}::', flush=True)
    return 0


def place(destination: str, given: Environment) -> tuple[str, dict[str, str]]:
    """The target of profiles.yml, and the environment that it reads. Raises Stop.

    What is secret gets a name that dbt keeps out of its logs.
    """
    for name in NEEDED[destination]:
        if not given.get(name):
            raise Stop(2, f'{name} is not set: eval "$(invoke status --env)" sets it')
    environment = dict(given)
    if destination == "postgres":
        environment["DBT_ENV_SECRET_PGPASSWORD"] = environment.pop("PGPASSWORD")
        # Else libpq tells the password to whatever answers at the port and asks for it
        environment["PGREQUIREAUTH"] = "scram-sha-256"
        return destination, environment
    for name in ("BIGQUERY_LOCATION", "BIGQUERY_MAXIMUM_BYTES"):
        if not environment.get(name):
            environment.pop(name, None)
    if not (emulator := environment.pop("BIGQUERY_EMULATOR_HOST", "")):
        return destination, environment
    endpoint, _, key = emulator.rpartition("/")
    environment["BIGQUERY_ENDPOINT"] = endpoint
    environment["DBT_ENV_SECRET_BIGQUERY_TOKEN"] = key
    # A proxy of the user's has no business with what listens here
    listed = [environment.get("no_proxy") or environment.get("NO_PROXY") or "", "127.0.0.1"]
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(filter(None, listed))
    return "bigquery_local", environment


def python() -> Path:
    """The Python of dbt's environment, which is made when it is not there. Raises Stop.

    Its folder is named after the list of packages and this Python: another list, another folder.
    """
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache() / f"dbt-{digest}-python{version}"
    done, interpreter = folder / "complete", folder / "bin" / "python"
    if done.exists():
        return interpreter
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder.parent / "dbt.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a second one waits, and finds it made
            if not done.exists():
                print("installing dbt, once", flush=True)
                _install(folder, interpreter)
                done.touch()
    except OSError as error:
        raise Stop(3, f"dbt can't be installed in {folder}: {error}; TAXISTACK_CACHE names "
                      "another folder") from error  # fmt: skip
    return interpreter


def cache() -> Path:
    """The folder of what is downloaded once."""
    if named := os.environ.get("TAXISTACK_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "taxistack"


def _install(folder: Path, interpreter: Path) -> None:
    # The list is complete. pip (23.2) would resolve it once more, and refuse its own hashes when
    # one package asks for another with an extra.
    listed = ["--quiet", "--no-deps", "--require-hashes", "-r", str(REQUIREMENTS)]
    settings = _uv_settings()
    venv = [sys.executable, "-m", "venv", "--clear", str(folder)]
    if settings is not None:
        venv.insert(-1, "--without-pip")
        uv = [sys.executable, "-m", "uv", "pip", "install", "--python", str(interpreter)]
        steps = [venv, [*uv, *listed]]
    else:
        pip = [str(interpreter), "-m", "pip", "install", "--disable-pip-version-check"]
        steps = [venv, [*pip, *listed]]
    for step in steps:
        done = _run(step, settings)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise Stop(3, f"dbt can't be installed: {' '.join(lines[-3:])}")


def _uv_settings() -> dict[str, str] | None:
    """What uv is told of pip's settings; None where there is no uv, or pip has to do it.

    The kit's own environment has uv, which is many times faster than pip.
    """
    if _run([sys.executable, "-m", "uv", "--version"]).returncode:
        return None
    listed = _run([sys.executable, "-m", "pip", "config", "list"])
    return in_words_of_uv(listed.stdout) if listed.returncode == 0 else {}


def in_words_of_uv(listed: str) -> dict[str, str] | None:
    """`pip config list` as variables for uv, which reads no setting of pip's.

    None when one that says where packages come from has no counterpart: pip then installs.
    """
    settings: dict[str, str] = {}
    for section in ("global", "install", ":env:"):  # the later one wins
        for line in listed.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}.") and value.startswith(("'", '"')):
                settings[name.removeprefix(f"{section}.")] = ast.literal_eval(value)
    if not PIP_ALONE.isdisjoint(settings):
        return None
    return {UV[name]: " ".join(settings[name].split()) for name in UV if name in settings}


def _run(
    command: list[str], settings: Environment | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={**os.environ, **(settings or {})}, capture_output=True, text=True, check=False
    )


def run(
    interpreter: Path, target: str, environment: Environment, arguments: list[str]
) -> dict[str, int]:
    """Run dbt, its lines to stdout; how many nodes ended how. Raises Stop with what failed."""
    with tempfile.TemporaryDirectory(prefix="dbt-") as folder:
        flags = ["--profiles-dir", str(HERE), "--project-dir", str(HERE), "--target", target,
                 "--target-path", folder, "--log-path", folder]  # fmt: skip
        done = subprocess.run(
            [str(interpreter), "-m", "dbt.cli.main", "--no-use-colors", *arguments, *flags],
            env={**environment, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            stderr=subprocess.STDOUT,
            check=False,
        )
        results = Path(folder) / "run_results.json"
        nodes = json.loads(results.read_text())["results"] if results.exists() else []
    failed = [node for node in nodes if node["status"] not in (*FINE, "skipped")]
    if failed:
        reasons = [f"{_name(node)}: {node['message'] or node['status']}" for node in failed]
        raise Stop(1, f"dbt {arguments[0]} on {target}: {'; '.join(reasons)}")
    if done.returncode:
        raise Stop(1, f"dbt {arguments[0]} on {target} ended with {done.returncode}: see its lines")
    kinds = Counter(node["unique_id"].split(".")[0] for node in nodes)
    return {"models": kinds["model"], "tests": kinds["test"]}


def _name(node: Mapping[str, str]) -> str:
    return node["unique_id"].split(".")[2]


if __name__ == "__main__":
    sys.exit(main())
