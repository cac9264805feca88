"""The Terraform roots as a whole: well-formed, they plan, and nothing secret is in a plan."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from taxistack import inventory
from taxistack.google import Api

INFRA = Path(__file__).resolve().parents[2] / "infra"
PASSWORDS = {
    "alarm_webhook": "https://hooks.example.org/right-address-1",
    "kestra_password": "Right-Password-1",
    "postgres_password": "right-password-1",
}

# What the kit reads (taxistack.targets); an output that is renamed here breaks it there.
READ_BY_THE_KIT = {
    "bucket", "kestra_bucket", "dataset", "staging_dataset", "service_account", "instance", "zone",
    "project", "location", "kestra_secret", "postgres_secret", "labels",
}  # fmt: skip

HCL_FILES = sorted(path for path in INFRA.rglob("*.tf") if ".terraform" not in path.parts)


def blocks(path: Path, kind: str) -> Iterator[tuple[str, str]]:
    """Name and text of every top-level block of a kind; `terraform fmt` made the layout sure."""
    for found in re.finditer(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', path.read_text(), re.M | re.S):
        yield found[1], found[2]


def test_the_files_are_formatted(infra) -> None:
    assert infra("fmt", "-check", "-recursive", "-diff").stdout == ""


@pytest.mark.parametrize("name", ["infra", "bootstrap"])
def test_the_root_is_valid(name: str, request: pytest.FixtureRequest) -> None:
    answer = json.loads(request.getfixturevalue(name)("validate", "-json").stdout)
    assert answer["diagnostics"] == []


@pytest.mark.parametrize("name", ["infra", "bootstrap"])
def test_its_own_tests_pass(name: str, request: pytest.FixtureRequest) -> None:
    said = request.getfixturevalue(name)("test", "-no-color").stdout
    assert re.search(r"^Success! [1-9]\d* passed, 0 failed", said, re.M), said


def test_both_bounds_of_versions_are_stated() -> None:
    for folder in (INFRA, INFRA / "bootstrap", INFRA / "modules" / "kestra"):
        text = (folder / "versions.tf").read_text()
        assert 'required_version = ">= 1.11"' in text, folder
        assert re.search(r'source\s+= "hashicorp/google"\n\s+version\s+= "~> 7.45"', text), folder


def test_one_provider_and_no_data_source_and_no_random_name() -> None:
    for path in HCL_FILES:
        text = path.read_text()
        assert not re.search(r'^data "', text, re.M), path
        assert not re.search(r"\b(timestamp|plantimestamp|uuid|bcrypt)\(", text), path
        types = re.findall(r'^resource "(\w+)"', text, re.M)
        assert all(kind.startswith("google_") or kind == "terraform_data" for kind in types), path


@pytest.mark.parametrize(("file", "kind"), [("variables.tf", "variable"), ("outputs.tf", "output")])
@pytest.mark.parametrize("folder", [".", "bootstrap", "modules/kestra"])
def test_interfaces_are_alphabetical_and_described(folder: str, file: str, kind: str) -> None:
    found = dict(blocks(INFRA / folder / file, kind))
    assert found
    assert list(found) == sorted(found)
    assert [name for name, text in found.items() if "description" not in text] == []


def test_outputs_are_those_that_the_kit_reads_and_none_is_secret() -> None:
    found = dict(blocks(INFRA / "outputs.tf", "output"))
    assert set(found) >= READ_BY_THE_KIT
    assert [name for name, text in found.items() if "sensitive" in text] == []


def test_secrets_are_ephemeral_and_nothing_else_is() -> None:
    found = dict(blocks(INFRA / "variables.tf", "variable"))
    assert {name for name, text in found.items() if "ephemeral   = true" in text} == set(PASSWORDS)


def test_the_kits_default_version_of_kestra_is_this_roots() -> None:
    settings = yaml.safe_load((INFRA.parent / "invoke.yaml").read_text())["taxistack"]
    variable = dict(blocks(INFRA / "variables.tf", "variable"))["kestra_version"]
    assert f'default     = "{settings["kestra_version"]}"' in variable


@pytest.fixture(scope="module")
def saved_plan(infra) -> tuple[Path, dict]:
    """A saved plan of a whole new stack, and what `terraform show` says of it."""
    backend = infra.folder / "backend_override.tf"
    backend.write_text('terraform {\n  backend "local" {}\n}\n')
    infra("init", "-input=false", "-reconfigure")
    variables = {"project": "taxistack-local", "environment": "test", **PASSWORDS}
    infra("plan", "-input=false", "-out=saved.tfplan", variables=variables)
    backend.unlink()
    shown = json.loads(infra("show", "-json", "saved.tfplan").stdout)
    return infra.folder / "saved.tfplan", shown


def test_no_password_is_in_a_saved_plan(saved_plan: tuple[Path, dict]) -> None:
    path, shown = saved_plan
    texts = [json.dumps(shown)]
    with zipfile.ZipFile(path) as archive:
        texts += [archive.read(name).decode("latin-1") for name in archive.namelist()]
    assert any("taxistack-kestra-password" in text for text in texts)  # the search can find
    for value in PASSWORDS.values():
        assert not any(value in text for text in texts)


def planned(shown: dict) -> dict[str, dict]:
    """Address -> planned values, of every resource of a plan."""
    changes = shown["resource_changes"]
    return {change["address"]: change["change"]["after"] for change in changes}


def test_every_resource_that_can_carries_the_labels(saved_plan: tuple[Path, dict]) -> None:
    labelled = {
        address: values["effective_labels"]
        for address, values in planned(saved_plan[1]).items()
        if "effective_labels" in values
    }
    assert len(labelled) >= 8
    wanted = {"stack": "taxistack", "environment": "test", "run": "manual"}
    assert {a: labels for a, labels in labelled.items() if labels != wanted} == {}


def test_every_name_begins_with_the_stacks(saved_plan: tuple[Path, dict]) -> None:
    keys = ("name", "account_id", "secret_id", "dataset_id")
    names = {
        (address, key): values[key]
        for address, values in planned(saved_plan[1]).items()
        for key in keys
        if isinstance(values.get(key), str)
    }
    assert len(names) >= 15
    prefixes = ("taxistack", "taxistack-local-taxistack-")
    assert {at: name for at, name in names.items() if not name.startswith(prefixes)} == {}


def collections(changes: list[dict], stack: str) -> dict[str, list[dict]]:
    """What the services list when this plan is applied for a stack, by the end of the URL."""
    kinds = {"google_secret_manager_secret": "secrets", "google_service_account": "accounts"}
    for kind in ("instance", "disk", "resource_policy", "router", "subnetwork", "firewall"):
        plural = {"resource_policy": "resourcePolicies"}.get(kind, f"{kind}s")
        kinds[f"google_compute_{kind}"] = plural
    kinds["google_compute_network"] = "networks"
    kinds["google_logging_metric"] = "metrics"
    kinds["google_monitoring_alert_policy"] = "alertPolicies"
    kinds["google_monitoring_notification_channel"] = "notificationChannels"
    found: dict[str, list[dict]] = {}
    for change in changes:
        values = json.loads(json.dumps(change["change"]["after"]).replace("taxistack", stack))
        if kind := kinds.get(change["type"]):
            if change["type"].startswith("google_monitoring_"):
                values |= {"name": f"projects/p/{kind}/{values['display_name']}"}
                values |= {"displayName": values["display_name"]}
                values |= {"userLabels": values["user_labels"]}
            name = values.get("name") or values.get("secret_id")
            labels = values.get("effective_labels") or values.get("user_labels") or {}
            found.setdefault(kind, []).append({**values, "name": name, "labels": labels})
    return found


def test_the_inventory_finds_all_of_a_stack_and_nothing_of_its_neighbour(saved_plan) -> None:
    """Left behind as a whole, beside a stack whose name begins with the first one's."""
    changes = saved_plan[1]["resource_changes"]
    own, other = collections(changes, "taxi"), collections(changes, "taxi-two")

    def pages(api: Api, path: str, *, doing: str, **params: str) -> Iterator[dict]:
        kind = {"serviceAccounts": "accounts"}.get(end := path.rpartition("/")[2], end)
        items = [*own.get(kind, []), *other.get(kind, [])]
        if wanted := params.get("filter"):
            key, value = wanted.replace(" ", "").replace('"', "").split("=")
            items = [
                i for i in items if (i["labels"].get("stack") if "." in key else i[key]) == value
            ]
        listed = {"zone": {kind: items}} if "aggregated" in path else items
        yield {"items" if api is Api.COMPUTE else kind: listed}

    google = SimpleNamespace(pages=pages)
    found = sorted(one.name for one in inventory.google_cloud(google, "taxistack-local", "taxi"))
    kinds = [kind for kind in own if kind != "accounts"]
    names = [one.get("displayName") or one["name"] for kind in kinds for one in own[kind]]
    assert found == sorted([*names, own["accounts"][0]["email"]])
    assert len(found) >= 10


