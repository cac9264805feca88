"""What one month of a stack costs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.table import Table

from taxistack import hours
from taxistack.console import table
from taxistack.costs.prices import (
    AS_OF,
    CUSTOM_PREMIUM,
    HOURS,
    MACHINES,
    PRICES,
    REGION,
)

# As infra/variables.tf has them; a test compares.
BOOT_DISK_GIB, DATA_DISK_GIB = 30, 50
# What two years of both taxis hold: 43 month files, 110 million trips of about 200 bytes.
SNAPSHOT_GIB, LAKE_GIB, WAREHOUSE_GIB = 10, 3, 22
NOT_COUNTED = (
    "what goes through NAT (0.045 a GiB) and over the network, what queries read (6.25 a TiB; see "
    "backfill --dry-run), logs, the alert policy, secrets, taxes, discounts, free tiers"
)
# GiB of memory for each vCPU, by family and kind.
_MEMORY = {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0}
_OTHERS = {
    ("n1", "standard"): 3.75,
    ("n1", "highmem"): 6.5,
    ("n1", "highcpu"): 0.9,
    ("c2d", "highcpu"): 2.0,
}


@dataclass(frozen=True)
class MonthlyCost:
    """Rows (what, how much of it, USD) and what stands beside the sum."""

    rows: tuple[tuple[str, str, float], ...]
    missing: str
    """A part that has no price in the table, in words; empty: all have."""
    region: str

    @property
    def usd(self) -> float:
        """The sum."""
        return sum(cost for _, _, cost in self.rows)

    @property
    def line(self) -> str:
        """One line for the end of a command."""
        remark = "" if self.region == REGION else f"; prices are {REGION}'s, {self.region} differs"
        but = f" without {self.missing}" if self.missing else ""
        return f"about {self.usd:.0f} USD a month{but} (list prices of {AS_OF}{remark})"

    def table(self) -> Table:
        """For people."""
        rows = [(what, much, f"{cost:.2f}") for what, much, cost in self.rows]
        return table("What a month costs", ["what", "of it", "USD#"], rows)

    def as_json(self) -> dict[str, object]:
        """For programs."""
        rows = [{"what": what, "of": much, "usd": round(usd, 2)} for what, much, usd in self.rows]
        return {
            "usd": round(self.usd, 2),
            "rows": rows,
            "as_of": AS_OF,
            "region": REGION,
            "missing": self.missing,
            "not_counted": NOT_COUNTED,
        }


def size_of(machine_type: str) -> tuple[str, float, float] | None:
    """Family, vCPUs and GiB of memory of a machine type; None for one that is not known."""
    if machine_type == "e2-medium":  # two halves of a vCPU
        return "e2", 1.0, 4.0
    if match := re.fullmatch(r"(e2|n1|n2|n2d)-custom-(\d+)-(\d+)", machine_type):
        return match[1], float(match[2]), int(match[3]) / 1024
    match = re.fullmatch(r"(\w+)-(standard|highmem|highcpu)-(\d+)", machine_type)
    if match is None or match[1] not in MACHINES:
        return None
    each = _OTHERS.get((match[1], match[2]), _MEMORY[match[2]])
    return match[1], float(match[3]), float(match[3]) * each


def hourly(machine_type: str) -> float | None:
    """USD an hour of the machine itself; None when the table has no price."""
    size = size_of(machine_type)
    if size is None:
        return None
    family, cpus, memory = size
    cpu, gib = MACHINES[family]
    premium = CUSTOM_PREMIUM if "-custom-" in machine_type and family != "e2" else 1.0
    return (cpus * cpu.usd + memory * gib.usd) * premium


def monthly_cost(machine_type: str, schedule: str, region: str) -> MonthlyCost:
    """The cost of a stack with infra/'s own disk sizes and two years of both taxis in it."""
    running = HOURS * hours.share(schedule)
    machine = hourly(machine_type)
    disks = BOOT_DISK_GIB + DATA_DISK_GIB
    rows = [
        ("disks", f"{disks} GiB", disks * PRICES["disk"].usd),
        ("snapshots", f"{SNAPSHOT_GIB} GiB", SNAPSHOT_GIB * PRICES["snapshot"].usd),
        ("NAT", f"{running:.0f} hours", running * PRICES["nat"].usd),
        ("NAT's address", f"{HOURS} hours", HOURS * PRICES["address"].usd),
        ("lake", f"{LAKE_GIB} GiB", LAKE_GIB * PRICES["lake"].usd),
        ("warehouse", f"{WAREHOUSE_GIB} GiB", WAREHOUSE_GIB * PRICES["warehouse"].usd),
    ]
    if machine is not None:
        rows.insert(0, (f"VM {machine_type}", f"{running:.0f} hours", running * machine))
    missing = "" if machine is not None else f"the VM: {machine_type} is not in the table"
    return MonthlyCost(tuple(rows), missing, region)
