"""What executions leave behind: outputs, log lines and files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from taxistack.kestra.http import BYTES, Http
from taxistack.kestra.models import LogLine
from taxistack.kestra.problems import NotFound

if TYPE_CHECKING:
    from taxistack.kestra.executions import Executions

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")


class Outputs:
    """Outputs are not part of an execution in Kestra 2.0; they have calls of their own."""

    def __init__(self, http: Http) -> None:
        """`http`: the server."""
        self._http = http

    def flow(self, execution_id: str) -> dict[str, Any]:
        """What the flow declares under `outputs`; empty when there is nothing."""
        path = f"main/outputs/executions/{execution_id}"
        try:
            return self._http.json(path, f"outputs of execution {execution_id}") or {}
        except NotFound:
            return {}

    def tasks(self, execution_id: str) -> dict[str, dict[str, Any]]:
        """Outputs by task id; of a task that ran several times, those of its last run."""
        step = f"task outputs of execution {execution_id}"
        known = self._http.json(f"main/outputs/tasks/{execution_id}", step)
        return {
            line["taskId"]: self._http.json(
                f"main/outputs/tasks/{execution_id}/{line['taskRunId']}", step
            )
            for line in known
        }


class Logs:
    """Log lines."""

    def __init__(self, http: Http, executions: Executions) -> None:
        """`http`: the server; `executions`: its executions."""
        self._http = http
        self._executions = executions

    def __call__(self, execution_id: str, min_level: str = "INFO") -> list[LogLine]:
        """The lines of an execution at `min_level` or above, in time order.

        Of an execution that is not there they are none: a server answers so.
        """
        if min_level not in LEVELS:
            raise ValueError(f"{min_level} is no log level; one of {', '.join(LEVELS)}")
        raw = self._http.json(
            f"main/logs/{execution_id}",
            f"log of execution {execution_id}",
            [("filters[level][GREATER_THAN_OR_EQUAL_TO]", min_level)],
        )
        lines = [LogLine.parse(line) for line in raw]
        # A server that does not know the filter sends all: the caller gets what it asked for.
        wanted = set(LEVELS[LEVELS.index(min_level) :])
        return [line for line in lines if line.level in wanted]

    def follow(
        self, execution_id: str, min_level: str = "INFO", *, pause: float = 1.0
    ) -> Iterator[LogLine]:
        """The lines as they come, until the execution has ended and nothing more comes.

        Reads the log every `pause` seconds: a server's own stream of log lines has no end. Lines
        are filed a moment after they are written, so those of two tasks may come in another order.
        Raises `NotFound` when there is no such execution.
        """
        before: Counter[LogLine] = Counter()
        last_look = False
        while True:
            ended = self._executions.get(execution_id).terminated
            seen: Counter[LogLine] = Counter()
            fresh = False
            for line in self(execution_id, min_level):
                seen[line] += 1
                if seen[line] > before[line]:
                    fresh = True
                    yield line
            if last_look and not fresh:
                return
            before, last_look = seen, ended
            time.sleep(pause)


class Files:
    """Files in the server's internal storage."""

    def __init__(self, http: Http) -> None:
        """`http`: the server."""
        self._http = http

    def download(self, execution_id: str, uri: str) -> bytes:
        """The bytes of a `kestra:///…` URI that belongs to the execution; raises `NotFound`."""
        return self._http.read(
            f"main/executions/{execution_id}/file",
            f"download {uri}",
            [("path", uri)],
            accept=BYTES,
        ).content
