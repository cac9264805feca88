"""The state folder: `down` may remove what lies in it, so it is never somebody else's folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import settings_of

from taxistack import state_folder
from taxistack.errors import UsageError
from taxistack.targets import open_target
from taxistack.targets.local import LocalTarget


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "thesis.txt").write_text("mine")
    for act in (state_folder.check, state_folder.claim):
        with pytest.raises(UsageError, match=r"setting state: .* is not empty.*\(local\)"):
            act(tmp_path)
    with pytest.raises(UsageError, match="setting state"):
        open_target(settings_of(tmp_path))
    state_folder.release(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["local"]


@pytest.mark.parametrize("there", [False, True])
def test_an_empty_or_missing_folder_is_marked_and_released(tmp_path: Path, there: bool):
    folder = tmp_path / "state"
    if there:
        folder.mkdir()
    state_folder.claim(folder)
    (folder / "cloud").mkdir()
    state_folder.claim(folder)
    state_folder.release(folder)
    assert folder.is_dir()
    (folder / "cloud").rmdir()
    state_folder.release(folder)
    assert not folder.exists()


def test_a_folder_that_others_may_enter_is_closed(tmp_path: Path):
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    state_folder.claim(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_down_removes_what_the_kit_made_and_nothing_of_the_users(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(LocalTarget, "serves_samples", True)
    state = tmp_path / "state"
    target = open_target(settings_of(state, sample_rows=10))
    from taxi_etl.month import Month

    target.state_dir.joinpath("releases.url").write_text("http://127.0.0.1:1")
    target.state_dir.joinpath("plan-x").mkdir()
    target.state_dir.joinpath("thesis.txt").write_text("mine")
    (state / "releases" / "green").mkdir(parents=True)
    mine = state / "releases" / "green" / "green_tripdata_2020-01.csv.gz"
    mine.write_text("mine")
    target.cloud.serve(state / "releases")
    months = [("green", Month.parse("2020-01")), ("yellow", Month.parse("2020-02"))]
    said: list[str] = []
    assert target.publish_samples(months, said.append) == 1
    assert said == ["made 1 sample month of 10 rows"]
    target.retire(keep_data=False)
    left = {str(path.relative_to(state)) for path in state.rglob("*") if path.is_file()}
    assert left == {
        state_folder.MARK,
        "local/thesis.txt",
        "releases/green/green_tripdata_2020-01.csv.gz",
    }
