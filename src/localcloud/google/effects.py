"""What is more than a record: the bucket, the dataset, the secret and the VM.

An effect is told of every change before it is recorded, and is asked what became of its object
whenever Terraform reads it, so a change made behind Terraform's back shows as drift.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from localcloud import calls
from localcloud.errors import CloudError
from localcloud.google.errors import AlreadyExists, ApiError
from localcloud.google.types import Object, last
from localcloud.state import InstanceConfig

_RUNNING, _STOPPED = "RUNNING", "TERMINATED"
# What containers are made of: another text makes them anew, and their image is built again.
_CONTAINERS = (
    *("kestra-build-requirements", "kestra-compose", "kestra-dockerfile", "kestra-entrypoint"),
    "kestra-requirements",
)


class Cloud(Protocol):
    """The part of `localcloud.LocalCloud` that effects use."""

    @property
    def secrets(self) -> Any:
        """The local Secret Manager."""

    def state(self) -> Any:
        """The endpoints; None when nothing runs."""

    def wait(self, *names: str) -> None:
        """Wait until these parts answer."""

    def start_instance(self, config: Any) -> str:
        """Start the VM's twin."""

    def stop_instance(self) -> None:
        """Stop it."""

    def delete_instance(self) -> None:
        """Stop it and drop its disk."""

    def instance_state(self) -> str | None:
        """RUNNING, TERMINATED, or None when there is no instance."""


class Effect:
    """The real side of one type."""

    single = False
    """True when a local cloud has no more than one."""

    def __init__(self, cloud: Cloud) -> None:
        """`cloud`: the local cloud that the object lives in."""
        self.cloud = cloud

    def prepare(self, obj: Object, config: Object) -> None:
        """Before it has an id: set what the id needs. `config` has the write-only values."""

    def create(self, obj: Object) -> None:
        """Make it. May set computed values in `obj`."""

    def update(self, prior: Object, obj: Object) -> None:
        """Change it in place."""

    def delete(self, obj: Object) -> None:
        """Remove it; nothing happens when it is gone."""
        raise NotImplementedError

    def read(self, obj: Object) -> Object | None:
        """`obj` with what became of it; None when it is gone."""
        raise NotImplementedError

    def find(self, id_: str) -> Object | None:
        """What an object that another has made is like, for an import; None: there is none."""
        return None


class _Emulated(Effect):
    part = ""
    """The emulator that it is in."""

    def endpoints(self) -> Any:
        """Where the emulators are."""
        state = self.cloud.state()
        if state is None:
            raise ApiError("the local cloud is being stopped")
        return state

    def send(self, method: str, url: str, body: Any = None) -> Any:
        """One call to an emulator; the answer's JSON, or None for 404. Others raise ApiError.

        One that is not there yet is waited for: Terraform begins when storage and provider are.
        """
        key = self.endpoints().key
        try:
            try:
                answer = calls.call(method, url, key, body)
            except httpx.ConnectError:  # nothing was sent
                self.cloud.wait(self.part)
                answer = calls.call(method, url, key, body)
        except httpx.TransportError as error:
            raise ApiError(f"{method} {url}: the emulator does not answer") from error
        empty = "is not empty" in answer.text  # bqemulator says it with a 404
        if answer.status_code == 404 and not empty:
            return None
        if answer.is_error:
            detail = f"{answer.status_code}: {_message(answer)}"
            raise ApiError(f"googleapi: Error {detail}")
        return answer.json() if answer.content else {}


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:300]


