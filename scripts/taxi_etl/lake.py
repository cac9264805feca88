"""The lake: one object a month file, its bytes as published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from google.api_core import exceptions as api
from google.auth import exceptions as auth
from requests.exceptions import RequestException

from taxi_etl.errors import LakeConflict, Terminal, Transient

if TYPE_CHECKING:
    from google.cloud import storage

_TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
_CHUNK = 8 << 20  # one piece of an upload; the library's own would be 100 MB, held in memory


@dataclass(frozen=True)
class LakeObject:
    """An object as the lake describes it; `crc32c` in base64, `size` in bytes."""

    bucket: str
    name: str
    size: int
    crc32c: str
    generation: int

    @property
    def uri(self) -> str:
        """The object's address, gs://…"""
        return f"gs://{self.bucket}/{self.name}"


def find(client: storage.Client, bucket: str, name: str) -> LakeObject | None:
    """The object as it is now, None when there is none. Raises Terminal without its bucket."""
    with _explaining(bucket, name):
        present = _present(client, bucket, name)
        if present is None:
            # Tells a missing bucket from a missing object, with rights on objects alone
            list(client.list_blobs(bucket, prefix=name, max_results=1, timeout=_TIMEOUT))
    return present


def _present(client: storage.Client, bucket: str, name: str) -> LakeObject | None:
    blob = client.bucket(bucket).get_blob(name, timeout=_TIMEOUT)
    return None if blob is None else _described(blob)


def publish(
    client: storage.Client,
    bucket: str,
    name: str,
    path: Path,
    crc32c: str,
    *,
    replace: bool,
    content_type: str = "application/gzip",
) -> LakeObject:
    """Put the file at `path` into the lake under `name`, once.

    An equal object (same CRC32C and size) is left as it is. A different one is an error, unless
    `replace` is set: then exactly the generation that was seen is replaced. Raises LakeConflict.
    """
    with _explaining(bucket, name):
        seen = _present(client, bucket, name)  # without its bucket, the upload says so
    if seen is not None:
        if (seen.crc32c, seen.size) == (crc32c, path.stat().st_size):
            return seen
        if not replace:
            raise LakeConflict(
                f"the lake holds other bytes as {seen.uri} (generation {seen.generation}, "
                f"{seen.size} bytes, CRC32C {seen.crc32c}; the source has {path.stat().st_size} "
                f"bytes, {crc32c}): nothing was changed. Run again with --replace to take the "
                "source's"
            )
    generation = seen.generation if seen else 0
    return _upload(client, bucket, name, path, crc32c, generation, content_type)


def _upload(
    client: storage.Client,
    bucket: str,
    name: str,
    path: Path,
    crc32c: str,
    generation: int,
    content_type: str,
) -> LakeObject:
    blob = client.bucket(bucket).blob(name, chunk_size=_CHUNK)
    try:
        with _explaining(bucket, name):
            blob.upload_from_filename(
                str(path),
                content_type=content_type,
                checksum="crc32c",  # sent along: the service refuses bytes that do not match
                if_generation_match=generation,
                timeout=_TIMEOUT,
            )
    except api.PreconditionFailed as error:
        # Another run was quicker, or our own upload was retried after it had succeeded.
        present = find(client, bucket, name)
        if present and (present.crc32c, present.size) == (crc32c, path.stat().st_size):
            return present
        raise LakeConflict(
            f"gs://{bucket}/{name} was changed by somebody else during the upload: the lake was "
            "left as they made it. Run again"
        ) from error
    present = _described(blob)
    if (present.crc32c, present.size) != (crc32c, path.stat().st_size):
        raise LakeConflict(
            f"{present.uri} arrived as {present.size} bytes, CRC32C {present.crc32c}"
        )
    return present


def download(
    client: storage.Client, bucket: str, name: str, generation: int, path: Path
) -> LakeObject:
    """Copy exactly that generation of the object to `path`, checked by its CRC32C."""
    blob = client.bucket(bucket).blob(name, generation=generation)
    with _explaining(bucket, name):
        try:
            blob.download_to_filename(
                str(path), raw_download=True, checksum="crc32c", timeout=_TIMEOUT
            )
        except api.NotFound as error:
            raise _replaced(bucket, name, generation) from error
        if blob.crc32c is None:  # a header said it, unless the transfer went on after a break
            blob.reload(timeout=_TIMEOUT)
    return LakeObject(bucket, name, path.stat().st_size, blob.crc32c, generation)


def require(client: storage.Client, bucket: str, name: str, generation: int) -> None:
    """Raise LakeConflict unless that generation is the object that readers get now."""
    present = find(client, bucket, name)
    if present is None or present.generation != generation:
        raise _replaced(bucket, name, generation)


def _replaced(bucket: str, name: str, generation: int) -> LakeConflict:
    return LakeConflict(
        f"gs://{bucket}/{name} is not there in generation {generation}: it was replaced or "
        "deleted after extract. Run extract again"
    )


def _described(blob: storage.Blob) -> LakeObject:
    return LakeObject(
        bucket=blob.bucket.name,
        name=blob.name,
        size=int(blob.size),
        crc32c=blob.crc32c,
        generation=int(blob.generation),
    )


@contextmanager
def _explaining(bucket: str, name: str) -> Iterator[None]:
    """Turn the library's errors into ours; a failed precondition is the caller's to read."""
    try:
        yield
    except api.PreconditionFailed:
        raise
    except api.NotFound as error:
        raise Terminal(f"the bucket gs://{bucket} does not exist: {error.message}") from error
    except (api.TooManyRequests, api.ServerError, RequestException, api.RetryError) as error:
        raise Transient(f"the lake did not take or give gs://{bucket}/{name}: {error}") from error
    except (api.GoogleAPICallError, auth.GoogleAuthError) as error:
        raise Terminal(f"the lake refused gs://{bucket}/{name}: {error}") from error
