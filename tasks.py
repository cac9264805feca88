"""The commands of taxistack. Every task calls one function of `taxistack.commands`.

    invoke --list            what there is
    invoke --help backfill   flags of one command, with examples

Settings and their defaults stand in invoke.yaml. Results go to stdout, progress to stderr.
Exit codes: 0 done; 1 ran and failed; 2 wrong use; 3 something is missing; 4 locked by someone.
"""

from __future__ import annotations

import os
import sys

# Invoke forbids it unless --write-pyc is given, so that every command would compile all of ours.
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)

from taxistack import interrupts, lean  # noqa: E402

interrupts.watch()  # before what takes long to load
lean.collect_seldom()
lean.hide_optional_packages()  # before what would load them

# isort: split

from invoke import Context  # noqa: E402

from taxi_etl.schema import TAXIS  # noqa: E402
from taxi_etl.surroundings import settle  # noqa: E402
from taxistack.commands import boundary, flags  # noqa: E402
from taxistack.commands.flags import task  # noqa: E402

settle(os.environ)
flags.refuse_wrong_use()
boundary.check_environment()

JSON = "print the result as JSON on stdout"
YES = "answer every question with yes"
DRY_RUN = "show what would be done, and change nothing"
SOURCE = (
    "month files: sample, public, a base URL, or a folder <taxi>/<taxi>_tripdata_<month>.csv.gz"
)
TAXI = f"{', '.join(TAXIS)}, several with commas, or all"
DESTINATION = "postgres, bigquery or all"
FORCE_UNLOCK = (
    "first release the state's lock with this id, left by a killed run; auto: only one of this run"
)
START = "first month, YYYY-MM (a date is reduced to its month)"
END = "last month, inclusive"


@task(
    help={
        "github": "OWNER_ID/REPOSITORY_ID of the repository whose CI may deploy; `none`: no CI may",
        "ref": "the branch or tag whose CI may deploy, e.g. refs/heads/main",
        "pool": "another workload identity pool: a deleted one keeps its name for 30 days",
        "yes": YES,
        "force_unlock": "first release the state's lock with this id, left by a killed run",
        "json": JSON,
    }
)
def setup(
    ctx: Context,
    github: str = "",
    ref: str = "",
    pool: str = "",
    yes: bool = False,
    force_unlock: str = "",
    json: bool = False,
) -> None:
    """Make a Google Cloud project ready, once: its APIs, the state bucket, CI's identity.

    What is there already is kept; it may be run again at any time.

    Example: invoke setup --github 1234/5678
    """
    from taxistack.commands import setup as command

    with boundary.command(ctx, json=json, yes=yes) as (target, console):
        command.setup(target, console, command.Identity(github, ref, pool), force_unlock)


