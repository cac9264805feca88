"""Markdown of a flow becomes elements that may stand on a page, and no others."""

from __future__ import annotations

import pytest

from taxistack.page.descriptions import elements


def test_what_the_flows_descriptions_use_is_rendered():
    assert elements("Loads **one month** (*extract*), `x`.\nSecond line.") == [
        ["p", {}, "Loads ", ["strong", {}, "one month"], " (", ["em", {}, "extract"], "), ",
         ["code", {}, "x"], ".", " ", "Second line."],
    ]  # fmt: skip
    assert elements("# A\n- b") == [
        ["h3", {}, "A"], ["ul", {}, ["li", {}, ["p", {}, "b"]]],
    ]  # fmt: skip
    assert elements("```\na <b>\n```") == [["pre", {}, ["code", {}, "a <b>\n"]]]
    assert elements(None) == []


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "x <img src=x onerror=alert(1)> y",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](http://evil.example/pixel.png)",
        "[x](//evil.example)",
        "[x](/api/executions/1/kill)",
    ],
)
def test_what_could_do_something_is_text(evil):
    def tags(found):
        for one in found:
            if isinstance(one, list):
                yield one[0], one[1]
                yield from tags(one[2:])

    assert set(map(str, tags(elements(evil)))) <= {str(("p", {}))}


def test_a_link_of_the_web_stays_one():
    assert elements("[x](https://kestra.io/docs)") == [
        ["p", {}, ["a", {"href": "https://kestra.io/docs"}, "x"]]
    ]
