"""A deployment checks everything first, writes only what differs, and says what it did."""

from __future__ import annotations

import io
import zipfile

import pytest

from taxistack.deploy import Change, deploy
from taxistack.errors import FailedError, MissingError, UsageError

EVERYTHING = {
    ("flow", "etl_environment"),
    ("flow", "hello_world"),
    ("file", "taxi_etl.pyz"),
    ("key", "bucket"),
    ("key", "source"),
}


@pytest.fixture
def run(client, repository):
    """Deploy the repository."""

    def go(**more):
        return deploy(client, repository.flows, repository.etl, repository.kv, **more)

    return go


def by_action(report, action):
    return {(one.kind, one.name) for one in report.changes if one.action == action}


def packed(server):
    """The sources that are in the ETL's archive, by name."""
    with zipfile.ZipFile(io.BytesIO(server.files["taxi_etl.pyz"])) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}


def test_an_empty_server_gets_everything_and_nothing_else(run, server, repository):
    report = run()
    assert by_action(report, "created") == EVERYTHING
    assert report.summary() == "5 created"
    assert report.changed
    assert set(server.flows) == {"etl_environment", "hello_world"}
    assert packed(server) == {"taxi_etl/__init__.py": b"", "taxi_etl/cli.py": b"print()"}
    assert server.keys == repository.kv


def test_a_second_run_changes_nothing(run, server):
    run()
    server.writes.clear()
    report = run()
    assert server.writes == []
    assert not report.changed
    assert report.summary() == "5 unchanged"


def test_only_what_differs_is_written(run, server, repository):
    run()
    server.writes.clear()
    repository.write("hello_world", "id: hello_world\nnamespace: taxi\n# changed\n")
    (repository.etl / "cli.py").write_text("print(1)")
    repository.kv["source"] = "http://elsewhere.test"
    report = run()
    assert by_action(report, "updated") == {
        ("flow", "hello_world"),
        ("file", "taxi_etl.pyz"),
        ("key", "source"),
    }
    assert server.writes == [
        "POST /namespaces/taxi/files /taxi_etl.pyz",
        "PUT /namespaces/taxi/kv/source",
        "PUT /flows/taxi/hello_world",
    ]


def test_a_new_etl_comes_in_one_piece(run, server, repository):
    """A step that starts meanwhile has the old files or the new ones, never some of each."""
    run()
    server.writes.clear()
    for name in ("__init__.py", "cli.py", "new.py"):
        (repository.etl / name).write_text("# a new edition")
    assert by_action(run(), "updated") == {("file", "taxi_etl.pyz")}
    assert server.writes == ["POST /namespaces/taxi/files /taxi_etl.pyz"]
    assert set(packed(server).values()) == {b"# a new edition"}


def test_one_invalid_flow_stops_everything_and_is_named_with_its_reason(run, server, repository):
    server.invalid["hello_world"] = "tasks: must not be empty"
    with pytest.raises(UsageError, match=r"hello_world\.yaml: tasks: must not be empty"):
        run(expected_requirements="whatever")
    assert server.writes == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            "id: [",
            r'broken.yaml: not YAML:\n  while parsing .*\n  .*\n    in "broken.yaml", line 1',
        ),
        ("id: other\nnamespace: taxi", "must be flow `broken` of namespace `taxi`"),
        ("id: broken\nnamespace: other", "must be flow `broken` of namespace `taxi`"),
        ("- a list", "must be flow `broken` of namespace `taxi`"),
    ],
)
def test_a_file_that_is_no_flow_of_ours_is_named(run, server, repository, text, rule):
    repository.write("broken", text)
    with pytest.raises(UsageError, match=rule):
        run()
    assert server.writes == []


def test_a_flow_may_be_called_yml_and_is_not_passed_over(run, server, repository):
    (repository.flows / "mine.yml").write_text("id: mine\nnamespace: taxi\n")
    run()
    assert "mine" in server.flows
    repository.write("mine")
    with pytest.raises(UsageError, match=r"mine\.yml: there is mine\.yaml too"):
        run()


