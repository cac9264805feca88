import json
import re
import shlex
import subprocess
import sys
from datetime import date

import pytest

from taxi_etl import cli

MONTH = ["--taxi", "green", "--month", "2020-10"]
BIGQUERY = ["--destination", "bigquery"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["extract", "--taxi", "blue", "--month", "2020-10"], "invalid choice: 'blue'"),
        (["extract", "--taxi", "green", "--month", "2020-13"], "not a month of the calendar"),
        (["extract", *MONTH, "--source", "http://x"], "required: --bucket"),
        (
            ["extract", *MONTH, "--source", "http://x", "--bucket", "A b"],
            "not the name of a bucket",
        ),
        (["load", *MONTH, "--destination", "mysql"], "invalid choice: 'mysql'"),
        (["load", *MONTH, *BIGQUERY, "--attempt", "0"], "not a whole number above 0"),
        (["sample", *MONTH, "--rows", "-1", "--out", "x"], "not a whole number above 0"),
        (["publish"], "invalid choice: 'publish'"),
        ([], "required: STEP"),
    ],
)
def test_wrong_use_names_the_flag_and_exits_with_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("step", ["extract", "load", "reconcile", "sample"])
def test_help_explains_every_flag_and_gives_an_example_that_parses(step, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit):
        cli.main([step, "--help"])
    flags, _, example = capsys.readouterr().out.partition("example:\n")
    told = re.findall(r"(?m)^  (--[a-z-]+)(?: \S+)?(?:\s{2,}(\S.*))?$", flags)
    assert ("--debug", "show the traceback of an error") in told
    assert [flag for flag, meaning in told if not meaning or meaning.startswith("--")] == []
    words = shlex.split(example.replace("\\\n", ""))
    assert words[:3] == ["python", "-m", "taxi_etl"]
    assert cli._parser().parse_args(words[3:]).step == step


def failing(arguments, capsys):
    code = cli.main(arguments)
    captured = capsys.readouterr()
    assert "::" not in captured.out
    return code, captured.err


def test_facts_of_another_month_are_refused(tmp_path, capsys):
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"published": False}))
    code, err = failing(["load", *MONTH, *BIGQUERY, "--facts", str(path)], capsys)
    assert code == 2
    assert err == "load green 2020-10: green_tripdata_2020-10.csv.gz is not published: " \
        "there is nothing to load\n"  # fmt: skip


def test_a_failure_is_one_line_on_stderr_without_a_traceback(site, capsys, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    site.files["/green/green_tripdata_2020-10.csv.gz"] = b"<html>\nnot found"
    code, err = failing(["extract", *MONTH, "--source", site.url, "--bucket", "lake"], capsys)
    assert code == 1
    url = f"{site.url}/green/green_tripdata_2020-10.csv.gz"
    assert err == (
        f"extract green 2020-10: {url}: not a gzip file: it begins with '<html>\\nnot found'. "
        "Nothing was loaded\n"
    )


def test_an_unexpected_error_is_one_line_too_and_debug_shows_where(monkeypatch, capsys, tmp_path):
    def boom(*arguments):
        raise RuntimeError("boom\nboom")

    monkeypatch.setattr("taxi_etl.sample.write", boom)
    arguments = ["sample", *MONTH, "--rows", "1", "--out", str(tmp_path)]
    code, err = failing(arguments, capsys)
    assert (code, err) == (1, "sample green 2020-10: unexpected RuntimeError: boom boom\n")
    code, err = failing([*arguments, "--debug"], capsys)
    assert "Traceback" in err
    assert err.endswith("unexpected RuntimeError: boom boom\n")


def test_a_month_that_is_not_published_is_an_output_and_no_failure(site, capsys, tmp_path):
    path = tmp_path / "facts.json"
    arguments = ["extract", *MONTH, "--source", site.url, "--bucket", "lake", "--facts", str(path)]
    assert cli.main(arguments) == 0
    captured = capsys.readouterr()
    line = captured.out.splitlines()[-1]
    assert (line[:2], line[-2:], captured.err) == ("::", "::", "")
    outputs = json.loads(line[2:-2])["outputs"]
    assert outputs["published"] is False
    assert outputs["url"].endswith("/green/green_tripdata_2020-10.csv.gz")
    assert json.loads(path.read_text()) == outputs


def test_sample_writes_the_file_where_a_release_site_has_it(tmp_path):
    arguments = ["sample", *MONTH, "--rows", "100", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "taxi_etl", *arguments], capture_output=True, text=True, check=True
    )
    path = tmp_path / "green" / "green_tripdata_2020-10.csv.gz"
    assert json.loads(done.stdout[2:-3])["outputs"]["bytes"] == path.stat().st_size


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_month_does_not_depend_on_the_time_zone_of_the_machine(zone):
    code = "from taxi_etl.month import Month; print(Month.parse('2020-01-01').first_day)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"TZ": zone}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(date(2020, 1, 1))
