"""The ETL's archive holds the modules compiled, for this Python, and as they are for another."""

from __future__ import annotations

import subprocess
import sys

import pytest

from taxistack.errors import UsageError
from taxistack.etl_archive import packed

SAYS = b"print('compiled')\n"


def said(path, **environment):
    """What a process says that imports the package from the archive."""
    done = subprocess.run(
        [sys.executable, "-c", "import etl.says; print(etl.says.__file__)"],
        cwd=path.parent,
        env={"PYTHONPATH": path.name, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.fixture
def archive(tmp_path):
    """Write the archive of a package of one module."""

    def write(change=lambda data: data):
        path = tmp_path / "etl.pyz"
        path.write_bytes(change(packed({"etl/__init__.py": b"", "etl/says.py": SAYS})))
        return path

    return write


def test_a_start_compiles_nothing(archive):
    path = archive(lambda data: data.replace(SAYS, b"raise SystemExit\n".ljust(len(SAYS), b"#")))
    assert said(path)[0] == "compiled"


def test_another_python_reads_the_source(archive):
    from importlib.util import MAGIC_NUMBER

    path = archive(lambda data: data.replace(MAGIC_NUMBER, b"\0\0\r\n"))
    assert said(path)[0] == "compiled"


def test_equal_files_make_equal_bytes_in_every_process(archive):
    code = (
        "import sys, asyncio, json; from taxistack.etl_archive import packed; "
        'source = b\'x = {1: "a long text"}; y = z = x in {"a", "b", "c"}; name = "name"\'; '
        "sys.stdout.buffer.write(packed({'etl/a.py': source}))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code.replace("asyncio, json", more)],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for more, seed in [("asyncio, json", "1"), ("os", "2"), ("email, uuid", "3")]
    }
    assert len(made) == 1


def test_what_is_no_python_is_not_packed():
    with pytest.raises(UsageError, match=r"nothing was deployed: etl/says.py is not Python"):
        packed({"etl/says.py": b"def"})
