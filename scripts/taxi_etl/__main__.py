"""`python -m taxi_etl STEP`: see cli.py."""

import sys

from taxi_etl.lean import hide_optional_packages

hide_optional_packages()

from taxi_etl.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
