"""Whatever stands in a flow's file or in a pair: it is pushed as it is, or nothing is."""

from __future__ import annotations

import tempfile
from pathlib import Path

import httpx
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.deploy.conftest import MemoryServer, Repository

from taxistack.deploy import deploy
from taxistack.errors import UsageError
from taxistack.kestra import KestraClient

# Pieces that YAML gives a meaning to, put together in any order.
PIECES = st.sampled_from(
    ["id", ":", " ", "\n", "- ", "{", "}", "[", "]", '"', "'", "|", ">", "&a", "*a", "!!python/x",
     "!!int x", "2019-13-45", "2019-02-30 10:00:00", "? ", "%", "@", "\t", "#", "---", "...", "\0",
     "<<: ", "\x07", "é", "東", "namespace: taxi\n", "id: broken\n", "0o9", "1e999", "\ud800"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)
# An editor that writes another encoding, or a program's file with a wrong name.
BYTES = TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60)


def pushed(
    flow: bytes = b"",
    kv: dict[str, str] | None = None,
    times: int = 1,
    server: MemoryServer | None = None,
) -> MemoryServer:
    """A server after a small repository with this flow was pushed to it."""
    server = server or MemoryServer()
    transport = httpx.MockTransport(server)
    with (
        tempfile.TemporaryDirectory() as folder,
        KestraClient("http://kestra.test", "a", "b", transport, retry_wait=0.001) as client,
    ):
        repository = Repository(Path(folder))
        if flow:
            (repository.flows / "broken.yaml").write_bytes(flow)
        for _ in range(times):
            server.writes.clear()
            deploy(client, repository.flows, repository.etl, kv or repository.kv)
    return server


@settings(max_examples=60)
@given(BYTES)
@example("id: broken\nnamespace: taxi\nx: é\n".encode("latin-1"))
@example(b"id: broken\nnamespace: taxi\nday: 2019-13-45\n")
@example(b"[" * 500)
@example(b"a: &a [*a]\n")
def test_a_file_that_is_no_flow_is_named_and_nothing_is_pushed(content):
    try:
        whole = yaml.safe_load(content.decode())
        right = isinstance(whole, dict) and (whole.get("id"), whole.get("namespace")) == (
            "broken",
            "taxi",
        )
    except (yaml.YAMLError, ValueError, RecursionError):
        right = False
    if right or not content:
        pushed(content)
    else:
        server = MemoryServer()
        with pytest.raises(UsageError, match=r"broken\.yaml: "):
            pushed(content, server=server)
        assert server.writes == []
        assert server.flows == server.keys == server.files == {}


@settings(max_examples=25)
@given(st.text(max_size=30).filter(lambda text: text.isprintable()))
def test_a_right_flow_is_pushed_as_it_stands(description):
    told = yaml.safe_dump({"id": "broken", "namespace": "taxi", "description": description})
    assert pushed(told.encode()).flows["broken"] == told


@settings(max_examples=25)
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.text(), min_size=1))
def test_a_pair_of_any_text_stays_text_and_is_equal_afterwards(pairs):
    server = pushed(kv=pairs, times=2)
    assert server.keys == pairs
    assert server.writes == [], "the second push found nothing to change"
