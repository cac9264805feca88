"""How a benchmark looks, how it is measured, and what is made of the figures.

A benchmark is a module of this folder: its docstring says what is compared and how both sides
are run (docs/performance.md prints it), `NOTES` what was learned where a figure is missed, and
`rows` is a context manager that makes everything ready and gives the `Row`s.
"""

from benchmarks.frame.measuring import Row, measured, processor, surroundings
from benchmarks.frame.results import Figures, Result

__all__ = ["Figures", "Result", "Row", "measured", "processor", "surroundings"]
