"""Ways from this machine to a VM that has no external address, through Identity-Aware Proxy.

A tunnel is a `gcloud compute start-iap-tunnel` of the command's own: opened when it is first
needed, opened again when it died, closed at the command's end however it ends.
"""

from taxistack.tunnels.gcloud import NotListening, VmAddress, program
from taxistack.tunnels.standing import hold, keep_open
from taxistack.tunnels.tunnel import Tunnel
from taxistack.tunnels.ways import KESTRA_PORT, POSTGRES_PORT, Ways

__all__ = [
    "KESTRA_PORT",
    "POSTGRES_PORT",
    "NotListening",
    "Tunnel",
    "VmAddress",
    "Ways",
    "hold",
    "keep_open",
    "program",
]
