"""The pages of docs/reference, made from the code: `python -m taxistack.reference`.

A test fails when a page differs from what this module renders.
"""

from __future__ import annotations

import ast
import copy
import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from invoke import Argument, Collection, Task

from taxi_etl import destinations, schema, zones
from taxistack.settings import ROOT

PAGES = ROOT / "docs" / "reference"
MADE = "<!-- Made by `python -m taxistack.reference`; change the code, not this page. -->\n\n"
COMMANDS_HEAD = """\
`invoke NAME` in the clone, or `taxistack NAME` from any folder. Results go to stdout, progress to
stderr. Every command ends with 0 (done), 1 (ran and failed), 2 (wrong use), 3 (something is
missing) or 4 (locked by someone else); `--debug` adds a traceback.
"""
TABLES_HEAD = """\
A table for each series, with the same columns in both destinations: those of the TLC's CSV files,
and four of this kit's. `unique_row_id` is made from the file's name and the row; `filename` and
`source_month` say which file the row is from (the tables are partitioned by `source_month`);
`loaded_at` is the moment of the load. PostgreSQL has the names in small letters. The ledger has a
row for each load.
"""
FLOWS_HEAD = """\
All in namespace `taxi`. `invoke run NAME --input name=value` starts one, and so do the page of
`invoke ui` and Kestra's API. An input without a default must be given, unless it is optional.
"""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(header), "|" + "---|" * len(header), *map(line, rows)]) + "\n"


def collection() -> Collection:
    """The tasks of tasks.py, a copy: Invoke takes the help out of a task that it reads."""
    # tasks.py stands at the top of the clone, where Invoke looks for it; it is no package.
    sys.path.insert(0, str(ROOT))
    try:
        import tasks
    finally:
        sys.path.remove(str(ROOT))
    return copy.deepcopy(Collection.from_module(tasks))


def commands() -> str:
    """Every Invoke task: what it does, its flags, an example."""
    tasks = collection()
    parts = ["# Commands\n", COMMANDS_HEAD]
    for name in tasks.task_names:
        task = tasks[name]
        text = re.sub(r"\n +", "\n", task.__doc__ or "").strip()
        prose, _, example = text.partition("Example: ")
        parts.append(f"## invoke {name}\n\n{prose.strip()}\n")
        rows = [
            (", ".join(f"`{flag}`" for flag in argument_flags(argument)), argument.help or "")
            for argument in arguments(task)
        ]
        if rows:
            parts.append(_table(["flag", "meaning"], rows))
        if example:
            parts.append(f"Example: `{example.strip()}`\n")
    return MADE + "\n".join(parts)


def arguments(task: Task[Any]) -> list[Argument]:
    """The arguments of a task with their help.

    Asked of a copy, because Invoke takes the help out of a task when it hands it out.
    """
    return copy.deepcopy(task).get_arguments()


def argument_flags(argument: Argument) -> list[str]:
    """The spellings of one argument, long one first, as they are typed."""
    names = sorted(argument.names, key=len, reverse=True)
    return [("--" if len(name) > 1 else "-") + name.replace("_", "-") for name in names]


def settings() -> str:
    """Every setting with its default, its comment in invoke.yaml, and what there is to know."""
    rows: list[list[str]] = []
    for line in (ROOT / "invoke.yaml").read_text().splitlines():
        match = re.fullmatch(r"  (\w+): (.*?)(?:\s+# (.*))?", line)
        if match:
            name, default, meaning = match.groups()
            variable = f"`INVOKE_TAXISTACK_{name.upper()}`"
            rows.append([f"`{name}`", f"`{default.strip()}`", meaning or "", variable])
    text = (
        "# Settings\n\nThey stand in `invoke.yaml`; an environment variable wins over the file, "
        "a flag over both. `invoke -f my.yaml COMMAND` reads settings from a file of your own, "
        "below the same key `taxistack`, over those of `invoke.yaml`: one file for each stack "
        "that you have.\n\n"
    )
    more = "".join(f"\n## {name}\n\n{text}\n" for name, text in explanations().items())
    return MADE + text + _table(["setting", "default", "meaning", "environment"], rows) + more


def explanations() -> dict[str, str]:
    """What settings.py says of a setting, by its name: the text below its field."""
    tree = ast.parse((ROOT / "src" / "taxistack" / "settings.py").read_text(encoding="utf-8"))
    (body,) = (node.body for node in tree.body
               if isinstance(node, ast.ClassDef) and node.name == "Settings")  # fmt: skip
    return {
        field.target.id: " ".join(str(text.value.value).split())
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def tables() -> str:
    """The columns of the tables and of the ledger, with their types in both destinations."""
    parts = ["# Tables\n", TABLES_HEAD]
    for taxi in schema.TAXIS.values():
        parts += [f"## {taxi.table}\n", _columns(schema.table_columns(taxi))]
    parts += [f"## {schema.LEDGER}\n", (schema.LEDGER_VIEW + ": the last row of each month.\n")]
    parts.append(_columns(schema.LEDGER_COLUMNS))
    text = "What the trips' location ids mean; the flow `taxi_zones` loads it.\n"
    parts += [f"## {zones.TABLE}\n", text, _columns(zones.COLUMNS)]
    return MADE + "\n".join(parts)


def _columns(columns: Iterable[schema.Column]) -> str:
    places = [destinations.get(name) for name in sorted(destinations.MODULES)]
    rows = [(f"`{c.name}`", *(place.types[c.kind] for place in places)) for c in columns]
    return _table(["column", *(place.title for place in places)], rows)


def flows() -> str:
    """Every flow: its description, inputs and triggers."""
    parts = ["# Flows\n", FLOWS_HEAD]
    for path in sorted((ROOT / "flows").glob("*.yaml")):
        flow = yaml.safe_load(path.read_text())
        parts.append(f"## {flow['id']}\n\n{flow.get('description', '').strip()}\n")
        inputs = [
            (
                f"`{field['id']}`",
                field["type"],
                field.get("displayName", ""),
                str(field.get("defaults", "")),
            )
            for field in flow.get("inputs", [])
        ]
        if inputs:
            parts.append(_table(["input", "type", "meaning", "default"], inputs))
        for trigger in flow.get("triggers", []):
            if "cron" in trigger:
                when = f"`{trigger['cron']}` {trigger['timezone']}"
            else:
                when = f"an execution ends as {', '.join(trigger['states'])}"
            parts.append(f"Trigger `{trigger['id']}`: {when}.\n")
    return MADE + "\n".join(parts)


def pages() -> dict[Path, str]:
    """Every page of the reference, by its path."""
    made = {"commands": commands, "settings": settings, "tables": tables, "flows": flows}
    return {PAGES / f"{name}.md": render().rstrip() + "\n" for name, render in made.items()}


if __name__ == "__main__":
    PAGES.mkdir(parents=True, exist_ok=True)
    for page, text in pages().items():
        page.write_text(text)
