"""Server-sent events (the `text/event-stream` of the WHATWG HTML standard), as Kestra uses them.

Kestra names its events by id: `start` (may be empty), `progress`, `end`; the data of each is an
execution. Comments and unknown fields are skipped, as the standard says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from taxistack.kestra.models import Execution


def data_of(lines: Iterable[str]) -> Iterator[str]:
    """The data of each event; its lines joined by a line feed."""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield "\n".join(data)
            data = []
            continue
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))


def executions_of(lines: Iterable[str]) -> Iterator[Execution]:
    """The executions of a follow stream; events without one are left out."""
    for data in data_of(lines):
        try:
            raw = json.loads(data)
        except ValueError:
            continue
        if isinstance(raw, dict) and "id" in raw and "state" in raw:
            yield Execution.parse(raw)
