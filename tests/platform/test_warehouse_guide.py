"""The statements of the guide to the warehouse, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery

from taxi_etl.month import Month

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "7-data-warehouse.md"
MONTH = "2009-08"  # no other test loads it


def statements(kind: str) -> list[str]:
    """The guide's statements that run anywhere (""), or on Google Cloud only (` gcp`)."""
    blocks = re.findall(rf"^```sql{kind}\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    return [one for block in blocks for one in block.split(";") if one.strip()]


@pytest.fixture
def ask(platform):
    """Runs a statement in the stack's dataset; its rows."""
    made = platform.target.outputs
    config = bigquery.QueryJobConfig(default_dataset=f"{made.project}.{made.dataset}")

    def run(statement: str) -> list[tuple]:
        job = platform.target.bigquery().query(statement, job_config=config)
        return [row.values() for row in job.result()]

    return run


def test_the_three_kinds_of_tables_give_one_answer(platform, ask):
    platform.publish("yellow", Month.parse(MONTH), 200)
    platform.invoke(
        "run", "taxi_to_bigquery", "--input", "taxi=yellow", "--input", f"month={MONTH}"
    )
    answers = []
    for text in statements(""):
        answers += [ask(text.replace("2019-05", MONTH))] if "SELECT COUNT" in text else [ask(text)]
    questions = [answer for answer in answers if answer]
    assert questions == [[(2,)]] * 4


def test_an_external_table_is_refused_and_not_made_empty(ask):
    create = statements(" gcp")[0]
    with pytest.raises(BadRequest, match="no external tables"):
        ask(create)
    with pytest.raises(BadRequest, match="no external tables"):
        ask(
            create.replace("external_yellow_tripdata", "external_yellow_tripdata (VendorID STRING)")
        )
