"""The page of `invoke ui`: flows, executions, triggers and months in a browser.

    browser ── Gate (Host, Origin, password) ── Starlette ── KestraClient ── Kestra
                                                        └─── planner, backfill, verify

It is ours and not Kestra's, and says so. The browser's side (`static/`) is plain HTML, CSS and
JavaScript without a build step; it speaks to the calls below `/api` only, and builds the document
from them as text: nothing that a flow, a log or a source says is ever read as HTML.
"""

from taxistack.page.serving import Served, served

__all__ = ["Served", "served"]
