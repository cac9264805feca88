"""Google's list prices, in USD, of what a stack uses: on demand, region us-central1.

One table; nothing else in the project names a price. Without taxes, discounts and free tiers. When
a price changes, change it here with the date.
"""

from __future__ import annotations

from dataclasses import dataclass

AS_OF = "2025-06"
REGION = "us-central1"
HOURS = 730  # of a month, as Google's own calculator counts


@dataclass(frozen=True)
class Price:
    """One price: USD for a unit, and the page that gives it."""

    usd: float
    unit: str
    source: str


_VM = "cloud.google.com/compute/vm-instance-pricing"
_DISK = "cloud.google.com/compute/disks-image-pricing"
_NAT = "cloud.google.com/nat/pricing"
_BIGQUERY = "cloud.google.com/bigquery/pricing"
_STORAGE = "cloud.google.com/storage/pricing"


def _machine(cpu: float, memory: float) -> tuple[Price, Price]:
    return Price(cpu, "vCPU hour", _VM), Price(memory, "GiB hour", _VM)


# Family -> price of a vCPU and of a GiB of memory. A family that is not here is not priced.
MACHINES = {
    "e2": _machine(0.02181159, 0.00292353),
    "n1": _machine(0.031611, 0.004237),
    "n2": _machine(0.031611, 0.004237),
    "n2d": _machine(0.027502, 0.003686),
    "c2": _machine(0.03398, 0.00455),
    "c2d": _machine(0.029563, 0.003959),
    "t2d": _machine(0.027502, 0.003686),
}
CUSTOM_PREMIUM = 1.05  # of n1, n2 and n2d; custom machines of e2 have none
PRICES = {
    "disk": Price(0.10, "GiB month of balanced disk", _DISK),
    "snapshot": Price(0.05, "GiB month of snapshots", _DISK),
    "nat": Price(0.0014, "hour of NAT for a VM", _NAT),
    "address": Price(0.005, "hour of an address of NAT's", _NAT),
    "nat data": Price(0.045, "GiB through NAT", _NAT),
    "lake": Price(0.02, "GiB month, Standard", _STORAGE),
    "warehouse": Price(0.023, "GiB month, active logical", _BIGQUERY),
    "query": Price(6.25, "TiB that queries read", _BIGQUERY),
}
