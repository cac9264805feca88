"""The two targets, behind one interface."""

from taxistack.settings import Settings
from taxistack.targets.base import Target
from taxistack.targets.outputs import Outputs
from taxistack.targets.source import NAMESPACE


def open_target(settings: Settings) -> Target:
    """The target that the setting `target` names; nothing is contacted yet."""
    if settings.target == "gcp":
        from taxistack.targets.gcp import GcpTarget

        return GcpTarget(settings)
    from taxistack.targets.local import LocalTarget

    return LocalTarget(settings)


__all__ = ["NAMESPACE", "Outputs", "Target", "open_target"]
