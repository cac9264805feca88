"""The course's homework on workflow orchestration, answered from ledger and tables.

Questions: Data Engineering Zoomcamp, module 2 (Kestra): sizes and row counts of the CSV
releases, one rendered file name, one setting of a Schedule trigger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from taxi_etl.ledger import Entry
from taxi_etl.month import Month
from taxi_etl.release import file_name
from taxistack.backfill import ledger
from taxistack.backfill.context import BackfillContext
from taxistack.backfill.state import COURSE, DESTINATIONS
from taxistack.published_counts import PUBLISHED_COUNTS, PUBLISHED_YEARS
from taxistack.sources import PUBLIC_SOURCE
from taxistack.verify import tables

FIRST, LAST = Month(2020, 1), Month(2021, 3)
MIB = 2**20
NEW_YORK = "America/New_York"
File = tuple[str, Month]


@dataclass(frozen=True)
class Answer:
    """One question. `answer` is None while months are missing: `needs` names them."""

    question: str
    answer: str | None
    needs: tuple[File, ...] = ()
    published: bool | None = None
    """Whether it is the published figure; None where there is none to compare with."""

    @property
    def text(self) -> str:
        """The answer, or what it still needs."""
        if self.answer is None:
            return f"needs {_spans(self.needs)}"
        return self.answer + (" (not the published figure)" if self.published is False else "")


@dataclass(frozen=True)
class Homework:
    """The six answers. `sources`: where the months in them were loaded from, unless public."""

    answers: tuple[Answer, ...]
    sources: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The result in one line."""
        answered = sum(1 for answer in self.answers if answer.answer is not None)
        text = f"homework: {answered} of {len(self.answers)} questions answered"
        if self.sources:
            text += (
                f". The months come from {_listed(self.sources)}, not from the public release: "
                "these are not the published figures"
            )
        return text

    def table(self) -> Table:
        """The questions and answers for a terminal."""
        table = Table(title="Homework", title_justify="left", box=None, pad_edge=False)
        table.add_column("#", justify="right")
        table.add_column("question")
        table.add_column("answer", style="bold")
        for number, answer in enumerate(self.answers, 1):
            table.add_row(str(number), answer.question, answer.text)
        return table

    def to_json(self) -> dict[str, Any]:
        """The answers as JSON-able data; `published_figures`: there are some, and no others."""
        compared = [answer.published for answer in self.answers if answer.published is not None]
        return {
            "answers": [
                {
                    "question": answer.question,
                    "answer": answer.answer,
                    "needs": [f"{taxi} {month}" for taxi, month in answer.needs],
                    "published_figure": answer.published,
                }
                for answer in self.answers
            ],
            "sources": list(self.sources),
            "published_figures": bool(compared) and all(compared),
        }


@dataclass(frozen=True)
class Loaded:
    """What is known of one loaded month, from whichever destination has it."""

    load: Entry
    rows: int


def homework(context: BackfillContext) -> Homework:
    """Answer from what is loaded. Raises FailedError when a destination does not answer."""
    return answer(read(context))


def read(context: BackfillContext) -> dict[File, Loaded]:
    """The months that the questions are about: ledger rows with the rows that the tables hold."""
    ledgers = {
        destination: ledger.read(context, destination, FIRST, LAST) for destination in DESTINATIONS
    }
    with ThreadPoolExecutor(4) as pool:
        held = {
            (taxi, destination): pool.submit(tables.read, context, taxi, destination, FIRST, LAST)
            for taxi in COURSE
            for destination in DESTINATIONS
        }
    loaded: dict[File, Loaded] = {}
    for destination, loads in ledgers.items():
        for cell, load in loads.items():
            rows = held[cell.taxi, destination].result().get(cell.month)
            if rows is not None:
                loaded.setdefault((cell.taxi, cell.month), Loaded(load, rows.rows))
    return loaded


def answer(loaded: Mapping[File, Loaded]) -> Homework:
    """The answers from what is loaded. Pure."""
    december = ("yellow", Month(2020, 12))
    answers = (
        _size(december, loaded),
        _rendered("green", Month(2020, 4)),
        _rows_of_year("yellow", 2020, loaded),
        _rows_of_year("green", 2020, loaded),
        _rows_of_month(("yellow", Month(2021, 3)), loaded),
        _timezone(),
    )
    used = [month.load.source_url for month in loaded.values()]
    others = {url.rsplit("/", 2)[0] for url in used if not url.startswith(PUBLIC_SOURCE)}
    return Homework(answers, tuple(sorted(others)))


def _size(file: File, loaded: Mapping[File, Loaded]) -> Answer:
    question = f"Uncompressed size of {_csv(*file)}"
    if file not in loaded:
        return Answer(question, None, _needed([file], loaded))
    size = loaded[file].load.csv_bytes / MIB
    return Answer(question, f"{size:.1f} MiB", published=f"{size:.1f}" == "128.3")


def _rendered(taxi: str, month: Month) -> Answer:
    question = f"Name of the file for taxi {taxi}, {month}, as the flow renders it"
    return Answer(question, _csv(taxi, month))


def _rows_of_year(taxi: str, year: int, loaded: Mapping[File, Loaded]) -> Answer:
    files = [(taxi, Month(year, number)) for number in range(1, 13)]
    return _rows(f"Rows of {taxi} in {year}", files, loaded, PUBLISHED_YEARS[taxi][year])


def _rows_of_month(file: File, loaded: Mapping[File, Loaded]) -> Answer:
    taxi, month = file
    published = PUBLISHED_COUNTS[taxi][str(month)]
    return _rows(f"Rows of {taxi} in {month}", [file], loaded, published)


def _rows(
    question: str, files: Iterable[File], loaded: Mapping[File, Loaded], published: int
) -> Answer:
    files = list(files)
    if needs := _needed(files, loaded):
        return Answer(question, None, needs)
    rows = sum(loaded[file].rows for file in files)
    return Answer(question, f"{rows:,}", published=rows == published)


def _timezone() -> Answer:
    question = "Setting that makes a Schedule trigger tick by New York's clock"
    return Answer(question, f"timezone: {NEW_YORK}")


def _csv(taxi: str, month: Month) -> str:
    return file_name(taxi, month).removesuffix(".gz")


def _needed(files: Iterable[File], loaded: Mapping[File, Loaded]) -> tuple[File, ...]:
    return tuple(file for file in files if file not in loaded)


def _spans(files: Iterable[File]) -> str:
    """Months by their ranges: `yellow 2020-01 to 2020-03, yellow 2020-05`. `files`: in order."""
    spans: list[list[File]] = []
    for taxi, month in files:
        if spans and spans[-1][0][0] == taxi and spans[-1][-1][1].next() == month:
            spans[-1].append((taxi, month))
        else:
            spans.append([(taxi, month)])
    return ", ".join(
        f"{span[0][0]} {span[0][1]}" + (f" to {span[-1][1]}" if len(span) > 1 else "")
        for span in spans
    )


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
