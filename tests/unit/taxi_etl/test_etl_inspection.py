import gzip
import hashlib
import json
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_etl import sample
from taxi_etl.errors import BadFile
from taxi_etl.inspection import inspect
from taxi_etl.month import Month
from taxi_etl.release import file_name
from taxi_etl.schema import TAXIS, Column, Kind, Taxi

GREEN, YELLOW, OCTOBER = TAXIS["green"], TAXIS["yellow"], Month(2020, 10)
NUMBER = "not a plain number of at most 15 digits, 9 of them decimals"
TIME = "not a date and time (YYYY-MM-DD HH:MM:SS, at most 6 decimals)"


def naive(path, position):
    """The same figures by the csv module, row by row."""
    import csv

    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return len(rows), sum((Decimal(row[position] or 0) for row in rows), Decimal(0))


@pytest.mark.parametrize("taxi", [GREEN, YELLOW], ids=lambda taxi: taxi.name)
@pytest.mark.parametrize("rows", [1, 500, 30_000])
def test_rows_and_sum_are_those_of_the_csv_module(taxi, rows, tmp_path):
    path = tmp_path / "m.csv.gz"
    sample.write(path, taxi.name, OCTOBER, rows)
    found = inspect(path, taxi, OCTOBER)
    assert (found.rows, found.total_amount) == naive(path, taxi.place("total_amount"))
    assert found.source_bytes == path.stat().st_size
    assert found.csv_bytes == len(gzip.decompress(path.read_bytes()))
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_real_month_has_the_published_figures(real_months):
    expected = json.loads((real_months / "expected.json").read_text())
    assert len(expected) == 19
    for name, figures in expected.items():
        path = real_months / "releases" / name
        taxi, month = TAXIS[name.split("/")[0]], Month.parse(name[-14:-7])
        assert file_name(taxi.name, month) == path.name
        found = inspect(path, taxi, month)
        assert found.rows == figures["rows"]
        assert found.total_amount == Decimal(figures["total_amount"])
        assert found.sha256 == figures["sha256"]
        assert (found.csv_bytes, found.source_bytes) == (figures["csv_bytes"], figures["gz_bytes"])


def test_a_real_month_under_the_name_of_another_is_refused(real_months):
    path = real_months / "releases" / "green" / "green_tripdata_2020-10.csv.gz"
    with pytest.raises(BadFile, match="0 of 95120 trips began in 2015-01: another month's file"):
        inspect(path, GREEN, Month(2015, 1))


def test_line_ends_may_be_lf_and_the_last_one_may_lack(month_file, green_text):
    crlf = inspect(month_file(green_text), GREEN, OCTOBER)
    bare = inspect(month_file(green_text.replace("\r\n", "\n").rstrip()), GREEN, OCTOBER)
    assert (
        (bare.rows, bare.total_amount) == (crlf.rows, crlf.total_amount) == (3, crlf.total_amount)
    )


def test_a_gzip_file_may_have_several_members(month_file, green_text):
    packed = b"".join(gzip.compress(part.encode()) for part in (green_text[:40], green_text[40:]))
    assert inspect(month_file(packed, packed=False), GREEN, OCTOBER).rows == 3


def test_an_empty_amount_does_not_count(month_file, green_text):
    header, first, *_ = green_text.split("\r\n")
    fields = first.split(",")
    fields[GREEN.place("total_amount")] = ""
    found = inspect(month_file("\n".join([header, first, ",".join(fields)])), GREEN, OCTOBER)
    assert found.rows == 2
    assert found.total_amount == Decimal(first.split(",")[GREEN.place("total_amount")])


@pytest.mark.parametrize(
    "amount",
    [".79", "-52", "8", "2.00", "-.5", "5.", "0.123456789", "-.00", "000012345678901.2345"],
)
def test_numbers_are_read_in_every_form_of_the_real_files(month_file, green_text, amount):
    header, first, *_ = green_text.split("\r\n")
    fields = first.split(",")
    fields[GREEN.place("total_amount")] = amount
    found = inspect(month_file("\n".join([header, ",".join(fields)])), GREEN, OCTOBER)
    assert found.total_amount == Decimal(amount)


def test_text_may_be_utf8(month_file, green_text):
    changed = broken(green_text, lambda line: line.replace(",N,", ",é,"))
    found = inspect(month_file(changed), GREEN, OCTOBER)
    assert found == replace(
        inspect(month_file(green_text), GREEN, OCTOBER),
        source_bytes=found.source_bytes,
        csv_bytes=found.csv_bytes,
        sha256=found.sha256,
        crc32c=found.crc32c,
    )


