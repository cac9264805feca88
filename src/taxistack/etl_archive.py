"""The ETL's package as one file that Python imports from, with what it is compiled to.

Python keeps what it compiles beside a module's file, but not in an archive: without its compiled
form in there, every start of a step compiles every module. A server with another minor version of
Python than this one takes the source, which stands beside it.
"""

from __future__ import annotations

import importlib.util
import io
import marshal
import zipfile
from collections.abc import Iterator, Mapping

from taxistack.errors import UsageError

ETL_ARCHIVE = "taxi_etl.pyz"
"""Its name. It is replaced as a whole, so a step that starts during a deployment runs the old
program or the new one, never some files of each. A server would unpack a file that is named .zip.
"""

_DAY_ONE = (1980, 1, 1, 0, 0, 0)  # of every file in it: equal files make equal bytes
_UNCHECKED = (1).to_bytes(4, "little")  # PEP 552: told by a hash, which is not looked at
# Later forms of marshal depend on what else the process holds; this one on the code alone
_FORM = 2


def packed(files: Mapping[str, bytes]) -> bytes:
    """Files as one archive, by their names in it. Raises UsageError for what is no Python."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in _with_compiled(files):
            archive.writestr(zipfile.ZipInfo(name, _DAY_ONE), content)
    return made.getvalue()


def _with_compiled(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for name, content in files.items():
        yield name, content
        if name.endswith(".py"):
            yield f"{name}c", _compiled(name, content)


def _compiled(name: str, source: bytes) -> bytes:
    """A module as Python's importer reads it. Source of the form: PEP 552."""
    try:
        code = compile(source, f"{ETL_ARCHIVE}/{name}", "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"nothing was deployed: {name} is not Python: {error}") from error
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
    return head + marshal.dumps(code, _FORM)
