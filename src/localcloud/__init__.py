"""A local twin of the few cloud services that a data platform needs, each part a real server.

from localcloud import LocalCloud

cloud = LocalCloud(Path(".cloud"))
state = cloud.start()      # storage, warehouse, postgres, release site, provider
cloud.stop()               # everything ends, the data stays
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.cloud import LocalCloud
    from localcloud.compose import Compose
    from localcloud.errors import CloudError
    from localcloud.secretstore import SecretStore
    from localcloud.state import InstanceConfig, PartStatus, State

__all__ = [
    "CloudError",
    "Compose",
    "InstanceConfig",
    "LocalCloud",
    "PartStatus",
    "SecretStore",
    "State",
]

_MODULES = {
    "CloudError": "errors",
    "Compose": "compose",
    "InstanceConfig": "state",
    "LocalCloud": "cloud",
    "PartStatus": "state",
    "SecretStore": "secretstore",
    "State": "state",
}


def __getattr__(name: str) -> object:
    """Imported by who asks for it: each part is a process of this package, and wants its own."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
