"""What a month costs, summed a second time by hand from Google's lists."""

from __future__ import annotations

import re

import pytest

from taxistack.costs import monthly_cost
from taxistack.costs.month import BOOT_DISK_GIB, DATA_DISK_GIB, hourly
from taxistack.costs.prices import AS_OF, MACHINES, PRICES
from taxistack.settings import ROOT

# Google's own prices of whole machines an hour (its list, us-central1), which the table does not
# have: it has those of a vCPU and of a GiB.
WHOLE = {
    "e2-medium": 0.033503,
    "e2-standard-2": 0.067006,
    "e2-standard-4": 0.134012,
    "e2-highmem-2": 0.090390,
    "n1-standard-2": 0.095,
    "n2-standard-2": 0.097118,
    "n2d-standard-2": 0.084492,
    "c2-standard-4": 0.2088,
    "c2d-standard-2": 0.090798,
    "t2d-standard-1": 0.042246,
}


@pytest.mark.parametrize("machine", WHOLE)
def test_a_machine_costs_what_googles_list_of_whole_machines_says(machine):
    assert hourly(machine) == pytest.approx(WHOLE[machine], rel=0.001)


def test_a_month_is_the_sum_that_a_person_makes_of_it():
    # 730 h of e2-standard-2; 80 GiB of disk; NAT and its address; snapshots; lake; warehouse.
    by_hand = (
        730 * 0.067006 + 80 * 0.10 + 730 * (0.0014 + 0.005) + 10 * 0.05 + 3 * 0.02 + 22 * 0.023
    )
    cost = monthly_cost("e2-standard-2", "", "us-central1")
    assert cost.usd == pytest.approx(by_hand, abs=0.05)
    assert cost.line.startswith("about 63 USD a month (list prices of ")
    assert cost.as_json()["usd"] == pytest.approx(by_hand, abs=0.05)


def test_a_vm_that_sleeps_at_night_costs_for_its_hours_only():
    day, half = (monthly_cost("e2-standard-2", one, "us-central1") for one in ("", "08:00-20:00"))
    # The machine and NAT's hours for it; disks and NAT's address are billed on.
    assert day.usd - half.usd == pytest.approx(365 * (0.067006 + 0.0014), abs=0.05)


def test_a_machine_without_a_price_is_said_and_not_summed():
    cost = monthly_cost("c3-standard-4", "", "europe-west1")
    assert "without the VM: c3-standard-4 is not in the table" in cost.line
    assert "prices are us-central1's, europe-west1 differs" in cost.line
    assert cost.usd == pytest.approx(14.2, abs=0.5)


def test_the_disks_are_those_of_infra():
    text = (ROOT / "infra" / "variables.tf").read_text()
    for name, size in (("boot", BOOT_DISK_GIB), ("data", DATA_DISK_GIB)):
        found = re.search(rf'"{name}_disk_size_gb" \{{.*?default\s+= (\d+)', text, re.S)
        assert found is not None
        assert int(found[1]) == size


def test_the_table_is_dated_and_every_price_has_its_source():
    assert re.fullmatch(r"20\d\d-\d\d", AS_OF)
    prices = [*PRICES.values(), *(one for pair in MACHINES.values() for one in pair)]
    assert all(one.source.startswith("cloud.google.com/") and one.unit for one in prices)


def test_no_other_module_names_a_price():
    sources = [p for p in (ROOT / "src").rglob("*.py") if p.parent.name != "costs"]
    assert not [p for p in sources if re.search(r"0\.0218|6\.25\b", p.read_text())]
