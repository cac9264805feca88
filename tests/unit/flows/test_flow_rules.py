"""Rules that every flow file keeps, checked on the text; the engine checks the language itself."""

from __future__ import annotations

import re

import pytest
from tests.unit.flows.conftest import tasks_of

from taxi_etl.destinations import MODULES
from taxi_etl.schema import TAXIS

SEQUENTIAL = "io.kestra.plugin.core.flow.Sequential"
COMMANDS = "io.kestra.plugin.scripts.python.Commands"
ETL_FLOWS = ["taxi_to_bigquery", "taxi_to_postgres"]


def test_the_file_is_named_after_the_flow_and_says_what_it_is(flow, path):
    assert (flow["id"], flow["namespace"]) == (path.stem, "taxi")
    assert "**" in flow["description"], "the first thing a reader of the UI sees"


def test_nothing_of_kestra_1_is_used(flow, tasks):
    assert not {"pluginDefaults", "taskDefaults", "listeners"} & set(flow)
    removed = ("ForEach", "EachSequential", "EachParallel", "ForEachItem", "Template")
    assert not [one["id"] for one in tasks if one["type"].endswith(removed)]
    assert not [one for one in flow.get("inputs", []) if one["type"] in ("BOOLEAN", "ENUM")]
    assert not [one for one in flow.get("triggers", []) if "conditions" in one]


def test_every_default_operator_stands_in_parentheses(path):
    """Kestra 2.0 binds `??` looser than a filter, 1.3 tighter: only parentheses mean the same."""
    for expression in re.findall(r"\{\{.*?\}\}", path.read_text(), re.DOTALL):
        for match in re.finditer(r"\?\?", expression):
            before = expression[: match.start()]
            assert before.count("(") > before.count(")"), expression
            assert re.search(r"\(\s*[\w.\[\]' ~]+(\([^()]*\))?[\w.\[\]']*\s*$", before), expression


def test_a_retried_task_stands_first_in_a_sequential_of_its_own(flow, tasks, task_lists):
    alone = [
        one["id"] for outer in tasks if outer["type"] == SEQUENTIAL for one in outer["tasks"][:1]
    ]
    assert {one["id"] for one in tasks if "retry" in one} <= set(alone)
    for one in tasks:
        if "retry" in one:
            assert one["retry"]["maxAttempts"] <= 3


def test_every_process_has_a_time_limit_and_drops_the_servers_secrets(tasks):
    for one in tasks:
        if one["type"] == COMMANDS:
            assert "timeout" in one
            assert one["taskRunner"]["type"] == "io.kestra.plugin.core.runner.Process"
            drop = (
                "unset SECRET_EMULATOR_KEY SECRET_POSTGRES_PASSWORD SECRET_KESTRA_PASSWORD"
                " BASIC_AUTH_PASSWORD DATABASE_PASSWORD"
            )
            assert one["beforeCommands"] == [drop]


def test_no_command_holds_an_expression(tasks):
    """What a user types reaches a command by its environment, never by its text."""
    for one in tasks:
        if one["type"] == COMMANDS:
            assert "{{" not in " ".join(one["commands"])
            for content in one.get("inputFiles", {}).values():
                assert "{{" not in content or content.startswith("{{")


def test_commands_need_nothing_but_a_shell_and_python(tasks):
    for one in tasks:
        for command in one.get("commands", []):
            assert command.startswith("python ")
            assert not re.search(r"[|;&`]|\$\(", command)


def test_every_input_has_a_name_for_people(flow):
    assert [one["id"] for one in flow.get("inputs", []) if not one.get("displayName")] == []


def test_schedules_name_their_zone_and_do_not_catch_up(flow):
    for one in flow.get("triggers", []):
        assert (one["timezone"], one["recoverMissedSchedules"]) == ("UTC", "NONE")


def test_queues_wait_instead_of_failing(flow):
    assert flow.get("concurrency", {}).get("behavior", "QUEUE") == "QUEUE"


def test_task_ids_are_unique(tasks):
    ids = [one["id"] for one in tasks]
    assert len(ids) == len(set(ids))


def test_no_yaml_anchor_is_used(path):
    """Kestra reads an alias as its own name, so an anchor would change what is run."""
    assert not re.search(r"(?m)(?:^|\s)(?:[-:]\s+)[&*]\w+\s*$", path.read_text())


def test_the_password_goes_only_where_postgres_is_used(flow, tasks):
    holders = {one["id"] for one in tasks if "PGPASSWORD" in one.get("env", {})}
    wanted = {
        "taxi_to_postgres": {"load", "reconcile"},
        "taxi_zones": {"postgres"},
        "taxi_analytics": {"postgres"},
    }
    assert holders == wanted.get(flow["id"], set())


