"""`python -m taxi_etl.zones STEP`: the zones, from the release site to a table.

The same protocol as `python -m taxi_etl`: the result as one line of outputs on stdout, a failure
as one line on stderr. Exit codes: 0 done (also "not published"), 1 failed, 2 wrong use.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from taxi_etl import lean
from taxi_etl.destinations import MODULES
from taxi_etl.errors import EtlError
from taxi_etl.surroundings import POSTGRES, settle


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; returns the exit code."""
    options = _parser().parse_args(arguments)
    settle(os.environ, keep=POSTGRES)
    try:
        outputs = _run(options)
    except EtlError as error:
        return _failed(f"zones {options.step}: {error}", error.exit_code)
    except Exception as error:  # the last line must be clear whatever happens
        return _failed(f"zones {options.step}: unexpected {type(error).__name__}: {error}", 1)
    print(f'::{{"outputs":{json.dumps(outputs)}}}::', flush=True)  # noqa: T201
    return 0


def _failed(message: str, code: int) -> int:
    print(" ".join(message.split()), file=sys.stderr, flush=True)  # noqa: T201
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m taxi_etl.zones",
        description="What the trips' location ids mean: the file misc/taxi_zone_lookup.csv of the "
        "release site, by way of the lake, into the table taxi_zone_lookup. Where a destination "
        "is stands in the environment, as for `python -m taxi_etl`.",
    )
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    extract = steps.add_parser("extract", help="release site to lake, checked on the way")
    extract.add_argument("--source", required=True, help="address that misc/<file> is below")
    extract.add_argument("--replace", action="store_true", help="replace a different lake object")
    load = steps.add_parser("load", help="lake to table: replaces it, and compares every row")
    load.add_argument("--destination", required=True, choices=sorted(MODULES), help="whose table")
    load.add_argument("--generation", required=True, type=int, help="of the lake object")
    for step in (extract, load):
        step.add_argument("--bucket", required=True, help="the lake's bucket")
        step.add_argument("--work", type=Path, default=Path(), help="folder for temporary files")
    return parser


def _run(options: argparse.Namespace) -> Mapping[str, object]:
    from taxi_etl.zones import steps

    if options.step == "extract":
        return steps.extract(options.source, options.bucket, options.work, replace=options.replace)
    return steps.load(options.destination, options.bucket, options.generation, options.work)


if __name__ == "__main__":
    lean.start()
    sys.exit(main())
