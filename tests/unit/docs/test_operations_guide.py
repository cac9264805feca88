"""The tables of the guides are what infra/ and the code reckon."""

from __future__ import annotations

import re

import pytest

from taxistack.backfill.planner import MOST_PARALLEL
from taxistack.costs.month import size_of
from taxistack.settings import ROOT

GUIDE = (ROOT / "docs" / "operations.md").read_text()
COMPOSE = (ROOT / "infra" / "kestra" / "compose.yaml").read_text()
BOOT = (ROOT / "infra" / "kestra" / "boot.sh").read_text()
STEP, JAVA = 150, 400  # MiB: of a step's process, and of Java beside its heap
# Kestra's benchmark: executions a minute that end within a second, on e2-standard-4.
BENCHMARK, ITS_CPUS = 1500, 4


def share(name: str) -> float:
    """The part of the machine's memory that boot.sh gives a container."""
    found = re.search(rf"{name}_MEMORY=\$\(\(memory \* (\d+) / 100\)\)m", BOOT)
    assert found is not None
    return int(found[1]) / 100


ROWS = re.findall(
    r"^\| (e2-[\w-]+) \| (\d+) GiB \| ([\d.]+) GiB \| ([\d.]+) GiB \| (\d+) \| ([\d,]+) \|$",
    GUIDE,
    re.MULTILINE,
)


def test_every_container_has_a_limit_and_the_system_keeps_a_tenth():
    services = re.split(r"^  (?=\w+:\n    <<: \*service)", COMPOSE, flags=re.MULTILINE)[1:]
    assert len(services) == 2
    assert all("mem_limit: ${" in one for one in services)
    assert share("KESTRA") + share("POSTGRES") == pytest.approx(0.9)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_a_machine_carries_is_what_its_memory_and_processors_allow(row):
    machine, memory, kestra, postgres, months, executions = row
    _, cpus, gib = size_of(machine)
    assert gib == int(memory)
    assert float(kestra) == round(gib * share("KESTRA"), 1)
    assert float(postgres) == round(gib * share("POSTGRES"), 1)
    heap = int(re.search(r"MaxRAMPercentage=(\d+)", COMPOSE)[1]) / 100
    room = gib * 1024 * share("KESTRA") * (1 - heap) - JAVA
    assert int(months) == min(MOST_PARALLEL, int(room // STEP))
    assert int(executions.replace(",", "")) == BENCHMARK / ITS_CPUS * cpus


def test_the_machine_of_the_settings_is_in_the_table():
    settings = (ROOT / "invoke.yaml").read_text()
    chosen = re.search(r"machine_type: (\S+)", settings)[1]
    assert chosen in {row[0] for row in ROWS}


def test_a_step_takes_no_more_than_is_reckoned():
    footprint = ROOT / "tests" / "platform" / "etl" / "test_etl_footprint.py"
    assert f'used["peak_kib"] < {STEP} * 1024' in footprint.read_text()


def test_the_table_of_scaling_is_the_benchmarks():
    measured = (ROOT / "benchmarks" / "scaling.md").read_text()
    table = measured[measured.index("| times |") :].strip()
    assert table in (ROOT / "docs" / "scaling.md").read_text()
