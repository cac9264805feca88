"""What a stack on Google Cloud costs, before it does: a month of it, and a backfill.

`prices` is the one table, dated and with its sources; `month` and `loads` do sums with it.
"""

from taxistack.costs.loads import Bill, bill, limit
from taxistack.costs.month import MonthlyCost, monthly_cost

__all__ = ["Bill", "MonthlyCost", "bill", "limit", "monthly_cost"]
