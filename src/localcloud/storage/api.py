"""Cloud Storage's JSON API: buckets, objects, the three kinds of upload, and reading by XML's path.

Only the calls that the kit, Terraform's backend and Google's Python client make for their everyday
work; others, and parameters that would change what a call means, are answered 501.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from localcloud.gate import Gate, key
from localcloud.layout import Layout
from localcloud.patience import Patient
from localcloud.ports import HOST
from localcloud.serving import Server
from localcloud.storage.errors import Invalid, NotFound, Refused, Unsupported
from localcloud.storage.objects import Condition, Objects, Stored
from localcloud.storage.uploads import Uploads, Wanted

_MULTIPART_LIMIT = 64 << 20  # bytes; the clients use a resumable upload from 8 or 16 MiB on
_PAGE = 1000
_BLOCK = 1 << 20
# Without effect on what is done, or read where they belong.
_IGNORED = frozenset(
    {
        *("alt", "fields", "prettyPrint", "projection", "key", "quotaUser", "userProject"),
        *("uploadType", "upload_id", "name", "project", "predefinedAcl"),
    }
)
_CONDITIONS = frozenset({"ifGenerationMatch", "ifGenerationNotMatch"})
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class Api:
    """The calls on one store."""

    def __init__(self, objects: Objects) -> None:
        """`objects`: what it serves."""
        self._objects, self._uploads = objects, Uploads(objects)

    async def answer(self, request: Request) -> Response:
        """Any request. What is refused is answered in the shape that Google's clients read."""
        try:
            return await self._route(request)
        except Refused as refused:
            error = {"domain": "global", "reason": refused.reason, "message": str(refused)}
            body = {"error": {"code": refused.code, "message": str(refused), "errors": [error]}}
            return JSONResponse(body, refused.code)
        except ClientDisconnect:
            return Response(status_code=400)

    async def _route(self, request: Request) -> Response:
        # By the raw path: an object's name has slashes of its own, as %2F.
        raw = request.scope["raw_path"].decode("latin-1").removeprefix(request.scope["root_path"])
        match raw.split("?")[0].split("/")[1:]:
            case ["upload", "storage", "v1", "b", bucket, "o"]:
                return await self._upload(request, unquote(bucket))
            case ["storage", "v1", "b"]:
                return await self._buckets(request)
            case ["storage", "v1", "b", bucket]:
                return await self._bucket(request, unquote(bucket))
            case ["storage", "v1", "b", bucket, "o"]:
                return self._list(request, unquote(bucket))
            case ["storage", "v1", "b", bucket, "o", name]:
                return self._object(request, unquote(bucket), unquote(name))
            case ["download", "storage", "v1", "b", bucket, "o", name]:
                return self._read(request, unquote(bucket), unquote(name))
            case [bucket, *steps] if steps and bucket not in ("storage", "upload", "batch"):
                if request.method in ("GET", "HEAD"):  # the XML API, which Go's client reads by
                    return self._read(request, unquote(bucket), unquote("/".join(steps)))
        raise _unsupported(request)

    # -- buckets -----------------------------------------------------------------------------

    async def _buckets(self, request: Request) -> Response:
        if request.method == "GET":
            _only(request, {"prefix", "maxResults", "pageToken"})
            prefix = request.query_params.get("prefix", "")
            buckets = [b for b in self._objects.buckets() if b["name"].startswith(prefix)]
            items = [_bucket_resource(request, bucket) for bucket in buckets]
            return JSONResponse({"kind": "storage#buckets", "items": items})
        if request.method != "POST":
            raise _unsupported(request)
        _only(request)
        body = _json(await request.body())
        if (body.get("versioning") or {}).get("enabled"):
            raise Unsupported("the local cloud's storage keeps no versions")
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        kept = {name: body[name] for name in ("labels", "storageClass") if body.get(name)}
        location = str(body.get("location") or "US").upper()
        name = str(body.get("name"))
        self._objects.create_bucket(name, {**kept, "location": location, "timeCreated": now})
        return JSONResponse(_bucket_resource(request, self._objects.bucket(name)))

    async def _bucket(self, request: Request, name: str) -> Response:
        _only(request)
        if request.method == "PATCH":
            body = _json(await request.body())
            labels = body.pop("labels", None)
            if body or not isinstance(labels, dict):
                raise Unsupported("of a bucket the local cloud's storage changes only the labels")
            self._objects.label_bucket(name, labels)
        if request.method in ("GET", "PATCH"):
            return JSONResponse(_bucket_resource(request, self._objects.bucket(name)))
        if request.method == "DELETE":
            self._objects.delete_bucket(name)
            return Response(status_code=204)
        raise _unsupported(request)

    # -- objects -----------------------------------------------------------------------------

    def _list(self, request: Request, bucket: str) -> Response:
        if request.method != "GET":
            raise _unsupported(request)
        # `versions`: no bucket here keeps former ones, so all there are is the objects.
        _only(request, {"prefix", "delimiter", "maxResults", "pageToken", "versions"})
        asked = request.query_params
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        limit = min(_number(asked.get("maxResults")) or _PAGE, _PAGE)
        after = asked.get("pageToken", "")
        entries: dict[str, bool] = {}  # name or common prefix, and whether it is a prefix
        for name in self._objects.names(bucket, prefix):
            head, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            entries[prefix + head + found if found else name] = bool(found)
        names = [name for name in entries if name > after]
        body: dict[str, Any] = {"kind": "storage#objects"}
        page = names[:limit]
        if len(names) > limit:
            body["nextPageToken"] = page[-1]
        body["prefixes"] = [name for name in page if entries[name]]
        found_objects = (self._objects.find(bucket, name) for name in page if not entries[name])
        body["items"] = [_resource(request, stored) for stored in found_objects if stored]
        return JSONResponse(body)

    def _object(self, request: Request, bucket: str, name: str) -> Response:
        if request.method in ("GET", "HEAD"):
            if request.query_params.get("alt") == "media":
                return self._read(request, bucket, name)
            return JSONResponse(_resource(request, self._found(request, bucket, name)))
        if request.method != "DELETE":
            raise _unsupported(request)
        self._found(request, bucket, name)
        self._objects.delete(bucket, name, _condition(request))
        return Response(status_code=204)

    def _found(self, request: Request, bucket: str, name: str) -> Stored:
        _only(request, {"generation", *_CONDITIONS})
        stored = self._objects.find(bucket, name)
        if stored is None or _number(request.query_params.get("generation")) not in (
            None,
            stored.generation,
        ):
            raise NotFound(f"No such object: {bucket}/{name}")
        _condition(request).check(stored)
        return stored

    def _read(self, request: Request, bucket: str, name: str) -> Response:
        self._found(request, bucket, name)
        stored, file = self._objects.open(bucket, name)
        headers = {
            "ETag": f'"{stored.generation}"',
            "Accept-Ranges": "bytes",
            "X-Goog-Generation": str(stored.generation),
            "X-Goog-Metageneration": "1",
            "X-Goog-Hash": f"crc32c={stored.crc32c},md5={stored.md5}",
            "X-Goog-Storage-Class": "STANDARD",
            "X-Goog-Stored-Content-Length": str(stored.size),
            "X-Goog-Stored-Content-Encoding": stored.given.get("contentEncoding") or "identity",
            "Last-Modified": _time(stored).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "Content-Type": stored.given.get("contentType") or "application/octet-stream",
        }
        if stored.given.get("contentEncoding"):
            headers["Content-Encoding"] = stored.given["contentEncoding"]
        wanted = _byte_range(request.headers.get("range"), stored.size)
        if wanted is None:
            file.close()
            return Response(status_code=416, headers={"Content-Range": f"bytes */{stored.size}"})
        first, end = wanted
        code = 200
        if "range" in request.headers:
            code, headers["Content-Range"] = 206, f"bytes {first}-{end - 1}/{stored.size}"
        headers["Content-Length"] = str(end - first)
        if request.method == "HEAD":
            file.close()
            return Response(status_code=code, headers=headers)
        return StreamingResponse(_blocks(file, first, end), code, headers)

    # -- uploads -----------------------------------------------------------------------------

    async def _upload(self, request: Request, bucket: str) -> Response:
        asked = request.query_params
        if (session := asked.get("upload_id")) is not None:
            return await self._resume(request, session)
        if request.method != "POST":
            raise _unsupported(request)
        _only(request, _CONDITIONS)
        kind = asked.get("uploadType")
        if kind == "media":
            given = {"contentType": request.headers.get("content-type")}
            wanted = _wanted(request, bucket, given)
            return self._made(request, await self._uploads.whole(wanted, request.stream()))
        if kind == "multipart":
            given, content = _multipart(request.headers, await _limited(request))
            wanted = _wanted(request, bucket, given)
            return self._made(request, await self._uploads.whole(wanted, _once(content)))
        if kind != "resumable":
            raise Invalid(f"uploadType {kind!r} is neither media, multipart nor resumable")
        given = _json(await _limited(request) or b"{}")
        if "x-upload-content-type" in request.headers:
            given.setdefault("contentType", request.headers["x-upload-content-type"])
        session = self._uploads.begin(_wanted(request, bucket, given))
        here = f"{_base(request)}/upload/storage/v1/b/{bucket}/o"
        place = f"{here}?uploadType=resumable&upload_id={session}"
        return Response(
            status_code=200, headers={"Location": place, "X-GUploader-UploadID": session}
        )

    async def _resume(self, request: Request, session: str) -> Response:
        if request.method == "DELETE":
            self._uploads.cancel(session)
            return Response(status_code=499)
        if request.method not in ("PUT", "POST"):
            raise _unsupported(request)
        given = request.headers.get("content-range")
        hashes = request.headers.get("x-goog-hash", "")
        made = await self._uploads.resume(session, given, request.stream(), hashes)
        if isinstance(made, Stored):
            return self._made(request, made)
        # Without the word "Range" when nothing has come yet, as Cloud Storage answers.
        return Response(status_code=308, headers={"Range": f"bytes=0-{made - 1}"} if made else {})

    def _made(self, request: Request, stored: Stored) -> Response:
        return JSONResponse(_resource(request, stored))