class Bucket(_Emulated):
    """A bucket of the storage emulator, which keeps its name, its place and its labels."""

    part = "storage"

    def _url(self, path: str = "") -> str:
        return f"{self.endpoints().storage.address}/storage/v1/b{path}"

    def create(self, obj: Object) -> None:
        """Make the bucket. Raises AlreadyExists."""
        if self.send("GET", self._url(f"/{obj['name']}")) is not None:
            raise AlreadyExists(obj["name"])
        labels = obj["effective_labels"] or {}
        body = {"name": obj["name"], "location": obj["location"], "labels": labels}
        self.send("POST", self._url(f"?project={obj['project']}"), body)

    def update(self, prior: Object, obj: Object) -> None:
        """Send the labels; one that is there no more goes by a null."""
        gone = dict.fromkeys(prior["effective_labels"] or {})
        body = {"labels": {**gone, **(obj["effective_labels"] or {})}}
        self.send("PATCH", self._url(f"/{obj['name']}"), body)

    def delete(self, obj: Object) -> None:
        """Remove the bucket; its objects go only with `force_destroy`."""
        here = self._url(f"/{obj['name']}")
        names = self._objects(here)
        if names and not obj["force_destroy"]:
            raise ApiError(
                f"Error trying to delete bucket {obj['name']} containing objects without "
                "`force_destroy` set to true"
            )
        for name in names:
            self.send("DELETE", f"{here}/o/{quote(name, safe='')}")
        self.send("DELETE", here)

    def _objects(self, here: str) -> list[str]:
        names: list[str] = []
        token = ""
        while True:
            page = self.send("GET", f"{here}/o?pageToken={quote(token)}") or {}
            names += [item["name"] for item in page.get("items") or []]
            token = page.get("nextPageToken", "")
            if not token:
                return names

    def read(self, obj: Object) -> Object | None:
        """The bucket, with the labels that the emulator has."""
        answer = self.send("GET", self._url(f"/{obj['name']}"))
        return None if answer is None else {**obj, **_labels(obj, answer.get("labels") or {})}

    def find(self, id_: str) -> Object | None:
        """A bucket that was made by a call of its own: its name and its place."""
        answer = self.send("GET", self._url(f"/{id_}"))
        return None if answer is None else {"name": id_, "location": answer["location"]}


class Dataset(_Emulated):
    """A dataset of the warehouse emulator: labels, texts and table expiration are kept there."""

    part = "warehouse"

    def _url(self, obj: Object) -> str:
        root = f"{self.endpoints().warehouse.address}/bigquery/v2/projects/{obj['project']}"
        return f"{root}/datasets/{obj['dataset_id']}"

    def create(self, obj: Object) -> None:
        """Make the dataset. Raises AlreadyExists."""
        if self.send("GET", self._url(obj)) is not None:
            raise AlreadyExists(obj["id"])
        body = {**_dataset(obj), "location": obj["location"]}
        self.send("POST", self._url(obj).rpartition("/")[0], body)

    def update(self, prior: Object, obj: Object) -> None:
        """Send labels, texts and expiration."""
        self.send("PATCH", self._url(obj), _dataset(obj))

    def delete(self, obj: Object) -> None:
        """Remove the dataset; its tables go only with `delete_contents_on_destroy`."""
        contents = "true" if obj["delete_contents_on_destroy"] else "false"
        self.send("DELETE", f"{self._url(obj)}?deleteContents={contents}")

    def read(self, obj: Object) -> Object | None:
        """The dataset as the emulator has it."""
        answer = self.send("GET", self._url(obj))
        if answer is None:
            return None
        live = {
            "description": answer.get("description"),
            "friendly_name": answer.get("friendlyName"),
            "default_table_expiration_ms": _integer(answer.get("defaultTableExpirationMs")),
            "default_partition_expiration_ms": _integer(answer.get("defaultPartitionExpirationMs")),
        }
        return {**obj, **live, **_labels(obj, answer.get("labels") or {})}


def _dataset(obj: Object) -> Object:
    return {
        "datasetReference": {"projectId": obj["project"], "datasetId": obj["dataset_id"]},
        "labels": obj["effective_labels"] or {},
        "description": obj["description"],
        "friendlyName": obj["friendly_name"],
        "defaultTableExpirationMs": _text(obj["default_table_expiration_ms"]),
        "defaultPartitionExpirationMs": _text(obj["default_partition_expiration_ms"]),
    }


