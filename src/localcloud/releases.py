"""The part `releases`: a web site that hands out the files below one folder, and nothing else.

Starlette gives ETag, Last-Modified, Range, If-Range, HEAD and 404. The folder is looked up at
every request through a link, so another one can be put in its place while the site runs.

It has no login, because the site that it stands for has none: what it serves is published, or a
sample that anybody can make, and nothing but GET and HEAD is answered. A key in its address would
be in every ledger row and every log line, which tell where a month came from.
"""

from __future__ import annotations

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from localcloud.gate import Gate
from localcloud.layout import Layout
from localcloud.patience import Patient
from localcloud.ports import HOST
from localcloud.serving import Server


def site(layout: Layout) -> Starlette:
    """The site as an ASGI application."""
    files = StaticFiles(directory=layout.served, check_dir=False)
    files.config_checked = True  # a served folder that vanished is "not found", no fault of ours
    return Starlette(routes=[Mount("/", files)])


def run(layout: Layout, port: int) -> None:
    """Serve until told to stop. Everybody on this machine may read; no web page may."""
    open_gate = Gate(site(layout), None, port)
    config = uvicorn.Config(
        open_gate, http=Patient, host=HOST, port=port, log_level="warning", access_log=False
    )
    Server(config).run()
