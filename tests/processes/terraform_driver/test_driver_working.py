"""Who would end what Terraform works with waits for it, and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest

from taxistack.errors import FailedError, LockedError
from taxistack.terraform import at_rest
from taxistack.terraform.working import refuse_a_dead_provider, working


def test_who_stops_the_parts_waits_for_terraform_and_says_so(tmp_path):
    order, waits, begun = [], threading.Event(), threading.Event()

    def terraform():
        with working(tmp_path), working(tmp_path):  # two commands may run it at once
            begun.set()
            assert waits.wait(10)
            order.append("terraform")

    thread = threading.Thread(target=terraform)
    thread.start()
    assert begun.wait(10)
    said = []
    with at_rest(tmp_path, lambda text: (said.append(text), waits.set())):
        order.append("stop")
    thread.join()
    assert order == ["terraform", "stop"]
    assert said == ["another command runs Terraform on this stack: waiting for it"]


def test_terraform_that_does_not_end_is_told(tmp_path):
    with (
        working(tmp_path),
        pytest.raises(LockedError, match="running Terraform on this stack for minutes"),
        at_rest(tmp_path, str, wait=0),
    ):
        pass


def test_where_nothing_was_ever_up_nobody_is_waited_for(tmp_path):
    with at_rest(tmp_path / "none", pytest.fail), working(tmp_path / "none"):
        pass


def test_terraform_is_not_started_for_a_provider_that_has_ended():
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()

    def told_of(pid: int) -> dict[str, str]:
        return {"TF_REATTACH_PROVIDERS": json.dumps({"registry/hashicorp/google": {"Pid": pid}})}

    refuse_a_dead_provider({})
    refuse_a_dead_provider(told_of(os.getpid()))
    with pytest.raises(FailedError, match="the provider google of the local cloud was stopped"):
        refuse_a_dead_provider(told_of(ended.pid))
