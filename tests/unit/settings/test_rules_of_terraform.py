"""What Terraform would refuse is refused as a setting already, before anything is started."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxistack.errors import UsageError
from taxistack.settings import RULES

VARIABLES = (Path(__file__).resolve().parents[3] / "infra" / "variables.tf").read_text()


def patterns(name: str) -> list[str]:
    """The regular expressions that a variable's text must match, as Terraform's root has them."""
    block = re.search(rf'^variable "{name}" {{$.*?^}}$', VARIABLES, re.M | re.S)
    assert block, name
    found = re.findall(rf'regex\("(\^(?:[^"\\]|\\.)*\$)", var\.{name}\)', block.group())
    return [one.replace("\\\\", "\\").replace("[:space:]", r"\s") for one in found]


# A setting that is empty, or a webhook that is none, is no value for Terraform.
COMPARED = (
    "environment", "run", "project", "region", "location", "kestra_user", "kestra_version",
    "alarm_email",
)  # fmt: skip


def accepted(name: str, value: object) -> bool:
    try:
        RULES[name](f"setting {name}", value)
    except UsageError as error:
        return name not in error.message
    return True


@pytest.mark.parametrize("name", COMPARED)
def test_a_setting_takes_what_its_variable_takes_and_nothing_else(name):
    (pattern,) = patterns(name)
    texts = st.one_of(
        st.from_regex(pattern, fullmatch=True),
        st.from_regex(pattern, fullmatch=True).map(str.upper),
        st.from_regex(pattern, fullmatch=True).map(lambda text: f"{text} "),
        st.text(st.characters(codec="ascii"), min_size=1, max_size=40),
    )

    @settings(max_examples=60)
    @given(texts)
    def same(text: str) -> None:
        # Go's $ is the end of the text; Python's stands before a last line break too.
        taken = re.fullmatch(pattern.removeprefix("^").removesuffix("$"), text, re.ASCII)
        long = name == "kestra_user" and len(text) > 256
        assert accepted(name, text) is (bool(taken) and not long)

    same()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "my-goog-stack"),
        ("machine_type", "e2-micro"),
        ("machine_type", "n2-highcpu-2"),
        ("machine_type", "e2-custom-2-2048"),
        ("machine_type", "a3-highgpu-8g"),
        ("schedule", "20:00-08:00"),
        ("schedule", "08:00-08:00"),
        ("soft_delete_days", 3),
        ("soft_delete_days", 91),
        ("secret_version", 0),
        ("kestra_version", "1.3.0"),
        ("zone", "us-central1"),
    ],
)
def test_a_value_that_terraform_refuses_is_refused_here(name, value):
    assert not accepted(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("machine_type", "e2-standard-2"),
        ("machine_type", "e2-custom-2-8192"),
        ("machine_type", "n1-standard-2"),
        ("schedule", ""),
        ("schedule", "08:00-20:00"),
        ("soft_delete_days", "7"),
        ("zone", ""),
        ("location", "europe-west1"),
    ],
)
def test_a_value_that_terraform_takes_is_taken(name, value):
    assert accepted(name, value)
