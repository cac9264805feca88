"""Wrong use is told before anything is started: the flag, its rule, exit code 2."""

from __future__ import annotations

import pytest

RANGE = ("--start", "2019-01", "--end", "2019-02")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("backfill", "--start", "2020-13", "--end", "2021-01"), "--start: '2020-13'"),
        (("backfill", "--start", "2020-03", "--end", "2020-01"), "--end 2020-01 is before"),
        (("backfill", "--start", "2020-03"), "--end is missing"),
        (("backfill", "--end", "2020-03"), "--start is missing"),
        (("verify", "--end", "2020-03"), "--start is missing"),
        (
            ("backfill", *RANGE, "--taxi", "blue"),
            "--taxi 'blue': must be one of fhv, green, yellow",
        ),
        (("backfill", *RANGE, "--parallel", "two"), "--parallel 'two': must be a whole number"),
        (("backfill", *RANGE, "--parallel", "9"), "--parallel: 9 must be a whole number, 1 to 8"),
        (("backfill", *RANGE, "--parallel", "0"), "--parallel: 0 must be a whole number, 1 to 8"),
        (("demo", "--parallel", "0"), "--parallel: 0 must be a whole number, 1 to 8"),
        (("backfill", *RANGE, "--max-failures", "two"), "--max-failures 'two': must be a whole"),
        (("backfill", *RANGE, "--max-failures", "-1"), "--max-failures -1: must be 0"),
        (("logs", "--part", "kestra", "--lines", "many"), "--lines 'many': must be a whole number"),
        (("demo", "--start", "2020-05", "--end", "2020-01"), "--end 2020-01 is before"),
        (("demo", "--source", "no/such/folder"), "no/such/folder: is neither"),
        (("demo", "--report", "invoke.yaml"), "--report invoke.yaml: can't be written"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_wrong_use_is_one_clear_line_and_nothing_is_started(invoke_on, tmp_path, arguments, told):
    done = invoke_on(tmp_path / "state", *arguments, code=2)
    assert told in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state" / "cloud").exists()


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("REGION", "Mars", "setting region: 'Mars' must be a region such as us-central1"),
        ("REGION", "europe-west1", "setting zone: us-central1-b is not in region europe-west1"),
        ("RUN", "Run 5", "setting run: 'Run 5' must be a label value"),
    ],
)
def test_a_setting_that_terraform_would_refuse_starts_nothing(
    invoke_on, tmp_path, setting, value, told
):
    variable = {f"INVOKE_TAXISTACK_{setting}": value}
    done = invoke_on(tmp_path / "state", "up", code=2, **variable)
    assert done.stderr.startswith(f"error: {told}")
    assert not (tmp_path / "state" / "cloud").exists()
