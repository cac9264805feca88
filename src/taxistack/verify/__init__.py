"""Verify: every loaded month against its source, the lake, the ledger and the other table."""

from taxi_etl.compare import Difference, amount
from taxistack.verify.compare import Known
from taxistack.verify.show import verification_table
from taxistack.verify.verification import (
    CellCheck,
    Verification,
    VerifyRequest,
    repair_months,
    verify_months,
)

__all__ = [
    "CellCheck",
    "Difference",
    "Known",
    "Verification",
    "VerifyRequest",
    "amount",
    "repair_months",
    "verification_table",
    "verify_months",
]
