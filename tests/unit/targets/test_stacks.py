"""Whose a thing of a project is, and when a stack was last alive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from taxistack.inventory import Leftover
from taxistack.removal import bears_labels
from taxistack.stacks import Stack

LABELS = {"stack": "web", "environment": "ci", "run": "3"}
NAMES = [
    ("instance", "web-kestra"),
    ("disk", "web-data"),
    ("snapshot", "web-data-us-central1-b-1"),
    ("snapshot", "web-data-20261127-031500"),
    ("secret", "web-alarm-webhook"),
    ("secret", "web-kestra-password"),
    ("alert policy", "web-heartbeat"),
    ("notification channel", "web-alarms"),
    ("bucket", "p-web-lake"),
    ("dataset", "web_trips"),
]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_a_thing_is_a_stacks_by_its_name_and_all_three_labels(kind: str, name: str) -> None:
    assert bears_labels(kind, name, LABELS, "p") == "web"
    assert bears_labels(kind, f"x{name}", LABELS, "p") is None
    for label in LABELS:
        fewer = {key: value for key, value in LABELS.items() if key != label}
        assert bears_labels(kind, name, fewer, "p") is None, label


def snapshot(made: str) -> Leftover:
    return Leftover("snapshot", "ci-1-data-1", made=made)


def test_a_snapshot_is_no_sign_of_life_beside_something_else() -> None:
    disk = datetime(2026, 1, 1, tzinfo=UTC)
    stack = Stack("ci-1", things=[snapshot("2026-01-05T00:00:00Z")], changed=[disk])
    assert stack.last_change == disk


def test_snapshots_alone_are_as_old_as_the_youngest_of_them() -> None:
    things = [snapshot("2026-01-05T00:00:00Z"), snapshot("2026-01-04T00:00:00Z")]
    assert Stack("ci-1", things=things).last_change == datetime(2026, 1, 5, tzinfo=UTC)


def test_what_does_not_tell_its_age_is_not_old() -> None:
    age = datetime.now(UTC) - Stack("ci-1", things=[snapshot("")]).last_change
    assert age < timedelta(minutes=1)
