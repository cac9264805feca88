"""The part `warehouse`: bqemulator on DuckDB, its data in a file, reading the local buckets."""

from __future__ import annotations

import functools
from typing import Any

from localcloud.layout import Layout
from localcloud.ports import HOST

PROJECT = "local"
# DuckDB takes 80 % of the machine's memory unless told: the parts share it.
_MEMORY = "640MB"
_THREADS = 2


def run(layout: Layout, port: int, grpc_port: int) -> None:
    """Run the emulator in this process until it is told to stop."""
    import duckdb
    from bqemulator.config import LogLevel, PersistenceMode, Settings
    from bqemulator.server import run_forever
    from duckdb_extensions import import_extension

    data = layout.data("warehouse")
    data.mkdir(exist_ok=True)
    import_extension("spatial")  # DuckDB would download it
    _keep_nine_decimals()
    # The emulator has no setting for these: it opens its database with `duckdb.connect`.
    duckdb.connect = functools.partial(
        duckdb.connect,
        config={
            "memory_limit": _MEMORY,
            "threads": _THREADS,
            "temp_directory": str(layout.tmp / "duckdb"),
            "autoinstall_known_extensions": False,
        },
    )
    run_forever(
        Settings(
            rest_host=HOST,
            rest_port=port,
            grpc_host=HOST,
            grpc_port=grpc_port,
            persistence_mode=PersistenceMode.PERSISTENT,
            data_dir=data,
            default_project_id=PROJECT,
            gcs_local_root=layout.data("storage"),
            upload_staging_dir=layout.tmp / "uploads",
            enable_format_extensions=False,
            log_level=LogLevel.WARNING,
            metrics_enabled=False,
        )
    )


def _keep_nine_decimals() -> None:
    """Make NUMERIC what it is in BigQuery: 38 digits, 9 of them decimals.

    The emulator hands DuckDB the bare word DECIMAL, which there has 18 digits and 3 decimals:
    the rest of an amount would be cut off without a word.
    """
    from sqlglot import exp
    from sqlglot.dialects.duckdb import DuckDB

    usual = DuckDB.Generator.datatype_sql

    def datatype_sql(self: Any, expression: exp.DataType) -> str:
        told = usual(self, expression)
        return "DECIMAL(38, 9)" if told == "DECIMAL" else told

    DuckDB.Generator.datatype_sql = datatype_sql  # type: ignore[method-assign]
