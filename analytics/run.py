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
    done, found = folder / "complete", folder / "bin" / "python"
    if done.exists():
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder.parent / "dbt.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a second one waits, and finds it made
            if not done.exists():
                print("installing dbt, once", flush=True)
                _install(folder, found)
                done.touch()
    except OSError as error:
        raise Stop(3, f"dbt can't be installed in {folder}: {error}; TAXISTACK_CACHE names "
                      "another folder") from error  # fmt: skip
    return found


def cache() -> Path:
    """The folder of what is downloaded once."""
    if named := os.environ.get("TAXISTACK_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "taxistack"


def _install(folder: Path, found: Path) -> None:
    base = ["--require-hashes", "-r", str(REQUIREMENTS)]
    steps = [[sys.executable, "-m", "venv", "--clear", str(folder)]]
    if subprocess.run([sys.executable, "-m", "uv", "--version"], capture_output=True,
                      check=False).returncode == 0:  # fmt: skip
        steps[0].insert(-1, "--without-pip")  # the kit's own environment has uv: four times faster
        steps.append(
            [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(found), *base]
        )
    else:
        steps.append(
            [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *base]
        )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise Stop(3, f"dbt can't be installed: {' '.join(lines[-3:])}")


def run(found: Path, target: str, environment: Environment, arguments: list[str]) -> dict[str, int]:
    """Run dbt, its lines to stdout; how many nodes ended how. Raises Stop with what failed."""
    with tempfile.TemporaryDirectory(prefix="dbt-") as folder:
        flags = ["--profiles-dir", str(HERE), "--project-dir", str(HERE), "--target", target,
                 "--target-path", folder, "--log-path", folder]  # fmt: skip
        done = subprocess.run(
            [str(found), "-m", "dbt.cli.main", "--no-use-colors", *arguments, *flags],
            env={**environment, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            stderr=subprocess.STDOUT,
            check=False,
        )
        results = Path(folder) / "run_results.json"
        nodes = json.loads(results.read_text())["results"] if results.exists() else []
    failed = [one for one in nodes if one["status"] not in (*FINE, "skipped")]
    if failed:
        told = [f"{_name(one)}: {one['message'] or one['status']}" for one in failed]
        raise Stop(1, f"dbt {arguments[0]} on {target}: {'; '.join(told)}")
    if done.returncode:
        raise Stop(1, f"dbt {arguments[0]} on {target} ended with {done.returncode}: see its lines")
    kinds = Counter(one["unique_id"].split(".")[0] for one in nodes)
    return {"models": kinds["model"], "tests": kinds["test"]}


def _name(node: Mapping[str, str]) -> str:
    return node["unique_id"].split(".")[2]


if __name__ == "__main__":
    sys.exit(main())