@given(st.lists(st.decimals(-(10**7), 10**7, places=4), min_size=1, max_size=30))
def test_the_sum_is_exact(amounts):
    row = b",2020-10-01 00:00:00" + b",".join([b""] * (GREEN.place("total_amount") - 1))
    after = b"," * (len(GREEN.columns) - 1 - GREEN.place("total_amount"))
    lines = [row + b"," + f"{amount:f}".encode() + after for amount in amounts]
    with tempfile.NamedTemporaryFile() as file:
        file.write(gzip.compress(b"\n".join([GREEN.header.encode(), *lines])))
        file.flush()
        assert inspect(Path(file.name), GREEN, OCTOBER).total_amount == sum(amounts)


def broken(text, change):
    """The text with its third line changed."""
    lines = text.split("\r\n")
    lines[2] = change(lines[2])
    return "\r\n".join(lines)


def with_field(name, text):
    def change(line):
        fields = line.split(",")
        fields[[column.name for column in GREEN.columns].index(name)] = text
        return ",".join(fields)

    return change


def with_amount(amount):
    return with_field("total_amount", amount)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line.rsplit(",", 1)[0], "line 3 has 19 columns, not 20"),
        (lambda line: line + ",", "line 3 has 21 columns, not 20"),
        (lambda line: "", "line 3 has no columns: it is empty, not 20"),
        (lambda line: '"' + line, "line 3 has a quote: month files have none"),
        (lambda line: line.replace("-", "\0", 1), "line 3 has a NUL byte"),
        (lambda line: line.replace("-", "\r", 1), "line 3 has a carriage return inside"),
        (with_amount("1,5"), "line 3 has 21 columns, not 20"),
        (with_amount("NaN"), f"line 3 has the total_amount 'NaN': {NUMBER}"),
        (with_field("fare_amount", "abc"), f"line 3 has the fare_amount 'abc': {NUMBER}"),
        (with_field("fare_amount", "NaN"), f"line 3 has the fare_amount 'NaN': {NUMBER}"),
        (
            with_field("passenger_count", "two"),
            "line 3 has the passenger_count 'two': not a whole number of 32 bits",
        ),
        (
            with_field("tip_amount", "x" * 99),
            f"line 3 has the tip_amount '{'x' * 40}': {NUMBER}",
        ),
        *(
            (
                with_field("lpep_pickup_datetime", text),
                f"line 3 has the lpep_pickup_datetime '{text}': {TIME}",
            )
            for text in (
                "now",
                "infinity",
                "10/01/2020 10:00:00",
                "2020-10-01T10:00:00",
                "2012-01-06 10:00:00-05",
                "03-04-12 10:00:00",
                "03-04-2012 10:00:00",
                "2020-10-01 10:00:00.1234567",
                "2020-10-01 10:00:00.",
                "2020-10-01 24:00:00",
                "2020-10-01 10:00:60",
                "2020-10-01 10:60:00",
                "20201001 10:00:00",
                "2015.10.06 10:00:00",
                "2015.310 10:00:00",
                "2020-10-01 10:00:",
                "2020-10-01",
                "2020-02-30 10:00:00",
                "2019-02-29 10:00:00",
                "1900-02-29 10:00:00",
                "2020-04-31 10:00:00",
                "2020-13-01 10:00:00",
                "2020-00-01 10:00:00",
                "0000-01-01 10:00:00",
                "2020-10-01  10:00:00",
                "2020-10-1 10:00:00",
            )
        ),
    ],
)
def test_a_bad_row_is_named_by_its_line(month_file, green_text, change, message):
    with pytest.raises(BadFile) as caught:
        inspect(month_file(broken(green_text, change)), GREEN, OCTOBER)
    assert str(caught.value) == message


@pytest.mark.parametrize("column", ["total_amount", "fare_amount", "congestion_surcharge"])
@pytest.mark.parametrize(
    "amount",
    [
        "1e5",
        "1e-5",
        "+1",
        " 1",
        "1 ",
        "0x1",
        "-.",
        "1_000",
        ".",
        "-",
        "1.2.3",
        "--1",
        "1" + "0" * 30,
        "1" * 16,
        "12345678901234.56",
        ".1234567891",
    ],
)
def test_an_amount_that_not_both_destinations_keep_exactly_is_refused(
    month_file, green_text, amount, column
):
    with pytest.raises(BadFile) as caught:
        inspect(month_file(broken(green_text, with_field(column, amount))), GREEN, OCTOBER)
    assert str(caught.value) == f"line 3 has the {column} '{amount}': {NUMBER}"


