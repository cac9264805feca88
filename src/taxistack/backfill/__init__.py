"""Backfill: which months are where, what has to run, and running it through Kestra."""

from taxistack.backfill.context import BackfillContext
from taxistack.backfill.grid import grid_table, outlook
from taxistack.backfill.planner import Only, Order, Plan, Request, plan
from taxistack.backfill.result import Failure, Outcome, Result
from taxistack.backfill.runner import run_backfill
from taxistack.backfill.state import Cell, CellState, Run, SourceFile, State
from taxistack.backfill.survey import plan_backfill, survey

__all__ = [
    "BackfillContext",
    "Cell",
    "CellState",
    "Failure",
    "Only",
    "Order",
    "Outcome",
    "Plan",
    "Request",
    "Result",
    "Run",
    "SourceFile",
    "State",
    "grid_table",
    "outlook",
    "plan",
    "plan_backfill",
    "run_backfill",
    "survey",
]
