"""The values for Kestra's Helm chart fit the chart, and configure the server that the VM runs.

The chart publishes no JSON schema. What it publishes is its values.yaml: `chart-1.0.54.json` holds
its keys with the kind of their defaults, and the two keys that only its templates read. An object
or a list that is empty there takes anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CHART = json.loads(Path(__file__).with_name("chart-1.0.54.json").read_text())
VARIABLES = {
    "database": "taxi-project:us-central1:kestra",
    "image": "us-central1-docker.pkg.dev/taxi-project/taxistack/kestra:2.0.8",
    "stack": {
        "kestra_bucket": {"value": "taxi-project-taxistack-kestra"},
        "kestra_user": {"value": "admin@taxistack.dev"},
        "labels": {"value": {"stack": "taxistack", "environment": "prod", "run": "manual"}},
        "project": {"value": "taxi-project"},
        "service_account": {"value": "taxistack-kestra@taxi-project.iam.gserviceaccount.com"},
    },
}
KINDS = {str: "string", bool: "boolean", int: "number", float: "number", dict: "object",
         list: "array"}  # fmt: skip


@pytest.fixture(scope="module")
def gke(copy_root: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    return copy_root(tmp_path_factory.mktemp("gke"), "gke")


@pytest.fixture(scope="module")
def values(gke: Any) -> dict[str, Any]:
    """As `helm` gets them."""
    (gke.folder / "test.tfvars.json").write_text(json.dumps(VARIABLES))
    gke("apply", "-auto-approve", "-input=false", "-var-file=test.tfvars.json")
    return yaml.safe_load(gke("output", "-raw", "values").stdout)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}" if path else key)
    else:
        yield path, value


def problem(path: str, value: Any, known: dict[str, str], read: list[str]) -> str | None:
    """What is wrong with one value by the chart; None: it fits."""
    if any(fnmatch(path, f"{one}") or fnmatch(path, f"{one}.*") for one in read):
        return None
    kind = known.get(path)
    if kind is None:
        above = [path.rsplit(".", n)[0] for n in range(1, path.count(".") + 1)]
        free = any(known.get(one) == "object" for one in above)
        return None if free else f"{path}: the chart knows no such value"
    same = KINDS[type(value)] == kind
    return None if same else f"{path}: {value!r} where the chart has a {kind}"


def problems(values: dict[str, Any]) -> list[str]:
    known, read = CHART["values"], CHART["read_by_the_templates"]
    found = (problem(path, value, known, read) for path, value in leaves(values))
    return [one for one in found if one]


def test_its_own_tests_pass(gke: Any) -> None:
    said = gke("test", "-no-color").stdout
    assert re.search(r"^Success! [1-9]\d* passed, 0 failed", said, re.M), said


def test_every_value_is_one_of_the_charts(values: dict[str, Any]) -> None:
    assert problems(values) == []


def test_a_value_that_the_chart_does_not_know_is_found(values: dict[str, Any]) -> None:
    assert problems({**values, "postgresql": {"enabled": True}})
    assert problems({**values, "dind": {"enabled": "no"}})
    assert problems({**values, "common": {"extraContainer": []}})


def test_the_server_is_configured_as_on_the_vm(values: dict[str, Any]) -> None:
    compose = yaml.safe_load((ROOT / "infra" / "kestra" / "compose.yaml").read_text())
    text = compose["services"]["kestra"]["environment"]["KESTRA_CONFIGURATION"]
    on_the_vm = yaml.safe_load(text.replace("$$", "$"))["kestra"]
    here = values["configurations"]["application"]["kestra"]
    assert here["server"]["liveness"] == on_the_vm["server"]["liveness"]
    for key in ("tutorial-flows", "repository", "queue", "tasks", "anonymous-usage-report"):
        assert here[key] == on_the_vm[key], key
    assert here["storage"]["gcs"]["bucket"] == "taxi-project-taxistack-kestra"
    basic = on_the_vm["server"]["basic-auth"]["password"]
    assert here["server"]["basic-auth"]["password"] == basic == "${BASIC_AUTH_PASSWORD}"


def test_nothing_secret_is_in_it_but_names(values: dict[str, Any]) -> None:
    named = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in values["common"]["extraEnv"]}
    assert set(named) == {
        "BASIC_AUTH_PASSWORD",
        "DATABASE_PASSWORD",
        "SECRET_ALARM_WEBHOOK",
        "SECRET_POSTGRES_PASSWORD",
    }
    assert {one["name"] for one in named.values()} == {"kestra"}
    outputs = (ROOT / "infra" / "outputs.tf").read_text()
    assert all(f'output "{name}"' in outputs for name in VARIABLES["stack"])