@pytest.mark.parametrize("text", ["2147483648", "-2147483649", "1.0", "-", "+1", "1e3", " 1"])
@pytest.mark.parametrize("column", ["passenger_count", "trip_type"])
def test_a_whole_number_that_is_none_of_both_destinations_is_refused(
    month_file, green_text, text, column
):
    with pytest.raises(BadFile, match=f"line 3 has the {column} .* not a whole number of 32 bits"):
        inspect(month_file(broken(green_text, with_field(column, text))), GREEN, OCTOBER)


@pytest.mark.parametrize(("first", "line"), [(True, 3), (False, 2)])
def test_line_ends_that_alternate_are_refused_with_their_line(month_file, green_text, first, line):
    """One of the destinations does not read them, and the lake keeps what is published."""
    lines = green_text.splitlines()
    ends = ["\r\n", "\r\n", "\n", "\n"] if first else ["\n", "\r\n", "\n", "\n"]
    text = "".join(map("".join, zip(lines, ends, strict=True)))
    with pytest.raises(BadFile, match=f"line {line} ends in another way than the header"):
        inspect(month_file(text), GREEN, OCTOBER)


def test_padding_after_the_gzip_data_is_refused(month_file, green_text):
    packed = gzip.compress(green_text.encode()) + b"\0" * 1024
    with pytest.raises(BadFile, match="the gzip data are followed by"):
        inspect(month_file(packed, packed=False), GREEN, OCTOBER)


@pytest.mark.parametrize(("others", "fits"), [(2, False), (1, True)])
def test_most_trips_must_be_of_the_month(month_file, green_text, others, fits):
    lines = green_text.splitlines()
    for at in range(1, 1 + others):
        lines[at] = lines[at].replace("2020-10-", "2020-09-")
    path = month_file("\r\n".join(lines))
    if fits:
        assert inspect(path, GREEN, OCTOBER).rows == 3
        return
    with pytest.raises(BadFile, match="1 of 3 trips began in 2020-10: another month's file"):
        inspect(path, GREEN, OCTOBER)


def test_half_of_the_trips_is_not_most(month_file, green_text):
    lines = green_text.splitlines()[:3]
    lines[1] = lines[1].replace("2020-10-", "2020-09-")
    with pytest.raises(BadFile, match="1 of 2 trips began in 2020-10: another month's file"):
        inspect(month_file("\r\n".join(lines)), GREEN, OCTOBER)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fare_amount", "5."),
        ("fare_amount", "000012345678901.2345"),
        ("fare_amount", "12345678901234.500000000"),
        ("lpep_pickup_datetime", ""),
        ("lpep_pickup_datetime", "2020-02-29 23:59:59.999999"),
        ("lpep_pickup_datetime", "0001-01-01 00:00:00"),
        ("lpep_pickup_datetime", "9999-12-31 23:59:59"),
        ("passenger_count", "-2147483648"),
        ("passenger_count", "007"),
        ("trip_type", "2147483647"),
        ("store_and_fwd_flag", "what * you ~ like"),
        ("VendorID", "CMT"),
    ],
)
def test_every_form_that_all_destinations_read_alike_is_let_through(
    month_file, green_text, name, text
):
    assert inspect(month_file(broken(green_text, with_field(name, text))), GREEN, OCTOBER).rows == 3


def test_bytes_that_are_not_utf8_are_named_by_their_line(month_file, green_text):
    data = broken(green_text, lambda line: line + "@").encode().replace(b"@", b"\xff")
    with pytest.raises(BadFile, match="line 3 is not UTF-8"):
        inspect(month_file(data), GREEN, OCTOBER)


def test_a_short_row_far_down_is_named_by_its_line(tmp_path):
    text = b"".join(sample.text(YELLOW, Month(2019, 1), 40_000)).split(b"\r\n")
    text[35_000] = b"1,2"
    path = tmp_path / "m.csv.gz"
    path.write_bytes(gzip.compress(b"\r\n".join(text), 1))
    with pytest.raises(BadFile, match="line 35001 has 2 columns, not 18"):
        inspect(path, YELLOW, Month(2019, 1))


