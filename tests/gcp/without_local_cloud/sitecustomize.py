"""Python reads this first where the folder is on PYTHONPATH: nothing of localcloud can be imported.

A machine that is for Google Cloud alone need not have what the local cloud is made of.
"""

import sys

sys.modules["localcloud"] = None  # type: ignore[assignment]  # an import ends with ImportError
