"""A load job's CSV is what the job says, as in BigQuery, and not what the file looks like.

The emulator lets DuckDB guess: separator, quote, whether there is a header, how times look. It
tries some hundred ways on the file's first rows, which takes longer than a small month; and what
the job says of them it does not read. DuckDB's own defaults are BigQuery's: a comma, double quotes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DEFAULTS = {"fieldDelimiter": ",", "quote": '"'}
_NAMED = {"tab": "\t", "\\t": "\t"}  # BigQuery takes these words for the character


def adapt() -> None:
    """Have load jobs read CSV so."""
    from bqemulator.jobs import executor

    usual = executor._load_path_into_target

    def load(path: str, job: Any, ctx: Any) -> None:
        if job.source_format != "CSV":
            return usual(path, job, ctx)
        ctx.engine.execute(f"COPY {job.target_ref} FROM ? ({options(job.raw_config)})", [path])
        return None

    executor._load_path_into_target = load


def options(job: Mapping[str, Any]) -> str:
    """DuckDB's words for what a load job says of its CSV."""
    separator, quote = (
        literal(_NAMED.get(value, value))
        for value in (job.get(name, usual) for name, usual in _DEFAULTS.items())
    )
    # Only a job that lets the schema be found lets the header be found too
    skipped = int(job.get("skipLeadingRows") or (1 if job.get("autodetect") else 0))
    return (
        f"FORMAT CSV, AUTO_DETECT false, HEADER false, SKIP {skipped}, "
        f"DELIM {separator}, QUOTE {quote}, ESCAPE {quote}"
    )


def literal(text: str) -> str:
    """The text as DuckDB's SQL has it, in its quotes."""
    return "'" + text.replace("'", "''") + "'"
