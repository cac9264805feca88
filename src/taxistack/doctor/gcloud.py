"""gcloud, which the tunnels to the VM need; it has a login of its own."""

from __future__ import annotations

import shutil
import subprocess

from taxistack.doctor.check import Check, Found
from taxistack.doctor.surroundings import Surroundings

SECONDS = 20.0  # gcloud starts in one to three


def present(here: Surroundings) -> Check:
    """On PATH."""
    program = shutil.which("gcloud")
    return Check.of(
        "gcloud",
        program is not None,
        program or "not on PATH",
        "gcloud, for the tunnels to the VM",
        "https://cloud.google.com/sdk/docs/install",
    )


def logged_in(here: Surroundings) -> Check:
    """Application Default Credentials do not log gcloud itself in."""
    argv = ["gcloud", "auth", "list", "--filter=status:ACTIVE", "--format=value(account)"]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        said = f"gcloud can't be run: {error}"
        return Check("gcloud login", Found.UNKNOWN, said, "an answer", "gcloud auth list")
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        said = lines[-1] if lines else f"exit code {done.returncode}"
        return Check("gcloud login", Found.UNKNOWN, said, "an answer", "gcloud auth list")
    account = done.stdout.strip()
    return Check.of(
        "gcloud login", bool(account), account or "nobody", "an account", "gcloud auth login"
    )
