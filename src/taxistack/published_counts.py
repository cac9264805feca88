"""Row counts of the public releases, by taxi and month: the CSV edition, not the Parquet one.

The course publishes the TLC's trip records of that time as gzipped CSV files (releases of
github.com/DataTalksClub/nyc-tlc-data, `sources.PUBLIC_SOURCE`); these are the numbers of data
rows in its files, as far as a source for them was found. The TLC's own Parquet edition was
re-made later and differs. Checks that follow from them: yellow 2020 has 24,648,499 rows and
green 2020 has 1,734,051 (the course's own answers).
"""

from __future__ import annotations

from collections.abc import Mapping

PUBLISHED_COUNTS: Mapping[str, Mapping[str, int]] = {
    "yellow": {
        "2019-01": 7667792,
        "2019-02": 7019375,
        "2019-03": 7832545,
        "2020-01": 6405008,
        "2020-02": 6299354,
        "2020-03": 3007292,
        "2020-04": 237993,
        "2020-05": 348371,
        "2020-06": 549760,
        "2020-07": 800412,
        "2020-08": 1007284,
        "2020-09": 1341012,
        "2020-10": 1681131,
        "2020-11": 1508985,
        "2020-12": 1461897,
        "2021-03": 1925152,
    },
    "green": {
        "2019-01": 630918,
        "2019-10": 476386,
        "2020-01": 447770,
        "2020-02": 398632,
        "2020-03": 223406,
        "2020-04": 35612,
        "2020-05": 57360,
        "2020-06": 63109,
        "2020-07": 72257,
        "2020-08": 81063,
        "2020-09": 87987,
        "2020-10": 95120,
        "2020-11": 88605,
        "2020-12": 83130,
    },
}

PUBLISHED_YEARS: Mapping[str, Mapping[int, int]] = {
    "yellow": {2019: 84399019, 2020: 24648499},
    "green": {2019: 6044050, 2020: 1734051},
}
"""Rows of whole years, known also where a single month's count is not."""
