"""A local twin of the few cloud services that a data platform needs, each part a real server.

from localcloud import LocalCloud

cloud = LocalCloud(Path(".cloud"))
state = cloud.start()      # storage, warehouse, postgres, release site, provider
cloud.stop()               # everything ends, the data stays
"""

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