@task(
    help={
        "auto_approve": "do not ask before changing anything (the local target never asks)",
        "force_unlock": FORCE_UNLOCK,
        "dry_run": DRY_RUN + " (as `plan`)",
        "json": JSON,
    }
)
def up(
    ctx: Context,
    auto_approve: bool = False,
    force_unlock: str = "",
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Provision the stack with Terraform and wait until Kestra answers.

    Ends by planning again: anything but an empty plan is a failure.

    Example: invoke up --auto-approve
    """
    from taxistack.commands import provision

    with boundary.command(ctx, json=json, yes=auto_approve) as (target, console):
        if dry_run:
            provision.plan(target, console, out="", detailed_exitcode=False)
        else:
            provision.up(target, console, force_unlock=force_unlock)


@task(
    help={
        "out": "save the plan to this file",
        "detailed_exitcode": "end with 10 when there are changes",
        "json": JSON,
    }
)
def plan(ctx: Context, out: str = "", detailed_exitcode: bool = False, json: bool = False) -> None:
    """Show what `up` would change.

    Example: invoke plan --out next.tfplan
    """
    from taxistack.commands import provision

    with boundary.command(ctx, json=json) as (target, console):
        provision.plan(target, console, out=out, detailed_exitcode=detailed_exitcode)


@task(
    help={
        "yes": YES,
        "keep_data": "keep the lake and the tables",
        "force_unlock": FORCE_UNLOCK,
        "dry_run": DRY_RUN,
        "json": JSON,
    }
)
def down(
    ctx: Context,
    yes: bool = False,
    keep_data: bool = False,
    force_unlock: str = "",
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Destroy the stack, and prove by an inventory that nothing is left.

    Example: invoke down --yes
    """
    from taxistack.commands import provision

    with boundary.command(ctx, json=json, yes=yes) as (target, console):
        provision.down(
            target, console, keep_data=keep_data, force_unlock=force_unlock, dry_run=dry_run
        )


@task(
    help={
        "older_than": "only what has not changed for so long: 30m, 6h, 2d",
        "yes": "remove it; without, only show what would go",
        "dry_run": DRY_RUN,
        "json": JSON,
    }
)
def sweep(
    ctx: Context,
    older_than: str = "6h",
    yes: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Remove what lost runs have left: their stacks, and locally engine builds that nobody uses.

    What was made by hand (label `run` = manual) is told and let be.

    Example: invoke sweep --older-than 6h --yes
    """
    from taxistack.commands import sweep as command

    with boundary.command(ctx, json=json, yes=yes) as (target, console):
        command.sweep(target, console, older_than=older_than, dry_run=dry_run)


@task
def stop(ctx: Context) -> None:
    """Stop the local cloud; everything is kept.

    Example: invoke stop
    """
    from taxistack.commands import power

    with boundary.command(ctx) as (target, console):
        power.stop(target, console)


@task
def start(ctx: Context) -> None:
    """Start the local cloud again after `stop`.

    Example: invoke start
    """
    from taxistack.commands import power

    with boundary.command(ctx) as (target, console):
        power.start(target, console)


@task(
    help={
        "source": SOURCE,
        "prune": "delete flows, files and KV pairs of the namespace that are not in this clone",
        "watch": "push again whenever a flow or a file of the ETL is saved, until Ctrl-C",
        "yes": YES,
        "dry_run": DRY_RUN,
        "json": JSON,
    }
)
def deploy_flows(
    ctx: Context,
    source: str = "",
    prune: bool = False,
    watch: bool = False,
    yes: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Validate all flows, then push what changed: flows, the ETL's files, settings.

    Example: invoke deploy-flows --source public
    """
    from taxistack.commands import flows, watching

    with boundary.command(ctx, json=json, yes=yes, source=source or None) as (target, console):
        if watch:
            watching.refuse_beside(prune=prune, dry_run=dry_run, json=json)
            watching.watch(target, console, source=source)
            return
        flows.deploy_flows(target, console, source=source, prune=prune, dry_run=dry_run)


@task(
    positional=["flow"],
    iterable=["input"],
    help={
        "flow": "the flow's id, e.g. hello_world",
        "input": "an input, name=value (a path for one of type FILE); once for each",
        "json": JSON,
    },
)
def run(ctx: Context, flow: str, input: list[str], json: bool = False) -> None:
    """Start a flow, wait for its end, and print its log, outputs and state.

    Example: invoke run hello_world --input name=Ada
    """
    from taxistack.commands import executions

    with boundary.command(ctx, json=json) as (target, console):
        executions.run(target, console, flow=flow, inputs=input)


@task(
    help={
        "failed": "only those that failed or were ended",
        "flow": "only those of this flow",
        "since": "only those that started after: 30m, 12h, 7d, or a date (UTC)",
        "limit": "how many at most, newest first",
        "json": JSON,
    }
)
def executions(
    ctx: Context,
    failed: bool = False,
    flow: str = "",
    since: str = "",
    limit: int = 20,
    json: bool = False,
) -> None:
    """List the executions of the flows, newest first, and why those failed that did.

    Example: invoke executions --failed --since 7d
    """
    from taxistack.commands import executions as command

    with boundary.command(ctx, json=json) as (target, console):
        command.executions(target, console, failed=failed, flow=flow, since=since, limit=limit)


@task(positional=["name"], help={"name": "an execution's id, or a backfill's name (bf-…)"})
def cancel(ctx: Context, name: str) -> None:
    """End an execution and all that it started; what is loaded stays loaded.

    Example: invoke cancel bf-20190401-090000-1a2b
    """
    from taxistack.commands import executions

    with boundary.command(ctx) as (target, console):
        executions.cancel(target, console, name=name)


@task(
    help={
        "start": START,
        "end": END,
        "taxi": TAXI + "; default: yellow and green",
        "destination": DESTINATION,
        "only": "missing, failed (stale counts as failed) or all",
        "order": "oldest or newest first",
        "parallel": "months loaded side by side; default: setting `parallel`",
        "max_failures": "cancel the rest after this many failed months (0: never)",
        "max_cost": "start nothing if BigQuery would bill more than so many USD for it",
        "dry_run": DRY_RUN,
        "force": "replace lake objects that differ from the source",
        "json": JSON,
    }
)
def backfill(
    ctx: Context,
    start: str = "",
    end: str = "",
    taxi: str = "",
    destination: str = "all",
    only: str = "missing",
    order: str = "oldest",
    parallel: int | None = None,
    max_failures: int = 0,
    max_cost: str = "",
    dry_run: bool = False,
    force: bool = False,
    json: bool = False,
) -> None:
    """Load the months of a range that are missing, failed, or all of them.

    Example: invoke backfill --start 2019-01 --end 2019-12 --taxi yellow --only missing
    """
    from taxistack.commands import months

    with boundary.command(ctx, json=json, parallel=parallel) as (target, console):
        months.backfill(
            target,
            console,
            months.scope(start, end, taxi, destination),
            only=only,
            order=order,
            max_failures=max_failures,
            max_cost=max_cost,
            dry_run=dry_run,
            force=force,
        )


@task(
    help={
        "start": START + "; default: every month that is loaded",
        "end": END,
        "taxi": TAXI + "; default: what is loaded, and yellow and green in a range",
        "destination": DESTINATION,
        "repair": "reload what differs",
        "report": "write index.html and report.md into this folder",
        "json": JSON,
    }
)
def verify(
    ctx: Context,
    start: str = "",
    end: str = "",
    taxi: str = "",
    destination: str = "all",
    repair: bool = False,
    report: str = "",
    json: bool = False,
) -> None:
    """Prove every loaded month equal to its source; exit code 1 on any difference.

    Example: invoke verify --start 2019-01 --end 2019-12 --report report
    """
    from taxistack.commands import months

    with boundary.command(ctx, json=json) as (target, console):
        months.verify(
            target,
            console,
            months.scope(start, end, taxi, destination, optional=True),
            repair=repair,
            report=report,
        )


@task(help={"list": "show the backups that there are, and make none", "json": JSON})
def backup(ctx: Context, list: bool = False, json: bool = False) -> None:
    """Keep what can't be loaded again: Kestra's database and PostgreSQL.

    Example: invoke backup
    """
    from taxistack.commands import backup as command

    with boundary.command(ctx, json=json) as (target, console):
        if list:
            command.backups(target, console)
        else:
            command.backup(target, console)


@task(
    help={
        "name": "the backup: its name (`invoke backup --list`), or latest",
        "yes": YES,
        "json": JSON,
    },
)
def restore(ctx: Context, name: str = "latest", yes: bool = False, json: bool = False) -> None:
    """Put a backup in the place of what the stack holds, and compare it with what was kept.

    Example: invoke restore --name latest
    """
    from taxistack.commands import backup as command

    with boundary.command(ctx, json=json, yes=yes) as (target, console):
        command.restore(target, console, name=name)


@task(
    help={
        "to": "the Kestra version, such as 2.0.9; default: the setting kestra_version",
        "auto_approve": "do not ask before changing anything",
        "json": JSON,
    }
)
def upgrade(ctx: Context, to: str = "", auto_approve: bool = False, json: bool = False) -> None:
    """Run a newer Kestra over the same data: backup, new server, smoke run, and the way back.

    Example: invoke upgrade --to 2.0.9
    """
    from taxistack.commands import upgrade as command

    with boundary.command(ctx, json=json, yes=auto_approve, kestra_version=to or None) as (
        target,
        console,
    ):
        command.upgrade(target, console)


@task(
    help={
        "env": "print endpoints and connection strings as shell assignments",
        "dbt": "print a dbt profile for BigQuery and PostgreSQL; it holds passwords",
        "drift": "ask Terraform what was changed behind its back",
        "json": JSON,
    }
)
def status(
    ctx: Context, env: bool = False, dbt: bool = False, drift: bool = False, json: bool = False
) -> None:
    """Show the parts, the stack and what is loaded.

    Example: eval "$(invoke status --env)" && psql
    """
    from taxistack.commands import dbt as profile
    from taxistack.commands import status as command

    with boundary.command(ctx, json=json) as (target, console):
        if dbt:
            profile.show(target, console)
        else:
            command.status(target, console, env=env, drift=drift)


@task(
    help={
        "execution": "the log of this Kestra execution and of its subflows",
        "part": "the log of a local part: storage, warehouse, postgres, releases, google, kestra",
        "lines": "how many of the last lines",
    }
)
def logs(ctx: Context, execution: str = "", part: str = "", lines: int = 50) -> None:
    """Show the log of an execution, or of a part of the local cloud.

    Example: invoke logs --execution 4kK2…
    """
    from taxistack.commands import logs as command

    with boundary.command(ctx) as (target, console):
        command.logs(target, console, execution=execution, part=part, lines=lines)


@task(
    help={
        "kestra_port": "where Kestra shall answer here (0: 8080 where that is free, else any)",
        "postgres_port": "where PostgreSQL shall answer here (0: 5432 or any)",
        "json": JSON,
    }
)
def tunnel(ctx: Context, kestra_port: int = 0, postgres_port: int = 0, json: bool = False) -> None:
    """Keep ways to Kestra and PostgreSQL open until Ctrl-C, for psql, notebooks and BI tools.

    Only Google Cloud needs it; other commands open what they need by themselves.

    Example: invoke tunnel --postgres-port 5433
    """
    from taxistack.commands import tunnel as command

    with boundary.command(ctx, json=json) as (target, console):
        command.tunnel(target, console, kestra_port=kestra_port, postgres_port=postgres_port)


@task(
    help={
        "port": "port of the page on 127.0.0.1; 0: 8580 where it is free, else any other",
        "browser": "open the page in the browser",
        "json": JSON,
    }
)
def ui(ctx: Context, port: int = 0, browser: bool = True, json: bool = False) -> None:
    """Open the stack in the browser, until Ctrl-C: flows, executions, triggers, months.

    With Kestra in Docker and on Google Cloud, Kestra's own page is opened, there through a tunnel;
    the months are on this one.

    Example: invoke ui --no-browser
    """
    lean.bring_back("anyio", "click")  # the page is a server
    from taxistack.commands import ui as command

    with boundary.command(ctx, json=json) as (target, console):
        command.ui(target, console, port=port, browser=browser)


@task(help={"json": JSON})
def doctor(ctx: Context, json: bool = False) -> None:
    """Check what this machine has, and say what is missing; exit code 3 then.

    Example: invoke doctor
    """
    from taxistack.commands import doctor as command

    with boundary.command(ctx, json=json) as (target, console):
        command.doctor(target, console)


@task(
    help={
        "source": SOURCE,
        "start": START + "; default: setting `start`",
        "end": END + "; default: setting `end`",
        "parallel": "months loaded side by side; default: setting `parallel`",
        "report": "write index.html and report.md into this folder",
        "json": JSON,
    }
)
def demo(
    ctx: Context,
    source: str = "",
    start: str = "",
    end: str = "",
    parallel: int | None = None,
    report: str = "",
    json: bool = False,
) -> None:
    """Bring everything up, load months into both destinations, and prove them.

    Example: invoke demo --source public --start 2019-01 --end 2019-03
    """
    from taxistack.commands import demo as command

    with boundary.command(
        ctx,
        json=json,
        yes=True,
        parallel=parallel,
        source=source or None,
        start=start or None,
        end=end or None,
    ) as (target, console):
        command.demo(target, console, source=source, report=report)


@task(help={"json": JSON})
def homework(ctx: Context, json: bool = False) -> None:
    """Answer the course's questions from the ledger and the tables.

    Example: invoke homework
    """
    from taxistack.commands import months

    with boundary.command(ctx, json=json) as (target, console):
        months.homework(target, console)


@task(
    help={
        "only": "a pytest expression or path, e.g. tests/unit",
        "fast": "leave out the tests that start the local platform",
        "faults": "every fault instead, and docs/reliability.md anew from what they find",
    }
)
def test(ctx: Context, only: str = "", fast: bool = False, faults: bool = False) -> None:
    """Run formatting checks, linters and every test.

    Example: invoke test --only tests/unit
    """
    from taxistack.commands import checks

    with boundary.command(ctx, private=False) as (_, console):
        checks.test(console, only=only, fast=fast, faults=faults)


@task(
    help={
        "name": "one benchmark, e.g. etl_extract; default: all",
        "check": "compare ratios with the committed ones instead of writing them",
    }
)
def bench(ctx: Context, name: str = "", check: bool = False) -> None:
    """Measure against what one would run instead; rewrite the results and docs/performance.md.

    Example: invoke bench --name etl_extract
    """
    from taxistack.commands import checks

    with boundary.command(ctx, private=False) as (_, console):
        checks.bench(console, name=name, check=check)
