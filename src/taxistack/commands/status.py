"""`status`: the parts, the stack, what is loaded; or endpoints for psql, notebooks and BI tools."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from rich.console import Group, RenderableType
from rich.text import Text

from taxistack import libpq
from taxistack.backfill import ledger
from taxistack.backfill.state import DESTINATIONS
from taxistack.commands.alarms import DAYS, last_alarms
from taxistack.commands.executions import last_failures
from taxistack.console import Console, counted, moment, table
from taxistack.errors import FailedError, MissingError
from taxistack.kestra import Execution
from taxistack.targets import Target

MIB = 2**20
MOST_FAILURES = 3
MOST_ALARMS = 5


def environment(target: Target) -> dict[str, str]:
    """Endpoints and credentials of the stack, by the names that the tools read.

    Without those of Kestra and PostgreSQL where no way to them stays open.
    """
    made = target.outputs
    values = {
        **_kestra(target),
        **_postgres(target),
        "GOOGLE_CLOUD_PROJECT": made.project,
        "TAXI_BUCKET": made.bucket,
        "TAXI_DATASET": made.dataset,
        **target.emulators(),
    }
    return {name: value for name, value in values.items() if value}


def _kestra(target: Target) -> dict[str, str]:
    if (url := target.lasting_kestra_url()) is None:
        return {}
    return {
        "KESTRA_URL": url,
        "KESTRA_USER": target.settings.kestra_user,
        "KESTRA_PASSWORD": target.kestra_password(),
    }


def _postgres(target: Target) -> dict[str, str]:
    if (address := target.lasting_postgres_address()) is None:
        return {}
    password = target.postgres_password()
    return {
        **libpq.environment(address, password),
        "DATABASE_URL": _postgres_url(address, password),
    }


def _postgres_url(address: Mapping[str, Any], password: str) -> str:
    """PostgreSQL in one line, as notebooks and BI tools ask for it (libpq's URI form)."""
    user, database = quote(str(address["user"]), safe=""), quote(str(address["dbname"]), safe="")
    place = f"{address['host']}:{address['port']}"
    return f"postgresql://{user}:{quote(password, safe='')}@{place}/{database}"


def show_environment(values: Mapping[str, str], console: Console) -> None:
    """Print shell assignments, or one JSON object, on stdout."""
    for name, value in values.items() if not console.json else ():
        console.out.print(f"export {name}={shlex.quote(value)}", markup=False, soft_wrap=True)
    if console.json:
        console.result(None, dict(values))


def _loaded(target: Target) -> list[dict[str, Any]]:
    loaded = []
    for destination in DESTINATIONS:
        rows = ledger.read(target, destination, None, None)
        months: Counter[str] = Counter()
        trips: Counter[str] = Counter()
        for cell, load in rows.items():
            months[cell.taxi] += 1
            trips[cell.taxi] += load.rows
        loaded += [
            {"taxi": taxi, "destination": destination, "months": months[taxi], "rows": trips[taxi]}
            for taxi in sorted(months)
        ]
    return loaded


def _deployed(target: Target) -> dict[str, Any]:
    """Where the flows' months come from, and which executions failed last.

    A Kestra that does not answer is itself what the status has to say.
    """
    nothing: dict[str, Any] = {"source": None, "failures": [], "alarms": [], "problem": None}
    try:
        source = target.source_words
        failed, reasons = last_failures(target.kestra(), MOST_FAILURES)
        alarms = last_alarms(target.kestra(), MOST_ALARMS)
    except MissingError:
        return nothing
    except FailedError as error:
        return {**nothing, "problem": error.message}
    return {
        **nothing,
        "source": source,
        "alarms": alarms,
        "failures": [
            {
                "execution": execution.id,
                "what": " ".join([execution.flow_id, *_month_of(execution)]),
                "start": moment(execution.start),
                "reason": reasons[execution.id],
            }
            for execution in failed
        ],
    }


def _month_of(execution: Execution) -> list[str]:
    return [text for name in ("taxi", "month") if (text := execution.labels.get(name))]


def _age(seconds: float | None) -> str:
    minutes, rest = divmod(int(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _stack_rows(stack: dict[str, Any]) -> list[tuple[str, str]]:
    labels = " ".join(f"{key}={value}" for key, value in sorted(stack["labels"].items()))
    return [(name, str(value)) for name, value in {**stack, "labels": labels}.items()]


def _render(report: dict[str, Any]) -> RenderableType:
    blocks: list[RenderableType] = []
    if report["parts"]:
        parts = [
            (
                p["name"],
                p["state"],
                p["pid"],
                p["port"],
                _age(p["uptime_s"]),
                f"{(p['rss_bytes'] or 0) / MIB:.0f}",
            )
            for p in report["parts"]
        ]
        columns = ["part", "state", "pid#", "port#", "up#", "MiB#"]
        blocks.append(table("Local cloud", columns, parts))
    if report["stack"]:
        blocks.append(table("\nStack", ["output", "value"], _stack_rows(report["stack"])))
    if report.get("problem"):
        blocks.append(Text(f"\n{report['problem']}", style="red"))
    if report.get("source"):
        blocks.append(Text(f"\nMonths come from {report['source']}"))
    if report["loaded"]:
        loads = [
            (ledger["taxi"], ledger["destination"], ledger["months"], f"{ledger['rows']:,}")
            for ledger in report["loaded"]
        ]
        columns = ["taxi", "destination", "months#", "rows#"]
        blocks.append(table("\nLoaded", columns, loads))
    if report.get("failures"):
        lines = [
            f"  {failure['start']} {failure['what']}: {failure['reason']}\n"
            f"    invoke logs --execution {failure['execution']}"
            for failure in report["failures"]
        ]
        blocks.append(Text("\n".join(["\nLast failures (UTC)", *lines])))
    if report.get("alarms"):
        lines = [
            f"  {alarm['start']} {alarm['kind']}: {alarm['text']}"
            + (
                ""
                if alarm["told"]
                else f"\n    not told: invoke logs --execution {alarm['execution']}"
            )
            for alarm in report["alarms"]
        ]
        blocks.append(Text("\n".join([f"\nAlarms of the last {DAYS} days (UTC)", *lines])))
    return Group(*blocks)


def status(target: Target, console: Console, *, env: bool, drift: bool) -> None:
    """Print what there is; with `env` shell assignments only, with `drift` Terraform's view."""
    if env:
        values = environment(target)
        show_environment(values, console)
        if not {"KESTRA_URL", "PGHOST"} <= set(values):
            console.say("Kestra and PostgreSQL are behind tunnels: `invoke tunnel` keeps them open")
        return
    if drift:
        from taxistack.commands import provision

        provision.drift(target, console)
        return
    target.check_access()
    report: dict[str, Any] = {"target": target.name, "parts": target.parts()}
    try:
        made = target.outputs
        report["stack"] = {
            **asdict(made),
            "kestra": target.lasting_kestra_url() or "behind a tunnel: invoke ui",
        }
        report["loaded"] = _loaded(target)
        report |= _deployed(target)
    except MissingError as error:
        # There may be a stack, and no way to its PostgreSQL from here.
        report = {"stack": {}, **report, "loaded": []}
        console.result(_render(report), report)
        console.summary(f"{error.message}; {error.hint}" if error.hint else error.message)
        return
    console.result(_render(report), report)
    months = sum(ledger["months"] for ledger in report["loaded"])
    console.summary(f"stack {target.settings.name} is up; loaded: {counted(months, 'month')}")
