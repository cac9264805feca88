"""The report's charts: Vega-Lite by altair, rendered to SVG by vl-convert. No browser, no network.

The charts are drawn in placeholder colours, which become CSS variables of the page: one drawing
is right in light and in dark. Each is drawn twice, for a wide and for a narrow window, so that
its text keeps its size on a phone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

from taxi_etl import destinations, schema
from taxi_etl.month import Month
from taxistack.report.figures import Figures, MonthFigures

WIDE, NARROW = 640, 272
MOST_BAR = 40
# page.css has a variable of each name: every series and every destination has its colour.
NAMES = ("ink-soft", "line", "ink", *schema.TAXIS, *destinations.MODULES)
COLOUR: Mapping[str, str] = {name: f"#0000{0xA0 + n:02x}" for n, name in enumerate(NAMES)}
"""The placeholder that stands in a drawing for each name's colour."""
INK_SOFT, LINE, INK = (COLOUR[name] for name in NAMES[:3])
FONT = "system-ui, sans-serif"
Rows = Sequence[Mapping[str, Any]]
Chart = alt.Chart | alt.LayerChart | alt.FacetChart  # what altair says that it hands out


@dataclass(frozen=True)
class Drawing:
    """One chart: SVG for a wide and for a narrow window, and what it shows in words."""

    wide: str
    narrow: str
    words: str


def rows_chart(figures: Figures, taxi: str) -> Drawing:
    """Rows of each month; a line across a bar is the published count."""
    months = figures.of(taxi)
    compared = [month for month in figures.compared if month.taxi == taxi]
    loaded = [{"month": str(month.month), "value": month.table.rows} for month in months]
    published = [{"month": str(month.month), "value": month.published} for month in compared]

    def build(width: int) -> Chart:
        size = min(0.72 * width / len(_domain(figures.months)), MOST_BAR)
        x, y = _x(figures.months), _y("~s")
        bars = _chart(loaded).mark_bar(color=COLOUR[taxi], size=size).encode(x, y)
        ticks = _chart(published).mark_tick(color=INK, thickness=2, size=size).encode(x, y)
        return alt.layer(bars, ticks).properties(width=width, height=150)

    extremes = _range(months, lambda month: month.table.rows)
    words = f"Bar chart of the rows of {taxi} by month: {extremes}"
    if compared:
        words += f". {len(compared)} months carry a line at the published count"
    return _draw(build, words)


def lines_chart(
    figures: Figures,
    what: str,
    value: Callable[[MonthFigures], float],
    form: str,
    taxis: Sequence[str],
) -> Drawing:
    """One quantity over the months, a line for each of `taxis`."""
    places = {month: place for place, month in enumerate(_domain(figures.months))}
    # Months that follow each other have one `part`: a line is not drawn across a missing month.
    rows = [
        {
            "month": str(month.month),
            "taxi": taxi,
            "value": float(value(month)),
            "part": places[str(month.month)] - number,
        }
        for taxi in taxis
        for number, month in enumerate(figures.of(taxi))
    ]

    def build(width: int) -> Chart:
        x, y = _x(figures.months), _y(form, rows=rows)
        layers: list[alt.Chart] = []
        for taxi in taxis:
            base = _chart([row for row in rows if row["taxi"] == taxi]).encode(x, y)
            colour, dash = COLOUR[taxi], _dash(taxis, taxi)
            layers += [
                base.mark_line(color=colour, strokeWidth=2, strokeDash=dash).encode(
                    detail="part:O"
                ),
                base.mark_point(color=colour, filled=True, size=_size(taxis, taxi), opacity=1),
            ]
        return alt.layer(*layers).properties(width=width, height=150)

    ranges = "; ".join(f"{taxi}: {_range(figures.of(taxi), value)}" for taxi in taxis)
    return _draw(build, f"Line chart of {what} by month. {ranges}")


# Where two lines are one, the gaps of the upper one show the lower one, and its points stand out.
_DASHES: Sequence[Sequence[int]] = ((1, 0), (7, 7), (2, 5))
_SIZES = (52, 26, 10)


def _dash(taxis: Sequence[str], taxi: str) -> list[int]:
    return list(_DASHES[list(taxis).index(taxi) % len(_DASHES)])


def _size(taxis: Sequence[str], taxi: str) -> int:
    return _SIZES[list(taxis).index(taxi) % len(_SIZES)]


