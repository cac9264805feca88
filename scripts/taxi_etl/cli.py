"""The command line: `python -m taxi_etl STEP`, one process for each step.

The result goes to stdout as one line of Kestra's output protocol, after lines that say what was
done. A line on stderr is an error to Kestra, so only a failure writes there: one line that says
why (`--debug` adds the traceback). Exit codes: 0 done (also "not published"), 1 failed, 2 wrong
use.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from taxi_etl.destinations import MODULES, Order, get
from taxi_etl.errors import EtlError, WrongUse, without_key
from taxi_etl.month import Month
from taxi_etl.schema import TAXIS
from taxi_etl.surroundings import POSTGRES, settle

if TYPE_CHECKING:
    from taxi_etl.facts import Facts

Outputs = Mapping[str, object]
_Steps: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; returns the exit code."""
    options = _parser().parse_args(arguments)
    settle(os.environ, keep=POSTGRES)
    subject = f"{options.step} {options.taxi} {options.month}"
    try:
        outputs = options.run(options)
    except EtlError as error:
        return _failed(options, f"{subject}: {error}", error.exit_code)
    except KeyboardInterrupt:
        return _failed(options, f"{subject}: interrupted", 130)
    except Exception as error:  # the last line must be clear whatever happens
        what = f"{type(error).__name__}: {error}"
        return _failed(options, f"{subject}: unexpected {what}", 1)
    print(f'::{{"outputs":{json.dumps(outputs)}}}::', flush=True)  # noqa: T201
    return 0


def _failed(options: argparse.Namespace, message: str, code: int) -> int:
    if options.debug:
        sys.stderr.write(without_key(traceback.format_exc()))
    print(" ".join(without_key(message).split()), file=sys.stderr, flush=True)  # noqa: T201
    return code


_PROGRAM = "python -m taxi_etl"
_WHERE = """\
Where a destination is stands in the environment. BigQuery: GOOGLE_CLOUD_PROJECT, DATASET and, for
load, STAGING_DATASET; also LOCATION and MAXIMUM_BYTES, which a query may not cost more than.
PostgreSQL: PGHOST, PGPORT, PGDATABASE, PGUSER and PGPASSWORD. Google's credentials are those of
the machine; STORAGE_EMULATOR_HOST and BIGQUERY_EMULATOR_HOST name emulators instead."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="One month of one taxi, from the release site to a table, in three steps:\n"
        "extract writes down what it found (--facts), load and reconcile read it.",
        epilog=f"Exit codes: 0 done (also: not published), 1 failed, 2 wrong use.\n{_WHERE}",
    )
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    for add in (_extract, _load, _reconcile, _sample):
        add(steps)
    return parser


def _step(
    steps: _Steps, name: str, summary: str, more: str, example: str
) -> argparse.ArgumentParser:
    """A step's parser with the flags that every step has."""
    step = steps.add_parser(
        name,
        help=summary,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"{summary}.\n\n{more}",
        epilog=f"example:\n  {_PROGRAM} {name} --taxi green --month 2020-10 {example}",
    )
    step.add_argument("--taxi", required=True, choices=sorted(TAXIS), help="whose trips")
    step.add_argument("--month", required=True, type=_month, help="month of the file: YYYY-MM")
    step.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return step


def _extract(steps: _Steps) -> argparse.ArgumentParser:
    step = _step(
        steps,
        "extract",
        "release site to lake, checked on the way",
        "Writes the object raw/<taxi>/<file>, bytes as published. A file that is damaged or is\n"
        "not that taxi's month is refused, and the lake left alone. A month that the site does\n"
        "not have is no error: the outputs say published: false.\n\n"
        "Google's credentials are those of the machine; STORAGE_EMULATOR_HOST names an emulator.",
        "\\\n    --source https://example.org/releases --bucket lake --facts facts.json",
    )
    step.add_argument("--source", required=True, help="address that <taxi>/<file> is below")
    step.add_argument("--bucket", required=True, type=_bucket, help="the lake's bucket")
    step.add_argument("--replace", action="store_true", help="replace a different lake object")
    step.add_argument("--facts", type=Path, help="file to write what was found out into")
    step.add_argument("--work", type=_folder, default=Path(), help="folder for the download")
    step.set_defaults(run=_run_extract)
    return step