@pytest.mark.parametrize("name", ETL_FLOWS)
def test_the_etl_flows_run_the_courses_schedule(named, name):
    found = {one["id"]: (one["cron"], one["inputs"]) for one in named(name)["triggers"]}
    assert found == {
        "green": ("0 9 1 * *", {"taxi": "green"}),
        "yellow": ("0 10 1 * *", {"taxi": "yellow"}),
    }
    assert not [one for one in named(name)["triggers"] if one.get("disabled")]


@pytest.mark.parametrize("name", ETL_FLOWS)
def test_the_etl_flows_label_every_run(named, name):
    first = named(name)["tasks"][0]
    assert first["type"] == "io.kestra.plugin.core.execution.Labels"
    assert {*first["labels"], *named(name)["labels"]} == {
        "taxi",
        "month",
        "destination",
        "backfill",
    }


@pytest.mark.parametrize(
    "name", [*ETL_FLOWS, "taxi_backfill", "taxi_zones", "taxi_analytics", "getting_started"]
)
def test_a_failure_ends_with_a_line_that_says_why(named, name):
    last = named(name)["errors"][-1]
    assert (last["type"], last["level"]) == ("io.kestra.plugin.core.log.Log", "ERROR")
    assert "errorLogs()" in last["message"]


POSTGRES = ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD")
WAREHOUSE = ("BIGQUERY_EMULATOR_HOST", "DATASET", "LOCATION", "MAXIMUM_BYTES")
PLACES = {
    # what the steps of each flow get beside what both get: load, reconcile
    "taxi_to_postgres": ("postgres", "PostgreSQL", {"load": {*POSTGRES}, "reconcile": {*POSTGRES}}),
    "taxi_to_bigquery": (
        "bigquery",
        "BigQuery",
        {"load": {*WAREHOUSE, "STAGING_DATASET"}, "reconcile": {*WAREHOUSE}},
    ),
}


def test_the_two_etl_flows_are_one_text_but_for_the_destination(named, text):
    """Each is whole, as the UI shows it, and is the other with another destination.

    Without the destination's name and the lines that say where it is, nothing may be left that
    differs, down to the comments: a change to one belongs into both.
    """
    bare = []
    for flow, (name, title, own) in PLACES.items():
        tasks = {one["id"]: {*one["env"]} for one in tasks_of(named(flow)) if "env" in one}
        places = {variable for variables in own.values() for variable in variables}
        assert {task: env & places for task, env in tasks.items() if env & places} == own
        lines = [
            line for line in text(flow).splitlines() if line.partition(":")[0].strip() not in places
        ]
        bare.append("\n".join(lines).replace(title, "TITLE").replace(name, "NAME"))
    one, other = (text.replace("taxi_to_NAME` or", "") for text in bare)
    assert one == other


def test_a_backfill_has_one_loop_for_each_width_and_they_are_one_text(named, text):
    """A Loop's width is a plain number in Kestra 2.0: eight Loops, and none may drift."""
    width = next(one for one in named("taxi_backfill")["inputs"] if one["id"] == "parallel")
    found = text("taxi_backfill")
    cases = re.split(r'(?m)^      "(\d+)":\n', found[: found.index("\n  - id: all_loaded")])
    assert cases[1::2] == [str(n) for n in range(width["min"], width["max"] + 1)]
    first = cases[2].strip()
    for number, case in zip(cases[1::2], cases[2::2], strict=True):
        expected = re.sub(r"(?<=months_)1|(?<=month_)1|(?<=concurrencyLimit: )1", number, first)
        assert case.strip() == expected


def test_every_series_can_be_asked_for_and_no_other(named):
    for flow in ETL_FLOWS:
        taxi = next(one for one in named(flow)["inputs"] if one["id"] == "taxi")
        assert set(taxi["values"]) == set(TAXIS)
    bad = named("taxi_backfill")["variables"]["bad"]
    assert [set(one.split("|")) for one in re.findall(r"taxi // .*?\^\((.*?)\)\$", bad)] == [
        {*TAXIS}
    ]
    assert [set(one.split("|")) for one in re.findall(r"destination // .*?\^\((.*?)\)\$", bad)] == [
        {*MODULES}
    ]


@pytest.mark.parametrize("destination", sorted(MODULES))
def test_every_destination_has_its_flow(named, destination):
    flow = named(f"taxi_to_{destination}")
    assert flow["labels"] == {"destination": destination}
