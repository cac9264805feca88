"""The page in a real browser: what is on it, in light and dark, wide and on a phone."""

from __future__ import annotations

import html
import json
import re
import subprocess

import pytest

from taxistack.report import write_report

# What the page looks like is read after layout, by a script that the test puts at its end.
PROBE = """<script>
const box = (one) => one.getBoundingClientRect();
const seen = (one) => box(one).width > 0 && box(one).height > 0;
const all = (what) => [...document.querySelectorAll(what)];
document.body.dataset.probe = JSON.stringify({
  wide: all('.wide svg').filter(seen).length, narrow: all('.narrow svg').filter(seen).length,
  cells: all('.grid td').filter(seen).length,
  overflow: document.documentElement.scrollWidth > window.innerWidth,
  paper: getComputedStyle(document.body).backgroundColor,
  bar: getComputedStyle(document.querySelector('.mark-rect path')).fill,
  inside: all('figure svg').filter(seen).every(
    (one) => box(one).right <= box(one.closest('section')).right),
  requests: performance.getEntriesByType('resource').length,
  load: performance.now(),
});
</script>"""


@pytest.fixture(scope="module")
def look(chromium, verification, tmp_path_factory):
    """What the browser shows of the report of 62 months."""
    folder = tmp_path_factory.mktemp("browser")
    page, _ = write_report(verification(months=62, odd=True), folder)
    page.write_text(page.read_text().replace("</body>", PROBE + "</body>"))

    def at(*flags: str) -> dict:
        done = subprocess.run(
            [
                chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync",
                f"--user-data-dir={folder / 'profile'}", *flags, "--dump-dom", page.as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        told = re.search(r'data-probe="([^"]+)"', done.stdout)
        assert told, done.stdout[-500:]
        return json.loads(html.unescape(told[1]))

    return at


def test_a_wide_window_shows_every_cell_and_chart(look):
    seen = look("--window-size=1100,900")
    assert seen["wide"] >= 6
    assert seen["narrow"] == 0
    assert seen["cells"] == 4 * 6 * 12
    assert not seen["overflow"]
    assert seen["inside"]
    assert seen["requests"] == 0


def test_a_phone_gets_its_own_drawings_and_no_sideways_scrolling(look):
    seen = look("--window-size=500,900")
    assert seen["narrow"] >= 6
    assert seen["wide"] == 0
    assert not seen["overflow"]


def test_dark_and_light_differ_in_paper_and_in_the_charts(look):
    light, dark = look(), look("--blink-settings=preferredColorScheme=0")
    assert light["paper"] == "rgb(251, 250, 247)"
    assert dark["paper"] == "rgb(20, 23, 27)"
    assert light["bar"] != dark["bar"]
