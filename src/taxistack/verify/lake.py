"""The lake's objects of one taxi, listed once."""

from __future__ import annotations

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud import storage
from requests.exceptions import RequestException

from taxi_etl.lake import LakeObject
from taxi_etl.month import Month
from taxi_etl.release import object_name
from taxistack.errors import FailedError


def read(client: storage.Client, bucket: str, taxi: str) -> dict[str, LakeObject]:
    """The month files of a taxi in the lake, by object name; empty without a bucket."""
    # The folder that the names of this taxi's objects have in common.
    prefix = object_name(taxi, Month(1, 1)).rpartition("/")[0] + "/"
    try:
        blobs = list(client.list_blobs(bucket, prefix=prefix))
    except NotFound:
        return {}
    except (GoogleAPICallError, RequestException) as error:
        raise FailedError(f"the lake gs://{bucket} can't be listed: {error}") from error
    return {
        blob.name: LakeObject(
            bucket, blob.name, int(blob.size), blob.crc32c or "", int(blob.generation)
        )
        for blob in blobs
    }
