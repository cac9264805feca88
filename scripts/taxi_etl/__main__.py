"""`python -m taxi_etl STEP`: see cli.py."""

import signal
import sys
from types import FrameType

from taxi_etl import lean

lean.start()

from taxi_etl.cli import main  # noqa: E402


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)  # a killed step still drops what it staged
    sys.exit(main())