def strokes(taxis: Sequence[str]) -> Mapping[str, str]:
    """For a legend: each taxi's line as a small drawing."""
    return {
        taxi: '<svg class="stroke" viewBox="0 0 30 10" aria-hidden="true" focusable="false">'
        f'<path d="M1 5H29" stroke="var(--{taxi})" stroke-width="2.5" '
        f'stroke-dasharray="{" ".join(map(str, _dash(taxis, taxi)))}"/></svg>'
        for taxi in taxis
    }


def loads_chart(figures: Figures) -> Drawing:
    """Seconds of every last load, by month and destination."""
    rows: list[dict[str, Any]] = [
        {
            "month": str(load.cell.month),
            "value": round(load.seconds, 2),
            "destination": load.cell.destination,
            "taxi": load.cell.taxi,
        }
        for load in figures.loads
    ]
    names = sorted({row["destination"] for row in rows})
    scale = alt.Scale(domain=names, range=[COLOUR[name] for name in names])

    def build(width: int) -> Chart:
        points: Chart = (
            _chart(rows)
            .mark_point(filled=True, size=38, opacity=0.85)
            .encode(
                _x(figures.months),
                _y("~s", "seconds"),
                color=alt.Color("destination:N", scale=scale, legend=None),
                shape=alt.Shape(
                    "destination:N",
                    scale=alt.Scale(domain=names, range=["circle", "diamond"][: len(names)]),
                    legend=None,
                ),
            )
            .properties(width=width, height=150)
        )
        return points

    summary = "; ".join(
        f"{destination}: {count} loads, median {median} s, longest {longest} s"
        for destination, count, median, longest, _ in figures.load_summary()
    )
    return _draw(build, f"Dot chart of the seconds of each load by month. {summary}")


def _chart(rows: Rows) -> alt.Chart:
    return alt.Chart(alt.Data(values=list(rows)))


def _domain(months: Sequence[MonthFigures]) -> list[str]:
    """Every month from the first to the last: all charts have one axis, gaps stay gaps."""
    listed = sorted(month.month for month in months)
    return [str(month) for month in Month.range(listed[0], listed[-1])]


def _x(months: Sequence[MonthFigures]) -> alt.X:
    domain = _domain(months)
    # Every month's name fits only a short range; else a year stands at its January.
    short = len(domain) <= 4
    years = [month for month in domain if month.endswith("-01")]
    return alt.X(
        "month:O",
        title=None,
        scale=alt.Scale(domain=domain),
        axis=alt.Axis(
            labelExpr="datum.label" if short or not years else "slice(datum.label, 0, 4)",
            values=domain if short else years or domain[:1],
            labelAngle=0,
            grid=False,
        ),
    )


def _y(form: str, title: str | None = None, rows: Rows = ()) -> alt.Y:
    axis = alt.Axis(
        format=form,
        labelExpr="datum.value === 0 ? '0' : datum.label",  # else "0k"
        tickCount=4,
        domain=False,
        ticks=False,
    )
    # Of zeros alone Vega makes an axis with 0 in its middle: they lie on the ground too.
    flat = bool(rows) and not any(row["value"] for row in rows)
    scale = alt.Scale(domain=[0, 1]) if flat else alt.Scale(zero=True)
    return alt.Y("value:Q", title=title, axis=axis, scale=scale)


def _range(months: Sequence[MonthFigures], value: Callable[[MonthFigures], float]) -> str:
    if not months:
        return "no month"
    low, high = min(months, key=value), max(months, key=value)
    return (
        f"{len(months)} months, least {value(low):,.0f} in {low.month}, "
        f"most {value(high):,.0f} in {high.month}"
    )


def _draw(build: Callable[[int], Chart], words: str) -> Drawing:
    return Drawing(_svg(build(WIDE)), _svg(build(NARROW)), words)


def _svg(chart: Chart) -> str:
    chart = (
        chart.configure(font=FONT, background="transparent", aria=False, padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=INK_SOFT,
            titleColor=INK_SOFT,
            gridColor=LINE,
            domainColor=LINE,
            tickColor=LINE,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        )
    )
    svg = vl_convert.vegalite_to_svg(chart.to_dict())
    for name, placeholder in COLOUR.items():
        svg = svg.replace(f'"{placeholder}"', f'"var(--{name})"')
    # The figure around it carries the words; the drawing itself is for the eye.
    return re.sub(r"^<svg ", '<svg aria-hidden="true" focusable="false" ', svg)
