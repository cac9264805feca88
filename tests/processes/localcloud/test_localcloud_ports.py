"""A port that is claimed: who comes in and who does not. Another user: tests/faults."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest

from localcloud import ports
from taxistack.page import serving


@pytest.fixture
def claimed() -> Iterator[socket.socket]:
    with ports.claimed(["part"], {}) as claims:
        yield claims["part"]


def number(one: socket.socket) -> int:
    return one.getsockname()[1]


def test_a_claimed_port_refuses_connections_and_other_claims(claimed):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((ports.HOST, number(claimed)))
    assert not ports.is_free(number(claimed))
    with pytest.raises(OSError, match="in use"):
        ports.claim(number(claimed))


@pytest.mark.parametrize("host", [ports.HOST, "0.0.0.0"])  # noqa: S104 (it is to be refused)
@pytest.mark.parametrize("option", [socket.SO_KEEPALIVE, socket.SO_REUSEADDR])
def test_who_shares_no_port_does_not_come_in(claimed, host: str, option: int):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, option, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind((host, number(claimed)))


def test_a_part_comes_in_again_and_again(claimed):
    for _ in range(2):
        with ports.joined(number(claimed)) as part:
            part.listen()
            with socket.create_connection((ports.HOST, number(claimed))) as client:
                accepted, _ = part.accept()
                accepted.close()  # first, so that this end waits for what is under way
                assert client.recv(1) == b""


def test_a_second_hold_outlives_the_claim_and_lets_nobody_in(claimed):
    port = number(claimed)
    with ports.held(port) as second:
        claimed.close()
        assert not ports.is_free(port)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((ports.HOST, port))
        second.close()
        assert ports.is_free(port)


def test_a_port_that_somebody_listens_on_is_not_claimed():
    with socket.create_server((ports.HOST, 0), reuse_port=True) as other:
        with pytest.raises(OSError, match="in use"):
            ports.claim(number(other))
        with ports.claimed(["part"], {"part": number(other)}) as claims:
            assert number(claims["part"]) != number(other)


def test_of_two_servers_of_one_user_the_second_does_not_share_the_port_of_the_first(claimed):
    with ports.to_listen(number(claimed)) as first:
        first.listen()
        with pytest.raises(OSError, match="already in use"):
            ports.to_listen(number(claimed))
    ports.to_listen(number(claimed)).close()


@pytest.mark.parametrize("listen", [ports.to_listen, serving._listen], ids=["a part", "the page"])
def test_an_answer_in_pieces_is_sent_at_once(listen: Callable[[int], socket.socket]):
    """A piece that waits for the acknowledgement of the one before costs 40 ms."""
    found: list[int] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        found.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async def ask() -> None:
        with listen(0) as listener:
            async with await asyncio.start_server(answer, sock=listener):
                reader, writer = await asyncio.open_connection(ports.HOST, number(listener))
                assert await reader.read() == b""
                writer.close()

    asyncio.run(ask())
    assert found == [1]
