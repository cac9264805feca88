"""docs/performance.md is what the committed results say, and the guard sees what got worse."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from benchmarks.__main__ import names
from benchmarks.frame import Figures, Result, guard, page, results


def figures(ours: list[float], theirs: list[float], **more) -> Figures:
    return Figures("work", "other way", 1.0, more.get("growth"), tuple(ours), tuple(theirs))


def result(row: Figures) -> Result:
    return Result("bench", "2026-11-27", {}, {}, (row,))


def test_the_page_is_what_the_results_say():
    assert page.PAGE.read_text() == page.text(results.committed()), "python -m benchmarks --page"


def test_every_ratio_is_a_bar_that_begins_at_the_baseline():
    drawn = page.chart([result(figures([seconds], [1.0])) for seconds in (0.5, 4.0)])
    bars = re.findall(r'roledescription="bar" d="M([\d.]+),[\d.]+h([\d.]+)v', drawn)
    (quick, its_width), (slow, width) = [(float(x), float(w)) for x, w in bars]
    assert quick + its_width == pytest.approx(slow), "left of the line, right of it"
    assert width == pytest.approx(2 * its_width), "four times is twice two times"


def test_every_committed_result_is_of_a_benchmark():
    assert {one.name for one in results.committed()} <= set(names())


def test_a_ratio_is_the_middle_one_of_its_pairs():
    assert figures([1, 2, 9], [2, 2, 3]).ratio == 1.0


def test_a_row_without_a_baseline_is_held_to_its_seconds():
    assert figures([0.9, 1.0, 1.1], []).reached
    assert not figures([1.1, 1.2, 1.3], []).reached


def test_a_row_that_grows_too_much_is_missed_though_its_ratio_is_reached():
    flat, steep = [1.0, 1.01, 1.0, 1.02], [1.0, 1.2, 1.4, 1.6]
    assert figures(flat, [2.0] * 4, growth=1.1).reached
    assert not figures(steep, [2.0] * 4, growth=1.1).reached
    assert results.grows(steep) == pytest.approx(1.6)


def test_the_guard_allows_noise_and_tells_what_got_slower():
    kept = result(figures([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]))
    assert guard.worse(result(figures([1.2] * 3, [1.0] * 3)), kept) == []
    (said,) = guard.worse(result(figures([1.3] * 3, [1.0] * 3)), kept)
    assert "1.30 times its baseline, committed 1.00, at most 1.25" in said


def test_the_guard_allows_what_the_committed_runs_spread_over():
    kept = result(figures([1.0, 1.0, 1.6], [1.0, 1.0, 1.0]))
    assert guard.worse(result(figures([1.5] * 3, [1.0] * 3)), kept) == []


def test_the_guard_tells_a_row_that_was_never_committed():
    kept = result(figures([1.0] * 3, [1.0] * 3))
    fresh = result(replace(kept.rows[0], title="new work"))
    assert guard.worse(fresh, kept) == ["new work: is not in the committed results"]