def test_a_dry_run_says_the_same_and_writes_nothing(run, server):
    fill(server)
    asked = []
    planned = run(
        dry_run=True, prune=True, expected_requirements="sha-of-the-server", before=asked.append
    )
    assert (server.writes, server.executions, asked) == ([], set(), [])
    done = run(prune=True, expected_requirements="sha-of-the-server", before=asked.append)
    assert sorted(map(str, planned.changes)) == sorted(map(str, done.changes))
    assert len(asked) == 1


def test_who_says_no_before_the_changes_is_heeded(run, server):
    def no(changes):
        raise FailedError("not confirmed")

    fill(server)
    with pytest.raises(FailedError, match="not confirmed"):
        run(prune=True, before=no)
    assert server.writes == []


def test_empty_folders_are_refused(client, tmp_path, repository):
    with pytest.raises(UsageError, match="no flow"):
        deploy(client, tmp_path, repository.etl, {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="nothing to deploy in"):
        deploy(client, repository.flows, tmp_path / "empty", {})


def test_a_server_with_other_packages_is_refused(run, server):
    with pytest.raises(MissingError, match="are not those that the ETL needs") as caught:
        run(expected_requirements="sha-of-the-repository")
    assert "sha-of-the-r" in str(caught.value)
    assert "sha-of-the-s" in str(caught.value)
    assert "nothing but the flow etl_environment was deployed" in str(caught.value)
    assert server.writes == ["POST /flows"]
    assert set(server.flows) == {"etl_environment"}
    with pytest.raises(MissingError, match=r"\); nothing was deployed"):
        run(expected_requirements="sha-of-the-repository")
    assert server.writes == ["POST /flows"]


def test_a_server_that_does_not_know_its_packages_is_refused(run, server):
    server.requirements = ""
    with pytest.raises(MissingError, match="an unknown one"):
        run(expected_requirements="sha-of-the-repository")


def test_a_server_with_the_right_packages_is_deployed_to(run, server):
    report = run(expected_requirements="sha-of-the-server")
    assert by_action(report, "created") == EVERYTHING
    assert len(report.changes) == len(EVERYTHING)
    server.writes.clear()
    assert not run(expected_requirements="sha-of-the-server").changed
    assert server.writes == []


def test_the_question_leaves_no_execution_behind(run, server):
    run(expected_requirements="sha-of-the-server")
    assert server.executions == set()


def test_a_server_that_cannot_say_is_an_error_and_its_execution_stays(run, server):
    server.environment_state = "FAILED"
    with pytest.raises(FailedError, match="ended FAILED") as caught:
        run(expected_requirements="sha-of-the-server")
    assert caught.value.hint == "invoke logs --execution x1"
    assert server.executions == {"x1"}


def fill(server):
    server.flows["old"] = "id: old"
    server.files["taxi_etl/old.py"] = b""
    server.files["notes/readme.md"] = b""
    server.keys["old"] = "x"


EXTRA = {
    ("flow", "old"),
    ("file", "taxi_etl/old.py"),
    ("file", "notes/readme.md"),
    ("key", "old"),
}


def test_what_is_not_in_the_repository_is_named_and_left_alone(run, server):
    fill(server)
    report = run()
    assert by_action(report, "extra") == EXTRA
    assert "old" in server.flows
    assert report.summary() == "5 created, 4 extra (left alone; --prune deletes them)"


def test_prune_removes_what_is_not_in_the_repository(run, server):
    fill(server)
    report = run(prune=True)
    assert by_action(report, "pruned") == EXTRA
    assert set(server.flows) == {"etl_environment", "hello_world"}
    assert set(server.files) == {"taxi_etl.pyz"}
    assert "old" not in server.keys
    server.writes.clear()
    assert not run(prune=True).changed
    assert server.writes == []


def test_a_failure_half_way_says_how_far_it_got_and_a_second_run_goes_on(run, server):
    server.broken = "/namespaces/taxi/kv/source"
    with pytest.raises(FailedError, match=r"stopped at key source after 2 of 5 changes: .*disk"):
        run()
    server.broken = None
    report = run()
    assert (report.count("unchanged"), report.count("created")) == (2, 3)


def test_a_report_is_json_ready(run):
    assert {"kind": "key", "name": "bucket", "action": "created"} in run().to_json()
    assert Change("key", "bucket", "created") in run().changes or not run().changed
