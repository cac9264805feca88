"""Values and files of a namespace."""

from __future__ import annotations

import pytest

from .conftest import NAMESPACE, run


class TestNamespace:
    @pytest.mark.parametrize(
        "value", ["text", "", "12", "true", "2019-01-01", 'say "hi"\n', 12, True, {"a": [1]}]
    )
    def test_a_value_comes_back_as_it_went(self, client, value):
        client.kv.put(NAMESPACE, "value", value)
        assert client.kv.get(NAMESPACE, "value") == value

    def test_keys_are_listed_and_removed(self, client):
        for key in ("one", "two"):
            client.kv.put(NAMESPACE, key, "x")
        assert {"one", "two"} <= set(client.kv.list(NAMESPACE))
        client.kv.delete(NAMESPACE, "one")
        assert "one" not in client.kv.list(NAMESPACE)
        assert client.kv.get(NAMESPACE, "one") is None
        client.kv.delete(NAMESPACE, "one")

    def test_files_are_written_replaced_listed_and_removed(self, client):
        files = client.namespace_files
        content = bytes(range(256)) * 100
        files.put(NAMESPACE, "deep/er/data.bin", content)
        files.put(NAMESPACE, "top.txt", b"1")
        files.put(NAMESPACE, "top.txt", b"2")
        files.put(NAMESPACE, "empty.txt", b"")
        assert files.get(NAMESPACE, "deep/er/data.bin") == content
        assert files.get(NAMESPACE, "top.txt") == b"2"
        assert files.get(NAMESPACE, "empty.txt") == b""
        wanted = {"deep/er/data.bin", "top.txt", "empty.txt"}
        assert wanted <= set(files.list(NAMESPACE))
        for path in wanted:
            files.delete(NAMESPACE, path)
        assert not wanted & set(files.list(NAMESPACE))
        assert files.get(NAMESPACE, "top.txt") is None

    def test_a_script_gets_its_files_and_gives_outputs(self, client):
        tool = b"""import os
print('::{"outputs":{"word":"%s","list":[1,2]}}::' % os.environ["WORD"])
"""
        client.namespace_files.put(NAMESPACE, "code/tool.py", tool)
        client.kv.put(NAMESPACE, "word", "ahoy")
        done = run(client, "script")
        assert done.succeeded
        assert client.outputs.tasks(done.id)["run"]["vars"] == {"word": "ahoy", "list": [1, 2]}
