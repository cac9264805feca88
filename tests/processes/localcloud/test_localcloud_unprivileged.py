"""Root's ways to run PostgreSQL, each from a folder that only root may enter."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from localcloud import unprivileged
from localcloud.errors import MissingError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")

ASK = """
import os, pathlib, sys
path = pathlib.Path(sys.argv[1])
path.write_text("x")
print(os.geteuid(), path.parent.stat().st_uid)
"""


@pytest.mark.parametrize("kind", [unprivileged.Namespace, unprivileged.OtherUser])
def test_the_program_is_not_root_and_owns_its_folder(tmp_path, kind):
    way = kind()
    if not unprivileged._works(way):
        pytest.skip("this machine does not allow it")
    locked = tmp_path / "locked"
    folder = locked / "data"
    folder.mkdir(parents=True)
    locked.chmod(0o700)
    way.own(folder)
    done = subprocess.run(
        [sys.executable, "-I", "-c", ASK, folder / "file"],
        preexec_fn=way.enter,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    user, owner = done.stdout.split()
    assert user == owner != "0"


def test_each_way_takes_over_what_the_other_one_left(tmp_path):
    (tmp_path / "file").write_text("")
    unprivileged.OtherUser().own(tmp_path)
    assert (tmp_path / "file").stat().st_uid != 0
    unprivileged.Namespace().own(tmp_path)
    assert (tmp_path / "file").stat().st_uid == 0


def test_a_machine_that_allows_no_way_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(unprivileged, "_works", lambda _: False)
    with pytest.raises(MissingError, match="does not run as user 0") as caught:
        unprivileged.way(tmp_path)
    assert "normal user" in caught.value.hint
