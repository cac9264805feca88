"""The page stands alone, says everything in words too, and stays small."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pytest

from taxistack.backfill.state import SourceFile
from taxistack.errors import UsageError
from taxistack.report import write_report
from taxistack.report.charts import NAMES, lines_chart
from taxistack.report.figures import figures_of
from taxistack.report.page import TEMPLATES
from taxistack.verify.verification import check_all


class Outline(HTMLParser):
    """Collects what a screen reader would be told, and what a browser would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables = self.captions = self.figures = self.figcaptions = self.images = 0
        self.unscoped: list[str] = []
        self.loads: list[str] = []
        self.headings: list[str] = []
        self.lang: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tables += tag == "table"
        self.captions += tag == "caption"
        self.figures += tag == "figure"
        self.figcaptions += tag == "figcaption"
        if tag == "html":
            self.lang = given.get("lang")
        if tag == "th" and given.get("scope") not in ("row", "col"):
            self.unscoped.append(str(attrs))
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        if tag in ("script", "img", "iframe", "object", "embed"):
            self.loads.append(tag)
        if tag == "link" and given.get("href") != "data:,":
            self.loads.append("link")


@pytest.fixture(scope="module")
def pages(verification, tmp_path_factory):
    """Both pages of a verification, as text; each verification is rendered once."""

    @cache
    def write(**options) -> tuple[str, str]:
        folder = tmp_path_factory.mktemp("report")
        html, markdown = write_report(verification(**options), folder)
        return html.read_text(), markdown.read_text()

    return write


def test_the_page_loads_nothing_and_runs_nothing(pages):
    html, _ = pages(odd=True)
    assert Outline(html).loads == []
    assert not re.search(r"url\(|@import|src=|javascript:", html)
    addresses = set(re.findall(r'(?:href|action)="([^"#][^"]*)"', html))
    assert {one for one in addresses if not one.startswith("data:")} == set()


def test_every_table_and_chart_is_told_in_words(pages):
    outline = Outline(pages(odd=True)[0])
    assert outline.lang == "en"
    assert outline.tables == outline.captions > 4
    assert outline.figures == outline.figcaptions >= 5
    assert outline.unscoped == []
    assert outline.headings[:2] == ["h1", "h2"]


def test_states_differences_and_figures_are_on_both_pages(pages):
    for text in pages(odd=True):
        for word in ("failed", "stale", "missing", "not published", "loading", "What differs"):
            assert word in text
        assert "yellow 2020-02 in postgres" in text
        assert "loads are not proven equal to their source" in text
    html, markdown = pages()
    assert "All 72 loads are equal to their source." in html
    assert "| yellow | postgres | 2019 | ✓ |" in markdown


def test_text_from_outside_cannot_become_markup(pages):
    html, _ = pages(odd=True)
    assert "short row 17 &lt;b&gt;" in html
    assert "<b>" not in html


def test_published_counts_are_shown_only_for_the_public_release(pages, public):
    html, markdown = pages(source=public)
    assert "published row count" in html
    assert "7,667,792" in markdown
    html, markdown = pages()
    assert "do not come from the public release" in html
    assert "7,667,792" not in markdown


def test_sample_trips_are_never_passed_off_as_the_tlcs(verification, public, tmp_path):
    def texts(found):
        return [page.read_text() for page in write_report(found, tmp_path)]

    samples = texts(replace(verification(months=2), samples=True))
    for text in samples:
        assert "made by a generator" in text
    assert "Trip records:" not in samples[0]
    assert "traits of the source" in samples[0]
    others = texts(verification(months=2))
    assert "Trip records:" not in others[0]
    for text in others + texts(verification(months=2, source=public)):
        assert "made by a generator" not in text
    assert "Trip records: NYC Taxi &amp; Limousine" in texts(verification(2, source=public))[0]


def _without_its_files(found):
    """The same after the source lost every file of green."""
    checks = [
        replace(
            check.known,
            state=replace(
                check.known.state, source=SourceFile("green", check.cell.month, "http://x", False)
            ),
        )
        if check.cell.taxi == "green"
        else check.known
        for check in found.checks
    ]
    return replace(found, checks=tuple(check_all(checks)))


