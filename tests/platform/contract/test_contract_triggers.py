"""Schedules: shown, switched, and made to run what they missed."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import pytest

from taxistack.kestra import Conflict, Execution, NotFound

from .conftest import NAMESPACE, eventually


class TestTriggers:
    def trigger(self, client):
        found = client.triggers.search(namespace=NAMESPACE, flow_id="ticking")
        return found[0] if found else None

    def test_a_trigger_shows_up_and_is_switched_off_and_on(self, client):
        one = eventually(lambda: self.trigger(client))
        assert (one.flow_id, one.trigger_id, one.disabled) == ("ticking", "monthly", False)
        for disabled in (True, False):
            client.triggers.set_disabled(NAMESPACE, "ticking", "monthly", disabled)
            eventually(lambda: self.trigger(client).disabled is disabled)  # noqa: B023 at once
        assert [one.trigger_id for one in client.triggers.search(namespace=NAMESPACE)] == [
            "monthly"
        ]
        with pytest.raises(NotFound):
            client.triggers.set_disabled(NAMESPACE, "ticking", "nothing", True)

    def test_a_backfill_runs_every_tick_with_its_labels_and_inputs(self, client):
        mark = secrets.token_hex(4)
        client.triggers.backfill(
            NAMESPACE,
            "ticking",
            "monthly",
            datetime(2019, 1, 1, tzinfo=UTC),
            datetime(2019, 3, 1, 9, tzinfo=UTC),
            inputs={"text": "from the backfill"},
            labels={"mark": mark},
        )

        def ended() -> list[Execution]:
            hits = [*client.executions.search(flow_id="ticking", labels={"mark": mark})]
            return hits if len(hits) == 3 and all(one.terminated for one in hits) else []

        hits = eventually(ended)
        assert {one.trigger_date for one in hits} == {
            datetime(2019, month, 1, 9, tzinfo=UTC) for month in (1, 2, 3)
        }
        assert {(one.state, one.inputs["text"]) for one in hits} == {
            ("SUCCESS", "from the backfill")
        }
        eventually(lambda: self.trigger(client).backfill is None)

    def test_a_backfill_is_held_refuses_a_second_one_and_is_given_up(self, client):
        ids = (NAMESPACE, "ticking", "monthly")
        span = (datetime(1990, 1, 1, tzinfo=UTC), datetime(2019, 1, 1, tzinfo=UTC))
        client.triggers.backfill(*ids, *span)
        eventually(lambda: self.trigger(client).backfill)
        client.triggers.pause_backfill(*ids)
        eventually(lambda: self.trigger(client).backfill["paused"])
        with pytest.raises(Conflict):
            client.triggers.backfill(*ids, *span)
        client.triggers.unpause_backfill(*ids)
        eventually(lambda: not self.trigger(client).backfill["paused"])
        client.triggers.delete_backfill(*ids)
        eventually(lambda: self.trigger(client).backfill is None)
        client.triggers.pause_backfill(*ids)
        client.triggers.delete_backfill(*ids)