def _load(steps: _Steps) -> argparse.ArgumentParser:
    step = _step(
        steps,
        "load",
        "lake to table: replaces exactly that month",
        "All or nothing; loading twice changes nothing. Tables that are missing are made.\n\n"
        f"{_WHERE}",
        "\\\n    --destination postgres --facts facts.json",
    )
    _destination(step)
    step.add_argument("--execution-id", type=_id, default="shell", help="who asked for the load")
    step.add_argument(
        "--attempt", type=_count, default=1, help="a failed attempt burns its job ids"
    )
    step.add_argument("--work", type=_folder, default=Path(), help="folder for temporary files")
    step.set_defaults(run=_run_load)
    return step


def _reconcile(steps: _Steps) -> argparse.ArgumentParser:
    step = _step(
        steps,
        "reconcile",
        "compare source, lake, ledger and table",
        f"Fails with every difference in one line; changes nothing.\n\n{_WHERE}",
        "\\\n    --destination bigquery --facts facts.json",
    )
    _destination(step)
    step.set_defaults(run=_run_reconcile)
    return step


def _destination(step: argparse.ArgumentParser) -> None:
    step.add_argument("--destination", required=True, choices=sorted(MODULES), help="whose table")
    step.add_argument("--facts", type=Path, help="extract's facts (default: JSON in TAXI_FACTS)")


def _sample(steps: _Steps) -> argparse.ArgumentParser:
    step = _step(
        steps,
        "sample",
        "write a generated month file (not TLC's data)",
        "The same taxi, month and number of rows give the same file, always.",
        "--rows 10000 --out releases",
    )
    step.add_argument("--rows", required=True, type=_count, help="how many trips")
    step.add_argument("--out", required=True, type=Path, help="folder; <taxi>/<file> is made in it")
    step.set_defaults(run=_run_sample)
    return step


# Each step imports what it needs when it runs: another step's libraries cost time and memory.


def _run_extract(options: argparse.Namespace) -> Outputs:
    from taxi_etl import facts, release
    from taxi_etl.extract import extract

    taxi, month = TAXIS[options.taxi], options.month
    url = release.url(options.source, taxi.name, month)
    extracted = extract(
        taxi,
        month,
        source=options.source,
        bucket=options.bucket,
        replace=options.replace,
        work=options.work,
    )
    if extracted is None:
        outputs: Outputs = {
            "published": False,
            "filename": release.file_name(taxi.name, month),
            "url": release.shown(url),
        }
        print(f"{outputs['url']}: not published")  # noqa: T201
    else:
        outputs = extracted.to_json()
    if options.facts:
        facts.write(options.facts, outputs)
    return outputs


def _run_load(options: argparse.Namespace) -> Outputs:
    from taxi_etl.load import load

    order = Order(
        TAXIS[options.taxi],
        options.month,
        _facts(options),
        execution_id=options.execution_id,
        attempt=options.attempt,
        work=options.work,
        started=datetime.now(UTC),
    )
    return load(get(options.destination), order).to_json()


def _run_reconcile(options: argparse.Namespace) -> Outputs:
    from taxi_etl.reconcile import reconcile

    facts = _facts(options)
    return reconcile(get(options.destination), TAXIS[options.taxi], options.month, facts)


def _run_sample(options: argparse.Namespace) -> Outputs:
    from taxi_etl import release, sample

    path = options.out / options.taxi / release.file_name(options.taxi, options.month)
    path.parent.mkdir(parents=True, exist_ok=True)
    sample.write(path, options.taxi, options.month, options.rows)
    return {"path": str(path), "rows": options.rows, "bytes": path.stat().st_size}


def _facts(options: argparse.Namespace) -> Facts:
    from taxi_etl import facts, release

    read = facts.read(options.facts)
    name = release.file_name(options.taxi, options.month)
    if read is None:
        raise WrongUse(f"{name} is not published: there is nothing to {options.step}")
    if read.filename != name:
        raise WrongUse(f"the facts are of {read.filename}, not of {name}")
    return read


def _checked(pattern: str, rule: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if re.fullmatch(pattern, text, re.ASCII):
            return text
        raise argparse.ArgumentTypeError(f"{text!r}: {rule}")

    return check


# These names become part of addresses, so each is held to its service's rules.
_bucket = _checked(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", "not the name of a bucket")
_id = _checked(r"[\w-]{1,100}", "letters, digits, - and _ only, at most 100")


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except WrongUse as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")


def _folder(text: str) -> Path:
    if (path := Path(text)).is_dir():
        return path
    raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