def test_a_file_of_another_taxi_is_said_to_be_one(month_file, green_text):
    with pytest.raises(BadFile, match="of another taxi: its header is green's, not yellow's"):
        inspect(month_file(green_text), YELLOW, OCTOBER)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (GREEN.header.replace("RatecodeID", "rate"), "column 5 is 'rate', not 'RatecodeID'"),
        (GREEN.header.rsplit(",", 1)[0], r"column 20 \(congestion_surcharge\) is missing"),
        (GREEN.header + ",x", "21 columns, not 20"),
        ("<html>", "column 1 is '<html>', not 'VendorID'"),
        ("\ufeff" + GREEN.header, r"column 1 is '\\ufeffVendorID', not 'VendorID'"),
    ],
)
def test_a_wrong_header_is_described(month_file, green_text, header, message):
    text = green_text.replace(GREEN.header, header, 1)
    with pytest.raises(BadFile, match=f"wrong header: {message}"):
        inspect(month_file(text), GREEN, OCTOBER)


def test_capitals_in_a_header_are_no_difference(month_file, green_text):
    found = [
        inspect(month_file(green_text.replace(GREEN.header, header, 1)), GREEN, OCTOBER)
        for header in (GREEN.header, GREEN.header.upper())
    ]
    assert found[0].sha256 != found[1].sha256
    assert found[0].rows == found[1].rows
    wrong = GREEN.header.upper().replace("RATECODEID", "RATE")
    text = green_text.replace(GREEN.header, wrong, 1)
    with pytest.raises(BadFile, match="wrong header: column 5 is 'RATE', not 'RatecodeID'"):
        inspect(month_file(text), GREEN, OCTOBER)


def test_a_header_alone_is_no_month(month_file):
    with pytest.raises(BadFile, match="the file has no rows after its header"):
        inspect(month_file(GREEN.header + "\r\n"), GREEN, OCTOBER)


def test_a_file_that_never_ends_its_line_is_refused_early(month_file):
    with pytest.raises(BadFile, match="a line is longer than 65536 bytes"):
        inspect(month_file("x" * 200_000), GREEN, OCTOBER)


def test_html_instead_of_the_file_is_refused(month_file):
    with pytest.raises(BadFile, match="not a gzip file: it begins with '<!DOCTYPE html>"):
        inspect(month_file("<!DOCTYPE html><p>hello", packed=False), GREEN, OCTOBER)


def test_an_empty_file_is_refused(month_file):
    with pytest.raises(BadFile, match="not a gzip file: it begins with nothing: it is empty"):
        inspect(month_file(b"", packed=False), GREEN, OCTOBER)


@pytest.mark.parametrize("missing", [1, 4, 8, 60])
def test_a_truncated_gzip_is_refused(month_file, green_text, missing):
    packed = gzip.compress(green_text.encode())[:-missing]
    with pytest.raises(BadFile, match="the gzip file is truncated: it ends before its trailer"):
        inspect(month_file(packed, packed=False), GREEN, OCTOBER)


@pytest.mark.parametrize("place", [-1, -6, 30])
def test_a_corrupt_gzip_is_refused(month_file, green_text, place):
    packed = bytearray(gzip.compress(green_text.encode()))
    packed[place] ^= 0x55
    with pytest.raises(BadFile, match="the gzip data are damaged"):
        inspect(month_file(bytes(packed), packed=False), GREEN, OCTOBER)


def test_anything_after_the_last_member_is_refused(month_file, green_text):
    packed = gzip.compress(green_text.encode()) + b"more"
    with pytest.raises(BadFile, match="the gzip data are followed by 'more': not gzip"):
        inspect(month_file(packed, packed=False), GREEN, OCTOBER)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_series_without_a_measure_has_the_sum_0(month_file, end):
    columns = (Column("base", Kind.TEXT), Column("pickup", Kind.TIME), Column("flag", Kind.CODE))
    fhv = Taxi("fhv", columns, "pickup", None, ("flag",))
    lines = ["base,pickup,flag", "B1,2019-01-01 00:00:01,", "B 2,2019-01-02 10:00:00.5,1"]
    found = inspect(month_file(end.join(lines)), fhv, Month(2019, 1))
    assert (found.rows, found.total_amount) == (2, Decimal(0))
    with pytest.raises(BadFile, match="line 2 has the flag 'x': not a whole number"):
        inspect(month_file(end.join([lines[0], lines[1] + "x"])), fhv, Month(2019, 1))
