"""Descriptions of flows: Markdown as a tree of elements that a page may build, and nothing else.

Markdown may hold HTML and links of any scheme. Here HTML is text like any other, and a link that
is neither http nor https is its words.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

Element = str | list[Any]
"""Text, or `[tag, {attribute: value}, child, …]`."""

_TAGS = {
    "paragraph": "p", "strong": "strong", "em": "em", "s": "s", "bullet_list": "ul",
    "ordered_list": "ol", "list_item": "li", "blockquote": "blockquote", "hr": "hr",
    "hardbreak": "br", "table": "table", "thead": "thead", "tbody": "tbody", "tr": "tr",
    "th": "th", "td": "td",
}  # fmt: skip
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
# The page has its own h1 and h2 above a description.
_FIRST_HEADING, _LAST_HEADING = 3, 6


def elements(markdown: str | None) -> list[Element]:
    """The elements of a Markdown text; of none there are none."""
    return _children(SyntaxTreeNode(_MARKDOWN.parse(markdown or "")))


def _children(node: SyntaxTreeNode) -> list[Element]:
    return [element for child in node.children for element in _element(child)]


def _element(node: SyntaxTreeNode) -> list[Element]:
    if node.type in ("text", "html_inline", "html_block"):
        return [node.content]
    if node.type == "softbreak":
        return [" "]
    if node.type == "code_inline":
        return [["code", {}, node.content]]
    if node.type in ("fence", "code_block"):
        return [["pre", {}, ["code", {}, node.content]]]
    inside = _children(node)
    if node.type == "heading":
        level = min(int(node.tag[1:]) + _FIRST_HEADING - 1, _LAST_HEADING)
        return [[f"h{level}", {}, *inside]]
    if node.type == "link" and _is_safe(str(node.attrs.get("href", ""))):
        return [["a", {"href": str(node.attrs["href"])}, *inside]]
    if node.type == "image":
        return [node.content]  # nothing is fetched from elsewhere
    if node.type in _TAGS:
        return [[_TAGS[node.type], {}, *inside]]
    return inside


def _is_safe(address: str) -> bool:
    try:
        return urlsplit(address).scheme in ("http", "https")
    except ValueError:
        return False
