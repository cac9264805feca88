"""Data of a newer engine or of another PostgreSQL are refused, with what to do."""

from __future__ import annotations

import pytest

from localcloud import postgres
from localcloud.errors import CloudError, PartError
from localcloud.kestra.launcher import note_version


def test_a_newer_engine_takes_older_data_and_an_older_one_refuses_newer(tmp_path):
    note_version(tmp_path, "2.0.0")
    note_version(tmp_path, "2.0.0")
    note_version(tmp_path, "2.0.10")
    words = r"last used by Kestra 2\.0\.10, and this is 2\.0\.9"
    with pytest.raises(CloudError, match=words) as told:
        note_version(tmp_path, "2.0.9")
    assert "invoke restore" in told.value.hint


def test_files_of_another_postgresql_are_refused(tmp_path):
    (tmp_path / "PG_VERSION").write_text("17\n")
    with pytest.raises(PartError, match="is of PostgreSQL 17, and this is PostgreSQL 18") as told:
        postgres._refuse_other_release(tmp_path)
    assert "invoke backup" in told.value.hint
    (tmp_path / "PG_VERSION").write_text("18\n")
    postgres._refuse_other_release(tmp_path)
