"""The daemon: the provider behind gRPC on a Unix socket in the private folder."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from localcloud.errors import CloudError
from localcloud.google.effects import Cloud
from localcloud.google.front import Front
from localcloud.google.protocol import MESSAGES, METHODS, SERVICE
from localcloud.google.provider import Hook, Provider
from localcloud.google.reattaching import SOURCE
from localcloud.google.store import Store
from localcloud.layout import Layout

_THREADS = 16  # calls at once: Terraform makes 10 of them
_log = logging.getLogger(__name__)


def start(folder: Path, cloud: Cloud, before: Hook | None = None) -> Any:
    """Serve the local cloud in `folder`; returns the gRPC server, which runs.

    It listens on a socket in the private folder, which only the owner may enter: the provider asks
    nobody who they are. Raises CloudError.
    """
    front = Front(Layout(folder).private)
    provider = Provider(Store(folder / "data" / "google" / "objects.db"), cloud, before)
    unlimited = [
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=unlimited)
    handlers = {name: _handler(name, getattr(provider, name)) for name in METHODS}
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(SERVICE, handlers),
            *_plugin_services(),
        )
    )
    try:
        server.add_insecure_port(f"unix:{front.inner}")
        server.start()
        front.start()
    except (RuntimeError, OSError) as error:
        raise CloudError(f"the provider can't listen in {folder}: {error}") from error
    return server


def serve(folder: Path) -> None:
    """Run the part `google` of the local cloud in `folder` until SIGTERM or SIGINT."""
    from localcloud import LocalCloud

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = start(folder, LocalCloud(folder))
    _log.info("serving %s", SOURCE)
    stop.wait()
    # A call that is being answered may start the engine: let it end.
    server.stop(grace=60).wait()
    Front(Layout(folder).private).clear()


def _handler(name: str, method: Callable[[Any, str], Any]) -> Any:
    request, response = (MESSAGES[kind] for kind in METHODS[name])

    def answer(message: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(message, context.peer())
        except CloudError as error:
            return _refused(response, str(error), "")
        except Exception as error:
            _log.exception("%s failed", name)
            detail = f"{type(error).__name__} in the local cloud's provider; its log says more."
            return _refused(response, f"{name} failed", detail)

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=request.FromString,
        response_serializer=response.SerializeToString,
    )


def _refused(response: Any, summary: str, detail: str) -> Any:
    message = response()
    message.diagnostics.add(severity=1, summary=summary, detail=detail)
    return message


def _plugin_services() -> tuple[Any, ...]:
    """The services of go-plugin that Terraform calls on every plugin; both do nothing here."""

    def shutdown(request: bytes, context: Any) -> bytes:
        return b""  # the daemon serves other runs too

    def output(request: bytes, context: Any) -> Any:
        return iter(())  # the daemon logs to its own file

    return (
        grpc.method_handlers_generic_handler(
            "plugin.GRPCController", {"Shutdown": grpc.unary_unary_rpc_method_handler(shutdown)}
        ),
        grpc.method_handlers_generic_handler(
            "plugin.GRPCStdio", {"StreamStdio": grpc.unary_stream_rpc_method_handler(output)}
        ),
    )
