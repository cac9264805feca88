"""The program `taxistack`: Invoke's own, with the commands of this clone wherever one stands.

`invoke` finds tasks.py from the folder that one is in; this finds it beside the package. Flags,
settings and exit codes are the same.
"""

from __future__ import annotations

from invoke import Program

from taxistack import __version__
from taxistack.settings import ROOT


class Taxistack(Program):
    """Invoke's program, its search for tasks begun in the clone."""

    def load_collection(self) -> None:
        """Load tasks.py and invoke.yaml of the clone, unless --search-root names another folder."""
        root = self.args["search-root"]
        if not root.value:
            root.value = str(ROOT)
        super().load_collection()


program = Taxistack(name="taxistack", binary="taxistack", version=__version__)


def main() -> None:
    """Run it with this process's arguments; ends the process with the command's exit code."""
    program.run()
