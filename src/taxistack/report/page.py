"""Writes the report: one self-contained HTML page and a summary in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from taxistack.errors import UsageError
from taxistack.report.charts import Drawing, lines_chart, loads_chart, rows_chart, strokes
from taxistack.report.figures import Figures, figures_of
from taxistack.verify import Verification, amount
from taxistack.zones.busiest import Pickups

TEMPLATES = Path(__file__).parent / "templates"
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


Busiest = Mapping[str, Sequence[Pickups]]
"""By series, the locations with the most pickups."""


def write_report(
    verification: Verification, folder: Path, busiest: Busiest | None = None
) -> list[Path]:
    """Write `index.html` and `report.md` into `folder` (made when missing); the files written.

    The page needs no network and no JavaScript. Raises UsageError when the folder can't be
    written.
    """
    figures, busiest_zones = figures_of(verification), busiest or {}
    pages = {
        "index.html": render_html(figures, busiest_zones),
        "report.md": render_markdown(figures, busiest_zones),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(folder / name, text) for name, text in pages.items()]
    except OSError as error:
        raise UsageError(f"--report {folder}: can't be written: {error.strerror}") from error


def render_html(figures: Figures, busiest: Busiest | None = None) -> str:
    """The page."""
    return (
        _environment(escape=True)
        .get_template("page.html.j2")
        .render(
            **_values(figures, busiest),
            charts=_charts(figures),
            months=MONTH_NAMES,
            strokes=strokes(figures.taxis),
        )
    )


def render_markdown(figures: Figures, busiest: Busiest | None = None) -> str:
    """The summary."""
    return (
        _environment(escape=False).get_template("report.md.j2").render(**_values(figures, busiest))
    )


def _environment(*, escape: bool) -> Environment:
    # Each template is rendered once as HTML (escaped) or as Markdown (nothing to escape for).
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=escape,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = "{:,}".format
    environment.filters["amount"] = lambda value: f"{value:,.2f}"
    environment.filters["exact"] = amount
    environment.filters["dollars"] = lambda value: (
        "\N{EN DASH}" if value is None else f"${value:,.2f}"
    )
    environment.filters["seconds"] = "{:.1f}".format
    return environment


def _values(figures: Figures, busiest: Busiest | None) -> Mapping[str, Any]:
    verification = figures.verification
    return {
        "figures": figures,
        "verification": verification,
        "wrong": verification.wrong,
        "start": verification.request.start,
        "end": verification.request.end,
        "busiest": {taxi: rows for taxi, rows in (busiest or {}).items() if rows},
        "unnamed": not any(row.zone for rows in (busiest or {}).values() for row in rows),
        "at": f"{verification.at:%Y-%m-%d %H:%M} UTC",
    }


def charts_of(figures: Figures) -> list[tuple[str, Drawing]]:
    """Every chart of the page with its title, in the page's order."""
    charts = _charts(figures)
    if not charts:
        return []
    titled = [(f"Rows per month, {taxi}", chart) for taxi, chart in charts["rows"].items()]
    titled += [("Trips per month", charts["trips"])]
    titled += [("Revenue per month, in dollars", charts["revenue"])] if charts["revenue"] else []
    titled += [("Seconds of each load", charts["loads"])] if charts["loads"] else []
    return [*titled, ("Share of rows in null blocks, in percent", charts["nulls"])]


def _charts(figures: Figures) -> Mapping[str, Any]:
    if not figures.months:
        return {}
    return {
        "rows": {taxi: rows_chart(figures, taxi) for taxi in figures.taxis},
        "trips": lines_chart(figures, "trips", lambda month: month.table.rows, "~s", figures.taxis),
        "revenue": lines_chart(
            figures,
            "revenue in dollars",
            lambda month: float(month.revenue or 0),
            "$~s",
            figures.measured,
        )
        if figures.measured
        else None,
        "nulls": lines_chart(
            figures,
            "the share of rows in null blocks, in percent,",
            lambda month: 100 * month.table.null_block / max(month.table.rows, 1),
            "~f",
            figures.taxis,
        ),
        "loads": loads_chart(figures) if figures.loads else None,
    }


def _write(path: Path, text: str) -> Path:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    return part.replace(path)
