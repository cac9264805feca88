"""Which tests stay together on one worker, where pytest-xdist spreads the suite over several."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).parent
# These start servers once for their folder.
FOLDERS = ("platform/contract", "platform/etl", "infra/standin")

# Fixtures of the session that take long to make.
STACKS = ("platform", "own_stack")


class Chains(LoadScopeScheduling):
    """A file stays together; so do all files that ask for the session's `platform`.

    A worker has sessions of its own: a platform would be started on each. xdist's own groups
    (`loadgroup`) say nothing with pytest 9.2, whose nodes keep their name elsewhere.
    """

    def _split_scope(self, nodeid: str) -> str:
        return chain(nodeid.partition("::")[0].removeprefix(f"{TESTS.name}/"))


@cache
def chain(file: str) -> str:
    """The chain of a test file, by its path below tests. What it asks for is read in its text."""
    folder = str(Path(file).parent)
    if folder in FOLDERS:
        return folder
    text = (TESTS / file).read_text()
    asked = [name for name in STACKS if re.search(rf"def \w+\([^)]*\b{name}\b", text)]
    return asked[0] if asked else file
