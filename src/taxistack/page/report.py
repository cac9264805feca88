"""The report of `verify --report` on the page: its verdict, its charts as pictures, and whole.

A verification reads the tables, so it is made when somebody asks for it, by one thread at a time,
and the last one is kept.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from taxistack.page.answers import failure
from taxistack.page.gate import DRAWING_POLICY
from taxistack.targets import Target
from taxistack.verify import VerifyRequest, verify_months

_FRAME = {"Content-Security-Policy": DRAWING_POLICY}


@dataclass(frozen=True)
class _Made:
    """A report: its page, its charts by name and width, and what the page says of them."""

    html: str
    drawings: Mapping[str, str]
    about: Mapping[str, Any]


class Report:
    """The last report that was asked for here."""

    def __init__(self, target: Target) -> None:
        """`target`: the stack."""
        self._target = target
        self._lock = threading.Lock()
        self._busy = False
        self._number = 0
        self._made: _Made | None = None
        self._error: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """`busy`, and either `about` of the last report or the `error` that came instead."""
        with self._lock:
            about = self._made.about if self._made else None
            return {"busy": self._busy, "about": about, "error": self._error}

    def start(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Prove the months from `start` to `end` and draw them. Raises UsageError."""
        request = VerifyRequest.parse(
            str(body.get("start") or "") or None,
            str(body.get("end") or "") or None,
            taxi=str(body.get("taxi") or ""),
            duplicates=True,
        )
        with self._lock:
            if not self._busy:
                self._busy, self._error = True, None
                self._number += 1
                work = threading.Thread(target=self._run, args=(request, self._number), daemon=True)
                work.start()
        return self.to_json()

    def _run(self, request: VerifyRequest, number: int) -> None:
        try:
            made = _make(self._target, request, number)
            with self._lock:
                self._made = made
        except Exception as error:  # nobody else would hear of it
            answer = failure(error)
            with self._lock:
                self._error = {"error": str(error), "status": answer.status_code}
        finally:
            with self._lock:
                self._busy = False

    def whole(self) -> Response:
        """The report's page."""
        made = self._made
        if made is None:
            return JSONResponse({"error": "no report was made on this page yet"}, 404)
        return Response(made.html, media_type="text/html", headers=_FRAME)

    def drawing(self, name: str) -> Response:
        """One chart as a picture of its own."""
        made = self._made
        if made is None or name not in made.drawings:
            return JSONResponse({"error": f"there is no chart {name}"}, 404)
        return Response(made.drawings[name], media_type="image/svg+xml", headers=_FRAME)


def _make(target: Target, request: VerifyRequest, number: int) -> _Made:
    from taxistack.report.figures import figures_of  # the chart library is slow to load
    from taxistack.report.page import charts_of, render_html

    verification = verify_months(target, request)
    figures = figures_of(verification)
    charts = charts_of(figures)
    drawings = {}
    listed = []
    for position, (title, drawing) in enumerate(charts):
        name = f"{number}-{position}"
        drawings[f"{name}-wide.svg"] = _alone(drawing.wide)
        drawings[f"{name}-narrow.svg"] = _alone(drawing.narrow)
        listed.append({"name": name, "title": title, "words": drawing.words})
    about = {
        "verdict": verification.summary,
        "good": not verification.exit_code,
        "start": str(verification.request.start or ""),
        "end": str(verification.request.end or ""),
        "at": verification.at.isoformat(),
        "charts": listed,
    }
    return _Made(render_html(figures), drawings, about)


def _alone(svg: str) -> str:
    """A drawing as a file of its own: with the colours that the report's page would give it."""
    from taxistack.report.page import TEMPLATES

    css = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    colours = css[: css.index("* {")]  # the palettes stand first, light and dark
    return re.sub(r"^(<svg [^>]*>)", lambda match: f"{match[1]}<style>{colours}</style>", svg)
