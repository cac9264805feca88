"""Sockets below a path that is longer than a socket's address may be."""

from __future__ import annotations

import socket

import pytest

from localcloud import sockets, supervisor
from localcloud.errors import SupervisorError
from localcloud.layout import Layout

NAME = "supervisor.sock"


@pytest.fixture
def deep(tmp_path) -> Layout:
    """An address has 107 characters at most; a clone may lie deeper than that."""
    layout = Layout(tmp_path / ("d" * 100) / ("e" * 100))
    layout.create()
    return layout


def test_a_socket_below_a_long_path_is_reached(deep):
    assert not sockets.answers(deep.private, NAME)
    with sockets.at_hand(deep.private, NAME) as path, socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert sockets.answers(deep.private, NAME)


def test_the_supervisor_is_told_and_asked_by_its_own_folder_there(deep):
    assert f"file=/proc/self/cwd/{NAME}\n" in supervisor.configuration(deep)
    with pytest.raises(SupervisorError, match="No such file"), supervisor.client(deep) as rpc:
        rpc.getPID()
