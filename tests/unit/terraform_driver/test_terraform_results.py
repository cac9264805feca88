"""`-json` lines as plans and results."""

from __future__ import annotations

import json
from typing import Any

from taxistack.terraform.results import Event, apply_of, plan_of

NETWORK = {"addr": "google_compute_network.n", "resource_type": "google_compute_network"}


def event(kind: str, **data: Any) -> Event:
    return Event.parse(json.dumps({"type": kind, "@message": kind, **data}))


def test_a_line_that_is_no_json_is_text() -> None:
    for line in ("Terraform has been initialized", "[1]", "12", ""):
        assert Event.parse(line) == Event("text", line)


def test_fields_that_nobody_knows_are_ignored() -> None:
    assert event("from_the_future", anything={"x": 1}).address == ""


def test_a_plan_lists_changes_drift_and_outputs() -> None:
    change = {"resource": NETWORK, "action": "replace", "reason": "cannot_update"}
    plan = plan_of(
        [
            event("resource_drift", change={"resource": NETWORK, "action": "update"}),
            event("planned_change", change=change),
            event("outputs", outputs={"a": {"action": "create"}, "b": {"action": "noop"}}),
        ],
        None,
        changed=True,
        destroy=False,
    )
    assert [(c.address, c.action, c.reason) for c in plan.changes] == [
        ("google_compute_network.n", "replace", "cannot_update")
    ]
    assert [c.action for c in plan.drift] == ["update"]
    assert plan.outputs == ("a",)
    assert plan.counts == {"replace": 1}
    assert plan.describe() == "1 to replace"
    assert json.loads(json.dumps(plan.as_json()))["changes"][0]["reason"] == "cannot_update"


def test_a_plan_of_outputs_only_is_not_called_empty() -> None:
    outputs = event("outputs", outputs={"a": {"action": "create"}})
    assert plan_of([outputs], None, True, False).describe() == "outputs a change"
    assert plan_of([], None, False, False).describe() == "no changes"


def test_the_seconds_of_a_resource_are_those_between_its_start_and_its_end() -> None:
    hook = {"resource": NETWORK, "action": "create"}
    done = {**hook, "id_value": "n", "elapsed_seconds": 3}
    result = apply_of(
        [
            event("apply_start", hook=hook, **{"@timestamp": "2026-11-22T16:00:00.250000Z"}),
            event("apply_complete", hook=done, **{"@timestamp": "2026-11-22T16:00:02.750000Z"}),
            event("outputs", outputs={"a": {"value": 1}, "hidden": {"sensitive": True}}),
        ]
    )
    assert result.seconds == {"google_compute_network.n": 2.5}
    assert result.resources[0].id == "n"
    assert result.outputs == {"a": 1}
