"""A million rows from the release site to the lake

Ours is the whole step `extract`, its process included: download, every check of every field, the
exact sum, upload. The baseline checks nothing: `curl` to a file, `gunzip -c FILE | wc -l`, and an
upload by `curl`. Same servers, wall-clock time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.frame import Row
from benchmarks.frame.servers import BUCKET, servers
from taxi_etl.month import Month

NOTES = """
The checks are arithmetic on whole columns (`taxi_etl/columns.py`): 1.2 to 2 s of processor time for
a million rows of eighteen fields, twelve of them numbers of which every character is looked at.
Two blocks are checked at the same time, and the file is decompressed in a third thread, so on two
cores about half of it is waited for. Of that the decompressing thread takes 0.2 s; the process's
start is 0.16 s more, before a byte is asked for. The baseline looks at nothing but line ends.
"""
MONTH = Month(2015, 3)
CURL = """curl -sSf "$URL" -o "$TO"
gunzip -c "$TO" | wc -l
curl -sSf -X POST --data-binary @"$TO" -H 'Content-Type: application/gzip' \
"$STORAGE_EMULATOR_HOST/upload/storage/v1/b/$BUCKET/o?uploadType=media&name=curl-$N.csv.gz"
"""


@contextmanager
def rows(folder: Path) -> Iterator[list[Row]]:
    """One row; every run writes an object that is not there yet."""
    with servers(folder) as running:
        path = running.publish(MONTH, 1_000_000)
        url = f"{running.source}/yellow/{path.name}"

        def extract(_: int) -> None:
            name = f"raw/yellow/{path.name}"
            if blob := running.storage.bucket(BUCKET).get_blob(name):
                blob.delete()
            running.extract(MONTH)

        yield [
            Row(
                "extract, 1 million rows, all checks and the upload",
                extract,
                reach=1.2,
                baseline="curl, gunzip and wc, curl",
                theirs=lambda n: running.shell(
                    CURL, URL=url, TO=folder / "curl.csv.gz", N=n, BUCKET=BUCKET
                ),
            )
        ]
