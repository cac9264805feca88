"""How Terraform is told to use this provider; loads nothing of the server."""

from __future__ import annotations

import json
from typing import Any

SOURCE = "registry.terraform.io/hashicorp/google"


def reattach(state: Any) -> str:
    """The value of TF_REATTACH_PROVIDERS that makes Terraform use this provider.

    `state` is the state of the running local cloud; its `google` has `address` and `pid`.
    """
    address = {"Network": "unix", "String": state.google.address}
    provider = {
        "Protocol": "grpc",
        "ProtocolVersion": 5,
        "Pid": state.google.pid,
        "Test": True,  # Terraform leaves the process alone when it ends
        "Addr": address,
    }
    return json.dumps({SOURCE: provider})
