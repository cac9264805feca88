"""The VM that Kestra runs on: what its boot reports, what it was to read, and a fresh boot.

The report stands in the guest attribute taxistack/boot and is infra/kestra/boot.sh's: the name of
a step, and at the end `healthy HASH`, `degraded HASH: …` (an older image runs) or `failed: STEP`.
HASH is over the metadata that this boot has read: SHA-256 of `name NUL value NUL`, in the order of
the names. A changed setting changes the metadata at once and the server only with the next boot,
so an old hash means an old server.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from taxistack.errors import FailedError
from taxistack.google.apis import GoogleApis
from taxistack.google.endpoints import Api
from taxistack.google.errors import BusyError, NoNetworkError, NotFoundError

# What boot.sh reads. The other metadata is Google's own guest agent's.
BOOT_INPUTS = (
    "etl-requirements",
    "kestra-bucket",
    "kestra-build-requirements",
    "kestra-compose",
    "kestra-dockerfile",
    "kestra-entrypoint",
    "kestra-port",
    "kestra-requirements",
    "kestra-secrets",
    "kestra-user",
    "kestra-version",
    "secret-version",
    "startup-script",
)
ENDS = ("healthy", "degraded", "failed")
PAUSE = 5.0  # seconds between two looks
_STOPPING = 300.0  # seconds that a machine may take to shut down
_JUST_STARTED = 180.0  # seconds in which the report may still be that of the boot before

Say = Callable[[str], None]


def inputs_hash(metadata: Mapping[str, str]) -> str:
    """The hash that a boot with this metadata reports."""
    text = "".join(f"{name}\0{metadata.get(name, '')}\0" for name in BOOT_INPUTS)
    return hashlib.sha256(text.encode()).hexdigest()


class Vm:
    """One virtual machine of Compute Engine's; nothing is contacted before the first call."""

    def __init__(self, google: GoogleApis, project: str, zone: str, name: str) -> None:
        """`name`: of the instance."""
        self.name = name
        self._google = google
        self._zone, self._project = zone, project
        self._path = f"projects/{project}/zones/{zone}/instances/{name}"

    def report(self) -> str:
        """What boot.sh wrote last; empty before it has written, and when Google can't tell now.

        Raises ForbiddenError and its kin.
        """
        try:
            answer = self._google.get(
                Api.COMPUTE,
                f"{self._path}/getGuestAttributes",
                doing=f"looking at the boot of {self.name}",
                queryPath="taxistack/boot",
            )
        except (NotFoundError, BusyError, NoNetworkError):  # the next look may get through
            return ""
        return str(answer["queryValue"]["items"][0]["value"]).strip()

    def wanted(self) -> str:
        """The hash of the metadata as it is now."""
        items = self._instance().get("metadata", {}).get("items", [])
        return inputs_hash({item["key"]: item.get("value", "") for item in items})

    def restart(self) -> None:
        """Shut it down in good order and start it: its boot script runs anew.

        Kestra and PostgreSQL end as they do at every shutdown; a `reset` would cut the power.
        Raises FailedError when the machine does not go down.
        """
        doing = f"restarting {self.name}"
        self._google.call("POST", Api.COMPUTE, f"{self._path}/stop", doing=doing)
        give_up = time.monotonic() + _STOPPING
        while self._instance().get("status") != "TERMINATED":
            if time.monotonic() > give_up:
                raise FailedError(
                    f"{self.name} does not shut down", hint="invoke up starts it again later"
                )
            time.sleep(PAUSE)
        self._google.call("POST", Api.COMPUTE, f"{self._path}/start", doing=doing)

    def wait_until_healthy(self, seconds: float, say: Say) -> None:
        """Wait for a boot with the metadata of now; start the boot again where it is an old one.

        Raises FailedError when the boot fails, or is not done after `seconds`.
        """
        wanted, give_up = f"healthy {self.wanted()}", time.monotonic() + seconds
        old, restarted, began = "", False, False
        while (report := self.report()) != wanted:
            if report and report != old:
                ended = report.startswith(ENDS)
                if not ended:
                    began = True
                elif restarted or (began and not report.startswith("healthy")):
                    raise FailedError(_ended_wrong(self.name, report), hint=self.by_hand)
                elif not self._just_started():
                    say(_why_again(self.name, report))
                    self.restart()
                    old, restarted = report, True
            if time.monotonic() > give_up:
                at = report if report and report != old else "its beginning"
                raise FailedError(
                    f"{self.name} is still at {at} after {seconds:.0f} s", hint=self.by_hand
                )
            time.sleep(PAUSE)

    def _instance(self) -> dict[str, Any]:
        return self._google.get(Api.COMPUTE, self._path, doing=f"looking at {self.name}")

    def _just_started(self) -> bool:
        """Whether the report may be that of an earlier boot: Terraform has just started it."""
        text = self._instance().get("lastStartTimestamp", "")
        if not text:
            return False
        age = (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()
        return 0 <= age < _JUST_STARTED

    @property
    def by_hand(self) -> str:
        """The command that shows the log of its boot."""
        return (
            f"gcloud compute ssh {self.name} --tunnel-through-iap --zone {self._zone} --project "
            f"{self._project} -- sudo journalctl --unit google-startup-scripts"
        )


def _why_again(name: str, report: str) -> str:
    if report.startswith("healthy"):
        return f"{name} runs with older settings; starting it again, which takes some minutes"
    return f"the last boot of {name}: {_words(report)}; starting it again"


def _ended_wrong(name: str, report: str) -> str:
    if report.startswith("healthy"):
        return f"{name} was started again, and its boot read other settings than it has now"
    return f"the boot of {name}: {_words(report)}"


def _words(report: str) -> str:
    """`failed: STEP` as it is; of `degraded HASH: WHY` the reason, and what runs."""
    if report.startswith("degraded"):
        return f"{report.partition(': ')[2] or 'degraded'}, an older server runs"
    return report