def _integer(value: Any) -> int | None:
    return None if value is None else int(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(int(value))


def _labels(obj: Object, live: dict[str, str]) -> Object:
    """The three label maps when the object carries the labels `live`."""
    return {
        "effective_labels": live,
        "labels": _only(live, obj["labels"]),
        "terraform_labels": _only(live, obj["terraform_labels"]),
    }


def _only(live: dict[str, str], ours: dict[str, str] | None) -> dict[str, str] | None:
    return ours and {name: live[name] for name in ours if name in live}


class SecretVersion(Effect):
    """A value in the local cloud's private store; it is in no other place."""

    def prepare(self, obj: Object, config: Object) -> None:
        """Add the write-only value; the store gives the version its number."""
        obj["version"] = self.cloud.secrets.add(last(obj["secret"]), config["secret_data_wo"])

    def delete(self, obj: Object) -> None:
        """Destroy this version's value; the others stay."""
        self.cloud.secrets.delete(last(obj["secret"]), obj["version"])

    def read(self, obj: Object) -> Object | None:
        """The version is there, or not."""
        there = obj["version"] in self.cloud.secrets.versions(last(obj["secret"]))
        return obj if there else None


class Instance(Effect):
    """The VM: the local cloud's Kestra, started with what the VM's boot script would read."""

    single = True

    def create(self, obj: Object) -> None:
        """Start it; when it does not come up nothing of it stays but its log."""
        if obj["desired_status"] == _STOPPED:
            raise ApiError(f"{obj['name']}: the local cloud can't create a VM that is stopped")
        try:
            self._start(obj)
        except CloudError:
            self.cloud.delete_instance()
            raise

    def update(self, prior: Object, obj: Object) -> None:
        """Stop, start, or start again where a VM would have to."""
        running = self.cloud.instance_state() == _RUNNING
        moved = prior["machine_type"] != obj["machine_type"]
        if moved and running and not obj["allow_stopping_for_update"]:
            raise ApiError(
                "Changing the machine_type on a started instance requires stopping it. To "
                "acknowledge this, please set allow_stopping_for_update = true in your config."
            )
        if running and (moved or obj["desired_status"] == _STOPPED):
            self.cloud.stop_instance()
        if obj["desired_status"] == _STOPPED:
            obj["current_status"] = _STOPPED
        else:
            self._start(obj)

    def delete(self, obj: Object) -> None:
        """Stop it and drop what it ran on."""
        self.cloud.delete_instance()

    def read(self, obj: Object) -> Object | None:
        """Its status, as the local cloud tells it."""
        status = self.cloud.instance_state()
        if status is None:
            return None
        wanted = {"desired_status": status} if obj["desired_status"] else {}
        return {**obj, "current_status": status, **wanted}

    def _start(self, obj: Object) -> None:
        """Nothing happens when it runs with the same configuration."""
        self.cloud.start_instance(self._configuration(obj["metadata"] or {}))
        obj["current_status"] = _RUNNING

    def _configuration(self, metadata: dict[str, str]) -> InstanceConfig:
        """What the VM's boot script makes of the metadata, with the secrets' values."""
        try:
            ids = json.loads(metadata["kestra-secrets"])
            values = {name: self.cloud.secrets.get(secret_id) for name, secret_id in ids.items()}
            return InstanceConfig(
                user=metadata["kestra-user"],
                password=values["KESTRA_PASSWORD"],
                # The server's own password is no secret of its flows; entrypoint.sh says so, too.
                secrets={one: text for one, text in values.items() if one != "KESTRA_PASSWORD"},
                environment={"ENV_ETL_REQUIREMENTS": metadata.get("etl-requirements", "")},
                variables={
                    "KESTRA_VERSION": metadata.get("kestra-version", ""),
                    "ETL_REQUIREMENTS": metadata.get("etl-requirements", ""),
                    "SECRET_VERSION": metadata.get("secret-version", "1"),
                    "KESTRA_INPUTS": _digest(metadata, _CONTAINERS),
                },
            )
        except (KeyError, ValueError, AttributeError) as error:
            raise ApiError(
                "the instance's metadata must have `kestra-user` and `kestra-secrets`, a JSON map "
                f"of names to secret ids with KESTRA_PASSWORD among the names ({error!r})"
            ) from error


def _digest(metadata: dict[str, str], names: tuple[str, ...]) -> str:
    text = "".join(f"{name}\0{metadata.get(name, '')}\0" for name in names)
    return hashlib.sha256(text.encode()).hexdigest()


# Type -> its effect. Every other type is recorded only.
EFFECTS: dict[str, type[Effect]] = {
    "google_bigquery_dataset": Dataset,
    "google_compute_instance": Instance,
    "google_secret_manager_secret_version": SecretVersion,
    "google_storage_bucket": Bucket,
}
