"""What the supervisor is told: every part, no secret, nothing of the caller's environment."""

from __future__ import annotations

import configparser
import os
import shlex
from pathlib import Path

import pytest

from localcloud import CloudError, processes, sockets, supervisor
from localcloud.layout import Layout
from localcloud.parts import PARTS


def parsed(layout: Layout) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(supervisor.configuration(layout))
    return parser


def test_every_part_is_a_program_of_one_group(layout):
    config = parsed(layout)
    assert config["group:cloud"]["programs"].split(",") == list(PARTS)
    for name in PARTS:
        program = config[f"program:{name}"]
        assert shlex.split(program["command"])[1:4] == ["-m", "localcloud.run", name]
        assert program["stdout_logfile"] == str(layout.log(name))
        assert program["stdout_logfile_maxbytes"] == "5MB"
        assert program["autorestart"] == "true"


def test_only_kestra_waits_to_be_asked(layout):
    config = parsed(layout)
    lazy = [name for name in PARTS if config[f"program:{name}"]["autostart"] == "false"]
    assert lazy == ["kestra"]


def test_postgres_is_stopped_without_waiting_for_its_clients(layout):
    assert parsed(layout)["program:postgres"]["stopsignal"] == "INT"


def test_a_folder_with_blanks_and_percent_signs_is_written_so_that_it_can_be_read(tmp_path):
    layout = Layout(tmp_path / "my 100% cloud")
    layout.create()
    command = parsed(layout)["program:storage"]["command"] % {}
    assert shlex.split(command)[-1] == str(layout.folder)


@pytest.mark.parametrize("name", ['a"b', "a;b", "a\nb"])
def test_a_folder_that_the_configuration_cannot_carry_is_told(tmp_path, name):
    with pytest.raises(CloudError, match="can't carry"):
        supervisor.configuration(Layout(tmp_path / name))


def test_the_parts_get_no_credentials_and_write_nothing_at_home(layout, tmp_path):
    caller = {
        "PATH": "/usr/bin",
        "HOME": "/home/user",
        "GOOGLE_APPLICATION_CREDENTIALS": "/home/user/key.json",
        "AWS_SECRET_ACCESS_KEY": "x",
        "HTTPS_PROXY": "http://proxy:3128",
    }
    made = supervisor.environment(layout, tmp_path / "cache", "the-mark", caller)
    assert made["HOME"] == str(layout.home)
    assert made["TMPDIR"] == str(layout.tmp)
    assert made["TAXISTACK_CACHE"] == str(tmp_path / "cache")
    assert made["HTTPS_PROXY"] == "http://proxy:3128"
    assert made[processes.MARK] == "the-mark"
    assert made["PATH"].split(os.pathsep)[1:] == ["/usr/bin"]
    assert not [name for name in made if name.startswith(("GOOGLE", "AWS"))]


def test_the_folders_are_private_where_they_must_be(layout):
    assert layout.private.stat().st_mode & 0o777 == 0o700
    assert layout.secrets.stat().st_mode & 0o777 == 0o700


def test_all_ports_have_names_of_their_own():
    names = [name for part in PARTS.values() for name in part.ports]
    assert len(names) == len(set(names))
    assert all(part.name == name for name, part in PARTS.items())


def test_below_a_short_path_nothing_but_the_path_is_needed():
    layout = Layout(Path("/srv/cloud"))
    with sockets.at_hand(layout.private, "supervisor.sock") as path:
        assert path == "/srv/cloud/private/supervisor.sock"
    assert f"file={path}" in supervisor.configuration(layout)
