"""A stand-in for Terraform's provider hashicorp/google, on this machine and without a registry.

It speaks Terraform's plugin protocol 5 on a Unix socket and is reached by TF_REATTACH_PROVIDERS:
the same configuration that builds a stack on Google Cloud builds one in the local cloud.

Four types have a real effect (`effects.EFFECTS`): a bucket and a dataset appear in the emulators, a
secret's value goes to the local cloud's private store, the instance is the embedded Kestra. All
others are recorded only. A type that is not in `TYPES` is refused.

Not emulated:

- data sources, provider functions, ephemeral resources, moves between types;
- of a bucket, everything but its existence (the emulator keeps no labels, no lifecycle rules, no
  versions, no soft delete); of a dataset, everything but labels, texts and table expiration;
  the rest is recorded, so it plans as on Google Cloud and does nothing;
- permissions: whoever has the local cloud's secrets may do anything; members of policies, roles,
  service accounts and workload identity pools are recorded only, and nobody is authenticated;
- networks, addresses, firewalls, NAT, disks, snapshots, Shielded VM, OS Login; the addresses of
  an instance are made up, and its boot script does not run;
- more than one instance; a machine's size (the engine takes what it needs);
- dependencies that Google Cloud enforces (a network in use can be deleted), quotas, the 30 days
  in which a deleted pool's id can't be reused, enabled APIs as a condition of anything;
- value rules and conflicting arguments beyond those of `checks`, differences that the real
  provider ignores (a reference in another spelling is a change here);
- `deletion_policy` of the provider block.
"""

from pathlib import Path

from localcloud.google.reattaching import reattach
from localcloud.google.types import TYPES, Object, object_id


def recorded_only(kind: str) -> bool:
    """True when an object of this type is a record and nothing else."""
    from localcloud.google.effects import EFFECTS  # not for who only wants to reach the provider

    return kind not in EFFECTS


def import_id(kind: str, values: Object) -> str:
    """The id of an object of this type, as `terraform import` takes it."""
    return object_id(TYPES[kind], values)


def serve(folder: Path) -> None:
    """Run the part `google` of the local cloud in `folder` until SIGTERM or SIGINT."""
    from localcloud.google.server import serve  # gRPC: only the part itself loads it

    serve(folder)


__all__ = ["TYPES", "import_id", "reattach", "recorded_only", "serve"]
