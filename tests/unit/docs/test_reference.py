"""The reference pages are what the code says, and every command says how to use it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from taxistack import reference
from taxistack.backfill.state import DESTINATIONS, TAXIS
from taxistack.settings import Settings

COLLECTION = reference.collection()


@pytest.mark.parametrize("page", sorted(reference.pages()), ids=lambda page: page.stem)
def test_the_page_is_what_the_code_renders(page):
    assert page.read_text() == reference.pages()[page], "python -m taxistack.reference"


@pytest.mark.parametrize("name", COLLECTION.task_names)
def test_a_command_says_what_it_does_with_an_example(name):
    text = COLLECTION[name].__doc__
    assert text
    assert "Example: " in text
    assert f"invoke {name}" in text


@pytest.mark.parametrize("name", COLLECTION.task_names)
def test_every_flag_of_a_command_has_help(name):
    for argument in reference.arguments(COLLECTION[name]):
        assert argument.help, argument.name


def test_the_help_names_every_series_and_destination():
    for name in ("backfill", "verify"):
        told = {argument.name: argument.help for argument in reference.arguments(COLLECTION[name])}
        assert all(taxi in told["taxi"] for taxi in TAXIS)
        assert all(destination in told["destination"] for destination in DESTINATIONS)


def test_every_setting_is_explained_in_sentences():
    explained = reference.explanations()
    assert list(explained) == [field.name for field in fields(Settings)]
    assert all(len(text) > 40 and text.endswith(".") for text in explained.values())


def test_every_setting_has_a_line_in_the_table():
    assert "|  |" not in reference.settings().replace('`""`', "x")