# -- requests ------------------------------------------------------------------------------------


def _unsupported(request: Request) -> Unsupported:
    return Unsupported(f"the local cloud's storage has no {request.method} of this kind")


def _only(request: Request, known: frozenset[str] | set[str] = frozenset()) -> None:
    """Refuse a parameter that would change what the call means."""
    for name, value in request.query_params.items():
        if name not in _IGNORED and name not in known and value not in ("", "false"):
            raise Unsupported(f"the local cloud's storage does not know the parameter {name!r}")


def _number(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if not re.fullmatch(r"\d{1,19}", text):
        raise Invalid(f"{text[:40]!r} is no number")
    return int(text)


def _condition(request: Request) -> Condition:
    asked = request.query_params
    names = ("ifGenerationMatch", "ifGenerationNotMatch")
    return Condition(*(_number(asked.get(name)) for name in names))


def _wanted(request: Request, bucket: str, given: Mapping[str, Any]) -> Wanted:
    name = request.query_params.get("name") or given.get("name")
    if not isinstance(name, str):
        raise Invalid("the object has no name")
    condition = _condition(request)
    return Wanted(bucket, name, dict(given), condition.generation, condition.not_generation)


def _json(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Invalid("the body is no JSON object")
    return content


async def _limited(request: Request) -> bytes:
    body = bytearray()
    async for data in request.stream():
        body += data
        if len(body) > _MULTIPART_LIMIT:
            raise Invalid("an upload of this size must be resumable")
    return bytes(body)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _multipart(headers: Mapping[str, str], body: bytes) -> tuple[dict[str, Any], bytes]:
    """The two parts of multipart/related: what the object is, and its bytes."""
    boundary = re.search(r'boundary="?([^";]+)', headers.get("content-type", ""))
    mark = b"--" + boundary[1].encode() if boundary else b""
    end = body.rfind(b"\r\n" + mark + b"--")
    parts = body[: max(end, 0)].split(mark, 2) if mark else []
    if len(parts) != 3:
        raise Invalid("the multipart body can't be read")
    (_, about), (head, content) = (part.partition(b"\r\n\r\n")[::2] for part in parts[1:])
    given = _json(about)
    if match := re.search(rb"(?im)^content-type:\s*(\S[^\r\n]*)", head):
        given.setdefault("contentType", match[1].decode("latin-1"))
    return given, content


def _byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one behind the last; None: there are no such bytes."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    if first == "":
        return max(0, size - int(last)), size
    end = min(int(last) + 1, size) if last else size
    return (int(first), end) if int(first) < end else None


async def _blocks(file: Any, first: int, end: int) -> AsyncIterator[bytes]:
    with file:  # read here: a thread for each block would take longer than the block
        file.seek(first)
        while first < end and (data := file.read(min(_BLOCK, end - first))):
            first += len(data)
            yield data


# -- answers -------------------------------------------------------------------------------------


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _bucket_resource(request: Request, bucket: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "storage#bucket",
        "id": bucket["name"],
        "selfLink": f"{_base(request)}/storage/v1/b/{bucket['name']}",
        "location": "US",
        "storageClass": "STANDARD",
        "metageneration": "1",
        **bucket,
    }


def _time(stored: Stored) -> datetime:
    return datetime.fromtimestamp(stored.generation / 1e6, UTC)


def _resource(request: Request, stored: Stored) -> dict[str, Any]:
    path = f"b/{stored.bucket}/o/{quote(stored.name, safe='')}"
    at = _time(stored).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    media = f"{_base(request)}/download/storage/v1/{path}"
    return {
        "kind": "storage#object",
        "id": f"{stored.bucket}/{stored.name}/{stored.generation}",
        "selfLink": f"{_base(request)}/storage/v1/{path}",
        "mediaLink": f"{media}?generation={stored.generation}&alt=media",
        "bucket": stored.bucket,
        "name": stored.name,
        "generation": str(stored.generation),
        "metageneration": "1",
        "size": str(stored.size),
        "crc32c": stored.crc32c,
        "md5Hash": stored.md5,
        "etag": str(stored.generation),
        "storageClass": "STANDARD",
        "timeCreated": at,
        "updated": at,
        **stored.given,
    }


# -- the part ------------------------------------------------------------------------------------


def application(layout: Layout, port: int) -> Gate:
    """The storage behind its gate."""
    api = Api(Objects(layout.data("storage")))
    routes = [Route("/{path:path}", functools.partial(_answer, api), methods=_METHODS)]
    return Gate(Starlette(routes=routes), key(layout), port)


async def _answer(api: Api, request: Request) -> Response:
    return await api.answer(request)


def server(layout: Layout, port: int) -> uvicorn.Server:
    """The storage as a server that is to be run."""
    return Server(
        uvicorn.Config(
            functools.partial(application, layout, port),
            factory=True,
            http=Patient,
            host=HOST,
            port=port,
            log_level="warning",
            access_log=False,  # a path has the key in it
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=3,
            # Longer than a client keeps a connection that it does not use (Go's: 90 s). With
            # uvicorn's own 5 s Terraform's upload of its state could meet the connection's end.
            timeout_keep_alive=610,
        )
    )


def run(layout: Layout, port: int) -> None:
    """Serve until told to stop."""
    server(layout, port).run()