def test_the_inventory_knows_the_names_of_buckets_and_datasets(saved_plan) -> None:
    values = list(planned(saved_plan[1]).values())
    made = {v["name"] for v in values if "storage_class" in v}
    sets = {v["dataset_id"] for v in values if "delete_contents_on_destroy" in v}
    client = SimpleNamespace(
        list_buckets=lambda prefix: [SimpleNamespace(name=n) for n in (*made, f"{prefix}two-lake")],
        list_datasets=lambda: [
            SimpleNamespace(dataset_id=i) for i in (*sets, "taxistack_two_trips")
        ],
    )
    found = inventory.buckets(client, "taxistack-local", "taxistack")
    assert {one.name for one in found} == made
    assert {one.name for one in inventory.datasets(client, "taxistack")} == sets


def test_no_service_account_key_exists_anywhere() -> None:
    assert not any("google_service_account_key" in path.read_text() for path in HCL_FILES)


def test_the_metadata_fits_into_a_vm(saved_plan: tuple[Path, dict]) -> None:
    """Google Cloud takes 256 KiB a value and 512 KiB in all."""
    metadata = planned(saved_plan[1])["module.kestra[0].google_compute_instance.kestra"]["metadata"]
    sizes = {name: len(value.encode()) for name, value in metadata.items()}
    assert max(sizes.values()) <= 256 * 1024
    assert sum(sizes.values()) <= 512 * 1024
