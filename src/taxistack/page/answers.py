"""How a call of the page is answered: its result as JSON, and what went wrong in the same way."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from taxi_etl.errors import EtlError, without_key
from taxistack.errors import LockedError, MissingError, TaxistackError, TransientError, UsageError
from taxistack.kestra import KestraError

Call = Callable[[Request], Any]
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (TransientError, 503),
    (UsageError, 422),
    (EtlError, 422),
    (LockedError, 409),
    (MissingError, 503),
)
# Kestra names the input in its sentence, and nowhere else.
_INPUT = re.compile(r"\binput:? ?`?([A-Za-z_][\w.-]*)`?")


def answered(call: Call) -> Callable[[Request], Any]:
    """An endpoint of `call`, which may wait: it runs in a thread of its own."""

    async def endpoint(request: Request) -> Response:
        return await in_thread(lambda: call(request))

    return endpoint


async def in_thread(work: Callable[[], Any]) -> Response:
    """The answer that `work` makes, or the failure that it raises."""
    try:
        result = await run_in_threadpool(work)
    except Exception as error:  # whatever it is, the page has to say it
        return failure(error)
    return result if isinstance(result, Response) else JSONResponse(result)


def failure(error: Exception) -> JSONResponse:
    """An error as the page shows it: a sentence, what mends it, and which inputs it is about."""
    if isinstance(error, KestraError):
        said = error.detail or error.title or error.message
        fields = sorted(set(_INPUT.findall(said)))
        return JSONResponse({"error": said, "hint": error.hint, "inputs": fields}, error.status)
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    known = isinstance(error, (TaxistackError, EtlError))
    words = without_key(str(error) if known else f"unexpected {type(error).__name__}: {error}")
    return JSONResponse({"error": words, "hint": getattr(error, "hint", None)}, status)
