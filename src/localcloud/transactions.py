"""The warehouse's transactions and its time travel: DuckDB's own ones, and none.

bqemulator keeps a way back by copies. A transaction copies every table that it is about to
change, whole: a month's load would take longer with every month that is there. Each load job
and each statement leaves a copy of its table behind, for `FOR SYSTEM_TIME AS OF`, which nothing
of this project asks for, and which is refused here instead.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

_HANDLER = re.compile(r"\bEXCEPTION\s+WHEN\s+ERROR\b", re.IGNORECASE)


def use_native() -> None:
    """Make the emulator's scripts use a transaction of DuckDB, on a connection of their own.

    A script that handles errors keeps the emulator's way: BigQuery keeps what such a script
    changed before the error, DuckDB does not.
    """
    from bqemulator.jobs import executor
    from bqemulator.scripting import interpreter

    class Interpreter(interpreter.ScriptInterpreter):
        _shared: Any = None  # the context outside the transaction
        _handles_errors = False

        async def run(self, source: str) -> Any:
            self._handles_errors = _HANDLER.search(source) is not None
            return await super().run(source)

        async def _handle_txn_statement(self, op: str) -> None:
            begins = op == "BEGIN" and self._active_txn is None and not self._handles_errors
            await super()._handle_txn_statement(op)
            if begins:
                self._shared = self._ctx
                own = _Own(self._shared.engine)
                own.execute("BEGIN TRANSACTION")
                self._ctx = replace(self._shared, engine=own)

        async def _snapshot_dml_targets(self, sql: str) -> None:
            if self._shared is None:
                await super()._snapshot_dml_targets(sql)

        async def _drop_txn_snapshots(self) -> None:
            await super()._drop_txn_snapshots()
            self._end("COMMIT")

        async def _restore_txn_snapshots(self) -> None:
            await super()._restore_txn_snapshots()
            self._end("ROLLBACK")

        def _end(self, how: str) -> None:
            """End the transaction, if there is one, and go back to the shared connection."""
            from bqemulator.domain.errors import InvalidQueryError
            from duckdb import Error

            if self._shared is None:
                return
            own, self._ctx, self._shared = self._ctx.engine, self._shared, None
            try:
                own.execute(how)
            except Error as error:
                raise InvalidQueryError(
                    f"Transaction is aborted due to a concurrent update: {error}"
                ) from error
            finally:
                own.connection.close()

    replaced: Any = executor  # what comes in does what is asked of it, and is of another type
    replaced.ScriptInterpreter = Interpreter


class _Own:
    """The engine with a connection of its own; everything else is the shared engine's."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.connection = engine.connection.cursor()

    def execute(self, sql: str, parameters: list[Any] | None = None) -> Any:
        """As the engine's, here."""
        return type(self._engine).execute(self, sql, parameters)

    def fetch_arrow(self, sql: str, parameters: list[Any] | None = None) -> Any:
        """As the engine's, here."""
        return type(self._engine).fetch_arrow(self, sql, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def refuse_time_travel() -> None:
    """Keep no copy of what a table was, and say so when one is asked for."""
    from bqemulator.domain.errors import UnsupportedFeatureError
    from bqemulator.domain.events import TableDataChanged
    from bqemulator.versioning.snapshots import SnapshotManager

    def changed(self: Any, project_id: str, dataset_id: str, table_id: str) -> None:
        self._events.publish(TableDataChanged(project_id, dataset_id, table_id))

    def refuse(self: Any, *_: object) -> None:
        raise UnsupportedFeatureError(
            "the local warehouse keeps no earlier state of a table: FOR SYSTEM_TIME AS OF works "
            "in BigQuery only"
        )

    manager: Any = SnapshotManager
    manager.record_change = changed
    manager.resolve_time_travel = refuse
