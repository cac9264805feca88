"""Every series has its colour on the page, in light and in dark."""

from __future__ import annotations

import re

import pytest

from taxi_etl.schema import TAXIS
from taxistack.settings import ROOT

CSS = (ROOT / "src" / "taxistack" / "page" / "static" / "page.css").read_text()


@pytest.mark.parametrize("taxi", TAXIS)
def test_a_series_has_a_swatch_and_two_colours(taxi):
    assert f".swatch.{taxi} {{ background: var(--{taxi}); }}" in CSS
    assert len(re.findall(rf"--{taxi}: #[0-9a-f]{{6}};", CSS)) == 2
