"""What a load job says of its CSV, in DuckDB's words; what DuckDB then reads."""

from __future__ import annotations

import duckdb
import pytest

from localcloud.warehouse_csv import options


@pytest.fixture
def read(tmp_path):
    """The rows that a load job makes of a text."""

    def go(text, columns="a VARCHAR, b VARCHAR", **job):
        path = tmp_path / "file.csv"
        path.write_text(text, newline="")
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE t ({columns})")
            connection.execute(f"COPY t FROM ? ({options(job)})", [str(path)])
            return connection.execute("FROM t").fetchall()

    return go


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_without_a_word_it_is_a_comma_double_quotes_and_no_header(read, end):
    assert read(f'a,b{end}"1, 2",{end}') == [("a", "b"), ("1, 2", None)]


@pytest.mark.parametrize(("skipped", "rows"), [("1", 2), (2, 1), (None, 3), (0, 3)])
def test_as_many_rows_are_left_out_as_the_job_says(read, skipped, rows):
    assert len(read("a,b\n1,2\n3,4\n", skipLeadingRows=skipped)) == rows


def test_who_lets_the_schema_be_found_has_a_header(read):
    assert read("a,b\n1,2\n", autodetect=True) == [("1", "2")]


@pytest.mark.parametrize(
    ("said", "written"), [(";", ";"), ("tab", "\t"), ("\\t", "\t"), ("'", "'")]
)
def test_the_separator_is_the_job_s(read, said, written):
    assert read(f"1{written}2,3\n", fieldDelimiter=said) == [("1", "2,3")]


def test_without_a_quote_a_quote_is_a_character(read):
    assert read('1,"2\n', quote="") == [("1", '"2')]


@pytest.mark.parametrize("text", ["1;2\n", "1,2,3\n", "1\n"])
def test_another_separator_or_number_of_columns_is_refused(read, text):
    with pytest.raises(duckdb.Error):
        read(text)


def test_a_time_that_is_not_written_as_bigquery_wants_it_is_refused(read):
    columns = "a TIMESTAMP, b DATE"
    assert len(read("2019-01-01 00:00:00,2019-01-01\n", columns)) == 1
    with pytest.raises(duckdb.Error):
        read("31/12/2019 00:00,2019-01-01\n", columns)