def test_a_load_whose_file_the_source_does_not_have_is_not_said_to_differ(verification, tmp_path):
    found = _without_its_files(verification(months=2))
    assert len(found.orphaned) == 4
    html, markdown = (page.read_text() for page in write_report(found, tmp_path))
    for text in (html, markdown):
        assert "not comparable with its source" in text
        assert "4 loads are as they were loaded" in text
        assert "loaded, differs" not in text
        assert "--repair" not in text


def test_repair_is_offered_for_what_it_mends_only(pages):
    """A month that is loading is neither proven nor reloaded."""
    for text in pages(odd=True):
        assert "the 6 of these that loading again can mend" in text


def test_a_month_without_rows_breaks_its_line(verification):
    """No line is drawn across a month of which nothing is known."""
    whole, gap = (figures_of(verification(months=20, odd=odd)) for odd in (False, True))

    def strokes(figures) -> int:
        svg = lines_chart(figures, "trips", lambda one: one.table.rows, "~s", figures.taxis).wide
        lines = re.findall(r"<g [^>]*mark-line[^>]*>.*?</g>", svg, re.S)
        return sum(d.count("M") for line in lines for d in re.findall(r' d="([^"]+)"', line))

    missing = {one.month for one in whole.months} - {one.month for one in gap.months}
    assert missing
    assert strokes(gap) > strokes(whole) == 2


def test_the_figures_of_a_month_come_from_where_it_is_proven(verification):
    found = verification(months=1)
    first = found.checks[0].known
    broken = replace(first, table=replace(first.table, rows=1, distinct_ids=1))
    known = [broken, *(check.known for check in found.checks[1:])]
    figures = figures_of(replace(found, checks=tuple(check_all(known))))
    (green,) = figures.of("green")
    assert green.table.rows == first.table.rows


def test_both_colour_schemes_style_every_colour_of_the_charts(pages):
    html, _ = pages()
    light, dark = html.split("prefers-color-scheme: dark", 1)
    for name in set(re.findall(r"var\((--[a-z-]+)\)", html)):
        assert f"{name}:" in light
        assert f"{name}:" in dark
    assert not re.search(r'="#0000', html)


def test_a_series_without_amounts_has_no_revenue_and_every_series_its_colour(pages):
    html, markdown = pages(months=3, taxis=("fhv",))
    assert "Revenue per month" not in html
    assert "of revenue" not in markdown
    assert "$" not in html.split("</style>")[1] + markdown
    html, markdown = pages(months=3, taxis=("fhv", "yellow"))
    chart = html.split('id="chart-revenue"')[1].split("</figcaption>")[0]
    assert "yellow: 3 months" in chart
    assert "fhv" not in chart
    nothing = "\N{EN DASH}"
    assert f"| 2019-01 | fhv | 1,037 | {nothing} | {nothing} |" in markdown
    assert f"| 2019-01 | yellow | 6,037 | {nothing} | $60,430.37 |" in markdown
    assert {"var(--fhv)", "var(--yellow)"} < set(re.findall(r'fill="(var\(--\w+\))"', html))
    assert "fhv: PUlocationID and DOlocationID; yellow: VendorID" in html


def test_every_series_and_destination_has_a_colour_in_both_schemes():
    light, dark = (TEMPLATES / "page.css").read_text().split("prefers-color-scheme: dark", 1)
    for name in NAMES:
        assert f"--{name}: #" in light
        assert f"--{name}: #" in dark


def test_sixty_two_months_stay_under_two_megabytes(pages):
    assert len(pages(months=62)[0].encode()) < 2_000_000


def test_a_report_of_nothing_says_so(verification, tmp_path):
    empty = replace(verification(months=1), checks=())
    html, markdown = write_report(empty, tmp_path)
    assert "Nothing was proven" in html.read_text()
    assert "Nothing was proven" in markdown.read_text()


def test_a_folder_that_cannot_be_written_is_told(verification, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--report"):
        write_report(verification(months=1), tmp_path / "file")
