"""The inventory of a stack on Google Cloud, against the REST answers' documented shapes."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from taxistack import inventory
from taxistack.google import DisabledApiError, ForbiddenError, GoogleApis


def _answer(status: int, body: object) -> SimpleNamespace:
    return SimpleNamespace(
        status_code=status, ok=status < 400, headers={}, text=json.dumps(body), json=lambda: body
    )


def _refused(reason: str) -> SimpleNamespace:
    return _answer(403, {"error": {"message": "no", "details": [{"reason": reason}]}})


class Api:
    """A session that answers by the end of the URL; empty elsewhere. Keeps what was asked."""

    def __init__(self, answers: dict[str, list[SimpleNamespace]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, str]]] = []

    def request(self, method: str, url: str, *, params, json, timeout) -> SimpleNamespace:
        self.asked.append((url, params))
        for end, pages in self.answers.items():
            if url.endswith(end):
                return pages.pop(0) if len(pages) > 1 else pages[0]
        return _answer(200, {})


def _google(session: Api) -> GoogleApis:
    apis = GoogleApis()
    apis.__dict__["session"] = session
    return apis


def test_an_empty_project_has_nothing_left():
    assert list(inventory.google_cloud(_google(Api({})), "p", "taxi")) == []


def test_machines_are_found_in_every_zone_and_on_every_page():
    pages = [
        _answer(200, {"items": {"zones/a": {"instances": [{"name": "one"}]}, "zones/b": {}},
                      "nextPageToken": "more"}),
        _answer(200, {"items": {"zones/c": {"instances": [{"name": "two"}]}}}),
    ]  # fmt: skip
    api = Api({"aggregated/instances": pages})
    found = list(inventory.google_cloud(_google(api), "p", "taxi"))
    assert [(one.kind, one.name) for one in found] == [("instance", "one"), ("instance", "two")]
    assert api.asked[0][1]["filter"] == "labels.stack = taxi"


def test_networks_secrets_and_accounts_are_found():
    api = Api({
        "global/networks": [_answer(200, {"items": [{"name": "taxi-network"}]})],
        "/secrets": [_answer(200, {"secrets": [{"name": "projects/1/secrets/taxi-password"}]})],
        "/serviceAccounts": [_answer(200, {"accounts": [
            {"email": "taxi-kestra@p.iam.gserviceaccount.com"},
            {"email": "other@p.iam.gserviceaccount.com"},
        ]})],
    })  # fmt: skip
    kinds = {one.kind: one.name for one in inventory.google_cloud(_google(api), "p", "taxi")}
    assert kinds == {
        "network": "taxi-network",
        "secret": "taxi-password",
        "service account": "taxi-kestra@p.iam.gserviceaccount.com",
    }


def test_an_api_that_is_off_proves_nothing():
    # It may have been switched off with things in it: they go on, and nobody can list them.
    api = Api({"/secrets": [_refused("SERVICE_DISABLED")]})
    with pytest.raises(DisabledApiError, match="inventory: listing secrets") as raised:
        list(inventory.google_cloud(_google(api), "p", "taxi"))
    assert "invoke setup enables the APIs" in str(raised.value.hint)


def test_an_api_that_refuses_is_an_error_and_not_an_empty_list():
    api = Api({"/secrets": [_refused("IAM_PERMISSION_DENIED")]})
    with pytest.raises(ForbiddenError, match="listing secrets: no"):
        list(inventory.google_cloud(_google(api), "p", "taxi"))


def test_snapshots_are_asked_for_by_label():
    made = {"name": "taxi-data-1", "labels": {"run": "7"}}
    api = Api({"global/snapshots": [_answer(200, {"items": [made]})]})
    (found,) = inventory.snapshots(_google(api), "p", "taxi")
    assert api.asked[0][1]["filter"] == "labels.stack = taxi"
    assert found.place == "projects/p/global/snapshots/taxi-data-1"
    assert found.labels == {"run": "7"}
