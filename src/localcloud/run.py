"""`python -m localcloud.run PART FOLDER`: become one part of the local cloud in FOLDER.

The supervisor starts every part through this module: it notes the process, so that it can be
found when the supervisor is gone, and hands over to the part's program.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from localcloud import processes
from localcloud.errors import CloudError
from localcloud.layout import Layout
from localcloud.record import Record


def main(arguments: list[str]) -> int:
    """Run the part that `arguments` names; returns only when it has ended."""
    part, folder = arguments
    layout = Layout(Path(folder))
    processes.record(layout.run / f"{part}.json")
    try:
        _become(part, layout, Record.load(layout).ports)
    except CloudError as error:
        lines = "\n".join(filter(None, (error.message, error.hint)))
        print(lines, file=sys.stderr)  # noqa: T201 (the part's log)
        return 1
    return 0


def _become(part: str, layout: Layout, ports: dict[str, int]) -> None:
    """Imports stand here so that a part loads only what it runs."""
    if part == "storage":
        from localcloud import storage

        storage.run(layout, ports["storage"])
    elif part == "warehouse":
        from localcloud import warehouse

        warehouse.run(layout, ports["warehouse"])
    elif part == "postgres":
        from localcloud import postgres

        _execute(postgres.command(layout, ports["postgres"]))
    elif part == "releases":
        from localcloud import releases

        releases.run(layout, ports["releases"])
    elif part == "google":
        from localcloud import google

        google.serve(layout.folder)
    elif part == "kestra":
        _execute_kestra(layout, ports)
    else:
        raise CloudError(f"there is no part {part!r}")


def _execute_kestra(layout: Layout, ports: dict[str, int]) -> NoReturn:
    from localcloud import compose

    project = compose.project_of(layout, mark=os.environ.get(processes.MARK, ""))
    if project is None:
        _execute([sys.executable, "-m", "localcloud.kestra", str(layout.kestra_config)])
    project.write(ports)
    _execute(project.up(), project.environment())


def _execute(command: list[str], environment: Mapping[str, str] | None = None) -> NoReturn:
    """Become another program; the process id stays, and with it what was recorded."""
    try:
        os.execvpe(command[0], command, environment or os.environ)  # noqa: S606 (no shell is wanted)
    except OSError as error:
        raise CloudError(f"{command[0]} can't be run: {error.strerror}") from error


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
