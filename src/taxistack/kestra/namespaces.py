"""What a namespace holds beside flows: key-value pairs and files."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from taxistack.errors import UsageError
from taxistack.kestra.filters import equals, pages
from taxistack.kestra.http import BYTES, Http
from taxistack.kestra.problems import NotFound


class KeyValues:
    """Key-value pairs; values are JSON."""

    def __init__(self, http: Http) -> None:
        """`http`: the server."""
        self._http = http

    def get(self, namespace: str, key: str) -> Any:
        """The value; None when there is no such key (or it expired)."""
        try:
            return self._http.json(_key(namespace, key), f"read key {namespace}.{key}").get("value")
        except NotFound:
            return None

    def put(self, namespace: str, key: str, value: Any) -> None:
        """Set a value; text is stored as text whatever it looks like."""
        # The server parses the body as JSON, so text must come quoted.
        self._http.send(
            "PUT",
            _key(namespace, key),
            f"set key {namespace}.{key}",
            content=json.dumps(value).encode(),
            content_type="text/plain",
        )

    def list(self, namespace: str) -> list[str]:
        """The keys of exactly this namespace."""
        filters = equals("namespace", namespace)
        step = f"list keys of {namespace}"
        return sorted(pair["key"] for pair in pages(self._http, "main/kv", step, filters, size=100))

    def delete(self, namespace: str, key: str) -> None:
        """Remove a key; one that is not there is fine."""
        try:
            self._http.send("DELETE", _key(namespace, key), f"delete key {namespace}.{key}")
        except NotFound:
            return


class NamespaceFiles:
    """Files that tasks of the namespace find in their working directory."""

    def __init__(self, http: Http) -> None:
        """`http`: the server."""
        self._http = http

    def get(self, namespace: str, path: str) -> bytes | None:
        """The file's bytes; None when there is none."""
        try:
            return self._http.read(
                _files(namespace),
                f"read file {path} of {namespace}",
                [("path", _rooted(path))],
                accept=BYTES,
            ).content
        except NotFound:
            return None

    def put(self, namespace: str, path: str, content: bytes) -> None:
        """Write a file; folders are made as needed.

        Raises `UsageError` for a name under which a server would store something else: it writes
        a plus sign for a blank, unpacks archives, and makes flows of what is below `_flows/`.
        """
        if " " in path or path.endswith(".zip") or path.strip("/").startswith("_flows/"):
            raise UsageError(
                f"namespace file {path!r}: Kestra does not keep a name with a blank, an archive "
                "(.zip) or a path below _flows/ as it is"
            )
        self._http.send(
            "POST",
            _files(namespace),
            f"write file {path} of {namespace}",
            params=[("path", _rooted(path))],
            files=[("fileContent", (path.rsplit("/", 1)[-1], content))],
        )

    def list(self, namespace: str, folder: str = "") -> list[str]:
        """Paths of all files at and below `folder`, relative to the namespace's root."""
        try:
            entries = self._http.json(
                f"{_files(namespace)}/directory",
                f"list files of {namespace}",
                [("path", _rooted(folder))],
            )
        except NotFound:
            return []
        paths: list[str] = []
        for entry in entries:
            path = f"{folder}/{entry['fileName']}".strip("/")
            if str(entry.get("type")).lower() == "directory":
                paths += self.list(namespace, path)
            else:
                paths.append(path)
        return sorted(paths)

    def delete(self, namespace: str, path: str) -> None:
        """Remove a file or a folder; one that is not there is fine."""
        step = f"delete file {path} of {namespace}"
        try:
            self._http.send("DELETE", _files(namespace), step, params=[("path", _rooted(path))])
        except NotFound:
            return


def _key(namespace: str, key: str) -> str:
    return f"main/namespaces/{namespace}/kv/{quote(key, safe='')}"


def _files(namespace: str) -> str:
    return f"main/namespaces/{namespace}/files"


def _rooted(path: str) -> str:
    return f"/{path.strip('/')}"
