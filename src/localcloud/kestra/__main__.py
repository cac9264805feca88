"""`python -m localcloud.kestra CONFIG.json`: run the engine in the foreground."""

from __future__ import annotations

import sys
from pathlib import Path

from localcloud.errors import CloudError
from localcloud.kestra import launcher
from localcloud.kestra.config import Config


def main(arguments: list[str]) -> int:
    """Run the engine that the one argument describes."""
    if len(arguments) != 1:
        print("usage: python -m localcloud.kestra CONFIG.json", file=sys.stderr)  # noqa: T201
        return 2
    try:
        return launcher.run(Config.load(Path(arguments[0])))
    except CloudError as error:
        print(error.message, error.hint or "", file=sys.stderr)  # noqa: T201 (the part's log)
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
