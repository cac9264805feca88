"""`python run_lines.py`: run command lines (JSON on standard input), each in its own process.

The commands' code is loaded once; each line is a fork of it. Prints code and stderr of each.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path


def _run(line: dict) -> dict:
    with tempfile.TemporaryFile() as said:
        if (child := os.fork()) == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os.dup2(said.fileno(), 2)
            os.environ.update(line["environment"])
            sys.argv = ["invoke", *line["words"]]
            try:
                from taxistack.program import program

                program.run(sys.argv)
            except SystemExit as end:
                sys.stderr.flush()
                os._exit(end.code if isinstance(end.code, int) else bool(end.code))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return {"code": os.waitstatus_to_exitcode(status), "said": said.read().decode()}


if __name__ == "__main__":
    sys.argv[0] = "invoke"
    sys.path.insert(0, str(Path.cwd()))
    import tasks  # noqa: F401 (loaded once, for all lines)

    from taxistack.commands import executions, flows, months, provision, setup  # noqa: F401

    print(json.dumps([_run(line) for line in json.load(sys.stdin)]))  # noqa: T201
