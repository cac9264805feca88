"""What Google Cloud needs: of this machine, of whoever runs it, and of the project.

A check is made when those that it stands on are ok; else it says which one is not. Nothing here
ends the command, and without a network the first call says so for all of them, within seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxistack.doctor import access, gcloud, project, stack
from taxistack.doctor.check import Check, Found
from taxistack.doctor.surroundings import Surroundings
from taxistack.errors import TaxistackError
from taxistack.google import explain

if TYPE_CHECKING:
    from taxistack.targets.gcp import GcpTarget

BECAUSE = "because of: "
Look = Callable[[Surroundings], Check]


@dataclass(frozen=True)
class Step:
    """One check, and the names of those that it stands on."""

    name: str
    look: Look
    after: tuple[str, ...] = ()


STEPS = (
    Step("project setting", project.setting),
    Step("gcloud", gcloud.present),
    Step("gcloud login", gcloud.logged_in, ("gcloud",)),
    Step("network", access.network),
    Step("clock", access.clock, ("network",)),
    Step("credentials", access.credentials, ("network",)),
    Step("quota project", access.quota_project, ("credentials",)),
    Step("project", project.exists, ("project setting", "credentials")),
    Step("APIs", project.apis, ("project",)),
    Step("billing", project.billing, ("project",)),
    Step("roles", project.roles, ("project",)),
    Step("state bucket", project.state_bucket, ("project",)),
    Step("location", stack.location),
    Step("data", stack.data, ("location", "project")),
    Step("server", stack.server, ("project",)),
)


def checks(target: GcpTarget) -> Iterator[Check]:
    """Every check of target gcp, in the order in which one stands on another."""
    surroundings = Surroundings(target)
    done: dict[str, Check] = {}
    passed: set[str] = set()  # over, because of others
    for step in STEPS:
        done[step.name] = _check(step, surroundings, done, passed)
        yield done[step.name]


def _check(
    step: Step, surroundings: Surroundings, done: dict[str, Check], passed: set[str]
) -> Check:
    if lacking := [name for name in step.after if not done[name].ok]:
        # One that could not be made itself has the reason in it already.
        reasons = [
            done[name].found.removeprefix(BECAUSE) if name in passed else name for name in lacking
        ]
        passed.add(step.name)
        return Check(step.name, Found.UNKNOWN, BECAUSE + ", ".join(dict.fromkeys(reasons)))
    try:
        return step.look(surroundings)
    except TaxistackError as error:
        return Check(step.name, Found.UNKNOWN, error.message, "an answer", error.hint or "")
    except Exception as error:  # the table must be complete, whatever one check runs into
        explained = explain(error, step.name)
        if explained is not None:
            return Check(
                step.name, Found.UNKNOWN, explained.message, "an answer", explained.hint or ""
            )
        said = f"unexpected {type(error).__name__}: {error}"
        return Check(step.name, Found.UNKNOWN, said, "an answer", "please report it")
