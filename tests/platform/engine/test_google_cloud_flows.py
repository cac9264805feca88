"""The flows on a server of target gcp: it has no emulators, and no secret EMULATOR_KEY.

The engine of these tests has no such secret either.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

FLOWS = Path(__file__).resolve().parents[3] / "flows"
KEYED = sorted(
    {
        expression
        for path in FLOWS.glob("*.yaml")
        for expression in re.findall(r'"(\{\{[^"]*EMULATOR_KEY[^"]*\}\})"', path.read_text())
    }
)
ENDPOINTS = ("storage_endpoint", "bigquery_endpoint")


def rendering(*expressions: str) -> str:
    """A flow's body that renders each of them as the environment of a step does."""
    values = "".join(f"      E{at}: {json.dumps(one)}\n" for at, one in enumerate(expressions))
    return (
        "tasks:\n  - id: render\n    type: io.kestra.plugin.core.output.OutputValues\n"
        f"    values:\n{values}"
    )


def test_the_flows_ask_for_the_key_of_both_emulators() -> None:
    said = "".join(KEYED)
    assert all(name in said for name in ENDPOINTS)
    # No step asks for it in another way, which the tests below would not see.
    for path in FLOWS.glob("*.yaml"):
        text = path.read_text()
        assert text.count("secret('EMULATOR_KEY')") == sum(text.count(one) for one in KEYED)


@pytest.mark.parametrize("endpoints", ["missing", "empty"])
def test_without_an_endpoint_nobody_asks_for_the_key(engine, endpoints: str) -> None:
    for name in ENDPOINTS:
        if endpoints == "empty":
            engine.http.put(f"/namespaces/tests/kv/{name}", content='""').raise_for_status()
        else:
            engine.http.delete(f"/namespaces/tests/kv/{name}").raise_for_status()
    engine.save("keyless", rendering(*KEYED))
    done = engine.ended(engine.run("keyless", wait=False)["id"])
    assert done["state"]["current"] == "SUCCESS", engine.messages(done["id"])
    values = engine.task_outputs(done["id"], "render")["values"]
    assert values == {f"E{at}": "" for at in range(len(KEYED))}


@pytest.mark.parametrize("expression", KEYED)
def test_with_an_endpoint_the_key_is_needed(engine, expression: str) -> None:
    for name in ENDPOINTS:
        engine.http.put(f"/namespaces/tests/kv/{name}", content='"http://x"').raise_for_status()
    engine.save("keyed", rendering(expression))
    done = engine.ended(engine.run("keyed", wait=False)["id"])
    assert done["state"]["current"] == "FAILED"
