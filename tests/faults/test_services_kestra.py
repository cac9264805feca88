"""A Kestra that fails for a moment, or for good, between a command and its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.faults.proxy import HttpProxy, Spoiler

from taxi_etl.month import Month
from taxistack.backfill.executions import Executions
from taxistack.backfill.state import Cell
from taxistack.kestra import KestraClient
from taxistack.kestra.http import READ_ATTEMPTS
from taxistack.kestra.problems import Broken, KestraError

FAMILY = "Services that fail"
MONTH = Month(2007, 3)


@pytest.fixture(scope="module")
def proxy(platform) -> Iterator[HttpProxy]:
    made = HttpProxy(platform.target.kestra().url)
    yield made
    made.close()


@pytest.fixture
def client(platform, proxy) -> Iterator[KestraClient]:
    user, password = platform.target.settings.kestra_user, platform.target.kestra_password()
    proxy.spoil()
    with KestraClient(proxy.url, user, password, retry_wait=0.01) as made:
        made.version()
        yield made


PASSING = {
    "answers 500": Spoiler(status=500, times=2),
    "answers 503": Spoiler(status=503, times=2),
    "answers 429": Spoiler(status=429, times=2),
    "resets the connection": Spoiler(refuse=True, times=2),
    "resets in the middle of its answer": Spoiler(cut=True, times=2),
}


@pytest.mark.parametrize("name", list(PASSING))
def test_a_read_is_asked_again(client, proxy, fault, name):
    with fault(FAMILY, name, "Kestra, reads") as clock:
        proxy.spoil(replace(PASSING[name], asked="^GET"))
        assert client.kv.get("taxi", "bucket")
        clock.recovered()
        assert len(proxy.spoilt) == 2


def test_a_failure_that_stays_is_told_after_some_tries(client, proxy, fault):
    with fault(FAMILY, "answers 500 for good", "Kestra, reads") as clock:
        proxy.spoil(Spoiler(asked="^GET", status=500, times=9))
        with pytest.raises(Broken):
            client.kv.get("taxi", "bucket")
        clock.recovered()
        assert len(proxy.spoilt) == READ_ATTEMPTS


@pytest.mark.parametrize("status", [400, 403, 409])
def test_a_refusal_is_told_at_once(client, proxy, fault, status):
    with fault(FAMILY, f"answers {status}", "Kestra, reads") as clock:
        proxy.spoil(Spoiler(asked="^GET", status=status, times=9))
        with pytest.raises(KestraError):
            client.kv.get("taxi", "bucket")
        clock.recovered()
        assert len(proxy.spoilt) == 1


def test_a_start_whose_answer_is_lost_is_not_sent_twice_and_is_found(client, proxy, fault):
    """It may have been done: it is looked for by the name of the backfill."""
    executions = Executions(client)
    cells = [Cell("green", MONTH, "postgres")]
    with fault(FAMILY, "does it and its answer is lost", "Kestra, a backfill starts") as clock:
        proxy.spoil(Spoiler(asked="^POST .*/executions/", lose=True, times=9))
        begun = executions.start(cells, "bf-lost-answer", parallel=1, replace=False)
        clock.recovered()
        assert len(proxy.spoilt) == 1
        proxy.spoil()
        labels = {"backfill": "bf-lost-answer"}
        found = list(client.executions.search(namespace="taxi", labels=labels))
        assert [one.id for one in found if one.flow_id == "taxi_backfill"] == [begun]
        for one in found:
            client.executions.kill(one.id)
