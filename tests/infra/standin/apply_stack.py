"""An operator's process: plans and applies as the file in argv[1] says.

It prints `planned`, then `applied`, or the name and the text of what stopped it. The interrupt
tests send their signals to this process, as a terminal or a CI runner would.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from taxistack.terraform import Terraform


def main(settings: dict) -> None:
    """Run the driver as the settings say."""
    plan_file = Path(settings.pop("plan"))
    paths = {name: Path(settings.pop(name)) for name in ("root", "data_dir")}
    terraform = Terraform(**paths, **settings)
    try:
        terraform.init()
        plan = terraform.plan(plan_file)
        print("planned", flush=True)  # noqa: T201
        terraform.apply(plan)
        print("applied", flush=True)  # noqa: T201
    except BaseException as error:
        print(type(error).__name__, error, flush=True)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main(json.loads(sys.stdin.read()))
