"""The part `warehouse`: bqemulator on DuckDB, its data in a file, reading the local buckets.

The emulator asks for no login and gives its DuckDB's whole SQL to whoever reaches it. Here it sits
behind the gate, and its DuckDB reads and writes no file but the lake's and its own.
"""

from __future__ import annotations

import functools
import gc
import hashlib
from base64 import urlsafe_b64encode
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import uvicorn

from localcloud import serving, transactions, warehouse_csv, warehouse_numbers, warehouse_sql
from localcloud.errors import CloudError
from localcloud.gate import App, Gate, Receive, Scope, Send, key
from localcloud.layout import Layout
from localcloud.patience import Patient
from localcloud.ports import HOST

PROJECT = "local"
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # DuckDB takes 80 % of the machine's memory unless told: the parts share it.
    "memory_limit": "640MB",
    "threads": 2,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # To check the signature of 80 MB took half a second at each start. The one extension that is
    # loaded has the hash of its wheel; `close` lets in no other.
    "allow_unsigned_extensions": True,
}
"""Of its DuckDB."""
_NEW_OBJECTS = 50_000


def run(layout: Layout, port: int) -> None:
    """Run the emulator in this process until it is told to stop."""
    gc.disable()  # eight hundred modules, of which nothing goes
    from bqemulator.config import LogLevel, PersistenceMode, Settings
    from bqemulator.server import run_forever

    data, lake, uploads = layout.data("warehouse"), layout.data("storage"), layout.tmp / "uploads"
    for folder in (data, lake, uploads):
        folder.mkdir(exist_ok=True)
    warehouse_numbers.adapt()
    transactions.use_native()
    transactions.refuse_time_travel()
    warehouse_sql.adapt()
    warehouse_csv.adapt()
    _adapt(layout, port, [lake, uploads])
    # The modules stay, and a statement's tree is thousands of objects that go with it: searching
    # all of them for circles, again and again, took a seventh of the time of a small statement
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
    gc.enable()
    run_forever(
        Settings(
            rest_host=HOST,
            rest_port=port,
            persistence_mode=PersistenceMode.PERSISTENT,
            data_dir=data,
            default_project_id=PROJECT,
            gcs_local_root=lake,
            upload_staging_dir=uploads,
            enable_format_extensions=False,
            log_level=LogLevel.WARNING,
            metrics_enabled=False,
        )
    )


def _adapt(layout: Layout, port: int, folders: list[Path]) -> None:
    """Give the emulator what it has no setting for; each of these is a name that it looks up."""
    import duckdb
    from bqemulator import server
    from bqemulator.domain.errors import InvalidQueryError
    from bqemulator.jobs import executor

    config = {**CONFIG, "temp_directory": str(layout.tmp / "duckdb")}
    duckdb.connect = functools.partial(duckdb.connect, config=config)

    class ClosedEngine(server.DuckDBEngine):
        async def start(self) -> None:
            await super().start()
            close(self.connection, folders)

        def _load_spatial(self) -> None:
            # DuckDB would download it. Installed from the file it would be copied below HOME, 80 MB
            # for each local cloud.
            self.connection.execute(f"LOAD {warehouse_csv.literal(str(spatial()))}")

    resolve = executor._resolve_uri

    def resolve_within(uri: str, ctx: Any) -> str:
        # Some formats are read by Python and not by DuckDB.
        path = Path(resolve(uri, ctx))
        if not any(path.resolve().is_relative_to(folder.resolve()) for folder in folders):
            raise InvalidQueryError("the local warehouse reads and writes gs:// only")
        return str(path)

    create_app = server.create_app
    names: Any = server  # what comes in does what is asked of it, and is of another type
    names.create_app = lambda context: Gate(_Linked(create_app(context), port), key(layout), port)
    names.DuckDBEngine = ClosedEngine
    names.uvicorn = _Uvicorn
    names.build_grpc_server = lambda context: (_NoGrpc(), 0)
    executor._resolve_uri = resolve_within


def spatial() -> Path:
    """The file of DuckDB's extension `spatial`, with the bytes that its wheel has.

    Raises CloudError if it has others.
    """
    wheel = distribution("duckdb-extension-spatial")
    (packed,) = [one for one in wheel.files or () if one.suffix == ".duckdb_extension"]
    path = Path(str(packed.locate()))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    wanted = packed.hash.value if packed.hash else ""
    if urlsafe_b64encode(digest).rstrip(b"=") != wanted.encode():
        raise CloudError(f"{path} is damaged", hint="run scripts/bootstrap again")
    return path


def close(connection: Any, folders: list[Path]) -> None:
    """Let SQL reach no file outside `folders`, no extension and no setting any more."""
    listed = ", ".join(warehouse_csv.literal(str(folder.resolve())) for folder in folders)
    connection.execute(f"SET allowed_directories = [{listed}]")
    connection.execute("SET GLOBAL TimeZone = 'UTC'")  # of the connections of transactions too
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


class _Linked:
    """Gives the key back in the links that the emulator makes of the host alone."""

    def __init__(self, app: App, port: int) -> None:
        self._app, self._here = app, f"http://{HOST}:{port}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def forward(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [self._header(scope, *pair) for pair in message["headers"]]
            await send(message)

        await self._app(scope, receive, forward)

    def _header(self, scope: Scope, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if name.lower() == b"location" and value.startswith(self._here):
            value = self._here + scope["root_path"].encode() + value.removeprefix(self._here)
        return name, value


class _Uvicorn:
    """The emulator's server, with our protocol and on our port."""

    Server = serving.Server
    Config = functools.partial(uvicorn.Config, http=Patient)


class _NoGrpc:
    """The Storage Read and Write APIs, which no client here uses: their port would be open."""

    async def start(self) -> None:
        """Nothing listens."""

    async def stop(self, grace: float) -> None:
        """Nothing did."""
