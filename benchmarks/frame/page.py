"""docs/performance.md and its chart, out of the committed results and the benchmarks' own words."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.frame.results import Figures, Result, committed, grows, slopes

FOLDER = Path(__file__).parents[1]
PAGE = FOLDER.parent / "docs" / "performance.md"
CHART = FOLDER.parent / "docs" / "images" / "performance.svg"

_TOP = """\
# Performance

<!-- Written by `invoke bench` from benchmarks/: change the text there. -->

Ours against what one would run instead, on one machine. Ratios count: seconds are those of the
machine that ran it. Ours and the baseline take turns, and a ratio is the middle one of the turns'
ratios, so that what else the machine does falls on both. *0.20* means five times as fast, *1.20*
a fifth slower. The figures stand as data in `benchmarks/results/`.

```text
invoke bench                          # everything; writes the results and this page
invoke bench --name postgres_month    # one benchmark
invoke bench --check                  # compares ratios with the committed ones, writes nothing
```

![Ours as a multiple of the baseline](images/performance.svg)
"""
_HEAD = (
    "| work | instead of | ours | baseline | ratio | must reach | |",
    "|---|---|---:|---:|---:|---:|---|",
)


def write() -> None:
    """Write the page and its chart anew."""
    results = committed()
    PAGE.write_text(text(results), encoding="utf-8")
    CHART.parent.mkdir(exist_ok=True)
    CHART.write_text(chart(results), encoding="utf-8")


def text(results: Sequence[Result]) -> str:
    """The whole page."""
    parts = [_TOP, *(_section(result) for result in results), _machines(results)]
    return "\n".join(parts)


def _section(result: Result) -> str:
    title, said, notes = words(result.name)
    lines = [f"## {title}", "", said, "", f"`invoke bench --name {result.name}`", "", *_HEAD]
    lines.extend(_line(row) for row in result.rows)
    growing = [row for row in result.rows if row.growth]
    for row in growing:
        lines += ["", f"*{row.title}*, {_growth(row)}"]
    return "\n".join([*lines, *(["", notes] if notes else []), ""])


def words(name: str) -> tuple[str, str, str]:
    """A benchmark's title, its description and its notes: what stands in its module."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    title, _, said = (ast.get_docstring(tree) or name).partition("\n")
    notes = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "NOTES"
    ]
    return title.rstrip("."), said.strip(), "".join(notes).strip()


def has_rows(name: str) -> bool:
    """Whether a benchmark compares rows; another one writes a table of its own."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "rows" for node in tree.body)


def _line(row: Figures) -> str:
    if row.ratio is None:
        figures = f"{_spread(row.ours)} | - | - | {_seconds(row.reach)} s"
    else:
        ratio = f"**{row.ratio:.2f}** ({min(row.ratios):.2f}-{max(row.ratios):.2f})"
        figures = f"{_spread(row.ours)} | {_spread(row.theirs)} | {ratio} | {row.reach:.2f}"
    return (
        f"| {row.title} | {row.baseline or '-'} | {figures} | {'' if row.reached else 'missed'} |"
    )


def _growth(row: Figures) -> str:
    said = []
    for who, seconds in (("ours", row.ours), ("baseline", row.theirs)):
        if seconds:
            low, middle, high = (1000 * one for one in slopes(seconds))
            said.append(
                f"{who}: {middle:+.1f} ms a run ({low:+.1f} to {high:+.1f}), the last of "
                f"{len(seconds)} takes {grows(seconds):.2f}x the first"
            )
    return f"{'; '.join(said)} (must be at most {row.growth:.2f}x)."


def _spread(seconds: Iterable[float]) -> str:
    ordered = sorted(seconds)
    middle = _seconds(statistics.median(ordered))
    return f"{middle} s ({_seconds(ordered[0])}-{_seconds(ordered[-1])})"


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3g}"


def _machines(results: Sequence[Result]) -> str:
    lines = ["## Machine and versions", "", "| benchmark | measured | machine | versions |"]
    lines.append("|---|---|---|---|")
    for result in results:
        where = result.machine
        machine = ", ".join([where["processor"], f"{where['cores']} cores", where["memory"],
                             where["system"]])  # fmt: skip
        versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
        lines.append(f"| {result.name} | {result.measured} | {machine} | {versions} |")
    return "\n".join([*lines, ""])


def chart(results: Sequence[Result]) -> str:
    """The ratios as bars from the baseline, which is a line at 1: left is faster; SVG."""
    import altair as alt
    import vl_convert

    values: list[dict[str, Any]] = [
        {
            "work": row.title,
            "ratio": row.ratio,
            "told": f"{row.ratio:.2f}",
            "reached": "reached" if row.reached else "missed",
        }
        for result in results
        for row in result.rows
        if row.ratio is not None
    ]
    ratios = [1.0, *(value["ratio"] for value in values)]
    # A bar on a logarithmic scale has no natural beginning: drawn from 0 it has no length.
    scale = alt.Scale(type="log", domain=[min(ratios) / 2, max(ratios) * 2])
    base = alt.Chart(alt.InlineData(values)).encode(
        x=alt.X(
            "ratio:Q",
            title="ours / baseline",
            scale=scale,
            axis=alt.Axis(values=[0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50], format="~g"),
        ),
        y=alt.Y("work:N", title=None, sort=None, axis=alt.Axis(labelLimit=420)),
    )
    bars = base.mark_bar().encode(
        x2=alt.datum(1),
        color=alt.Color(
            "reached:N",
            title=None,
            scale=alt.Scale(domain=["reached", "missed"], range=["#2a78d6", "#eda100"]),
        ),
    )
    told = base.mark_text(align="left", dx=4).encode(
        x=alt.X("end:Q"), text="told:N"
    ).transform_calculate(end="max(datum.ratio, 1)")  # fmt: skip
    rule = alt.Chart(alt.InlineData([{"x": 1}])).mark_rule().encode(x="x:Q")
    # A reader's own letters may be wider than those that the place was measured for.
    padding = {"left": 70, "right": 5, "top": 5, "bottom": 5}
    drawn = (bars + told + rule).properties(width=420, padding=padding)
    return vl_convert.vegalite_to_svg(drawn.to_json())
