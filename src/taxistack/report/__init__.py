"""The report of a verification: a page for people and a summary for a pull request."""

from taxistack.report.page import render_html, render_markdown, write_report

__all__ = ["render_html", "render_markdown", "write_report"]
