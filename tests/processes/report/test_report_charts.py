"""What a chart shows of odd series: zeros lie on the ground, and no line hides another."""

from __future__ import annotations

import re

from taxistack.report.charts import COLOUR, lines_chart, strokes
from taxistack.report.figures import figures_of


def test_a_series_of_zeros_lies_on_the_ground_of_its_axis(verification):
    figures = figures_of(verification(months=3))
    drawn = lines_chart(figures, "nothing", lambda one: 0, "~f", figures.taxis).wide
    labels = {
        text: float(y)
        for y, text in re.findall(
            r"<text[^>]*translate\([-\d.]+,\s*([\d.]+)\)[^>]*>([\d.]+)</text>", drawn
        )
    }
    ground = max(labels.values())
    assert labels["0"] == ground
    assert len(labels) > 2


def test_equal_series_are_both_seen_and_told_apart_by_more_than_colour(verification):
    figures = figures_of(verification(months=3))
    drawn = lines_chart(figures, "the same", lambda one: 5, "~f", figures.taxis).wide
    for taxi in figures.taxis:
        assert COLOUR[taxi] not in drawn
        assert f"var(--{taxi})" in drawn
    lines = re.findall(r'<path[^>]*stroke="var\(--\w+\)"[^>]*>', drawn)
    dashes = {re.search(r'stroke-dasharray="([^"]*)"', line)[1] for line in lines if "dash" in line}
    assert len(dashes) == len(figures.taxis)
    assert len(set(strokes(figures.taxis).values())) == len(figures.taxis)
