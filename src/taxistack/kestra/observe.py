"""What executions leave behind: outputs, log lines and files."""

from __future__ import annotations

from typing import Any

from taxistack.kestra.http import Http
from taxistack.kestra.models import LogLine
from taxistack.kestra.problems import NotFound

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")


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
            one["taskId"]: self._http.json(
                f"main/outputs/tasks/{execution_id}/{one['taskRunId']}", step
            )
            for one in known
        }


class Logs:
    """Log lines."""

    def __init__(self, http: Http) -> None:
        """`http`: the server."""
        self._http = http

    def __call__(self, execution_id: str, min_level: str = "INFO") -> list[LogLine]:
        """The lines of an execution at `min_level` or above, in time order."""
        if min_level not in _LEVELS:
            raise ValueError(f"{min_level} is no log level; one of {', '.join(_LEVELS)}")
        raw = self._http.json(
            f"main/logs/{execution_id}",
            f"log of execution {execution_id}",
            [("filters[level][GREATER_THAN_OR_EQUAL_TO]", min_level)],
        )
        lines = [LogLine.parse(one) for one in raw]
        # A server that does not know the filter sends all: the caller gets what it asked for.
        wanted = set(_LEVELS[_LEVELS.index(min_level) :])
        return [line for line in lines if line.level in wanted]


class Files:
    """Files in the server's internal storage."""

    def __init__(self, http: Http) -> None:
        """`http`: the server."""
        self._http = http

    def download(self, execution_id: str, uri: str) -> bytes:
        """The bytes of a `kestra:///…` URI that belongs to the execution; raises `NotFound`."""
        return self._http.read(
            f"main/executions/{execution_id}/file", f"download {uri}", [("path", uri)]
        ).content
