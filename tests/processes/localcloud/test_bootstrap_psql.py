"""Bootstrap puts PostgreSQL's own client on PATH, beside Python."""

from __future__ import annotations

import subprocess
from pathlib import Path

from localcloud.prepare import link_psql


def test_psql_runs_from_beside_python_and_is_the_servers(tmp_path: Path):
    link_psql(tmp_path)
    link_psql(tmp_path)
    told = subprocess.run([tmp_path / "psql", "--version"], capture_output=True, text=True)
    assert "psql (PostgreSQL) 18." in told.stdout


def test_a_link_to_a_package_that_has_gone_is_made_anew(tmp_path: Path):
    (tmp_path / "psql").symlink_to(tmp_path / "gone")
    link_psql(tmp_path)
    assert (tmp_path / "psql").is_file()
