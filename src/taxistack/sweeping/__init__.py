"""`sweep`: what lost runs have left, found and judged; each target knows where to look.

Order        what a sweep is to do, and by whose hand a stack is taken down
Verdict      one thing that was found: whether it goes, and why
google       the stacks of a Google Cloud project
local        stacks in other state folders of this machine, engine builds that nobody uses
"""

from taxistack.sweeping.verdict import BUILD, Found, Order, Verdict, in_words, quiet

__all__ = ["BUILD", "Found", "Order", "Verdict", "in_words", "quiet"]
