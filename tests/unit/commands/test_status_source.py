"""`status` says what it can when Kestra does not answer, and nothing of a source that is none."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from taxistack.commands.status import _deployed, _render
from taxistack.console import Console
from taxistack.errors import FailedError, MissingError


class Target:
    """A target whose Kestra answers with an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @property
    def source_words(self) -> str:
        raise self.error

    def kestra(self) -> SimpleNamespace:
        raise self.error


@pytest.mark.parametrize(
    ("error", "problem"),
    [(FailedError("Kestra does not answer"), "Kestra does not answer"),
     (MissingError("the flows are not deployed"), None)],
)  # fmt: skip
def test_a_kestra_that_does_not_answer_is_part_of_the_status(capsys, error, problem):
    said = _deployed(Target(error))
    assert said == {"source": None, "failures": [], "alarms": [], "problem": problem}
    Console().result(_render({"parts": [], "stack": {}, "loaded": [], **said}), said)
    assert (problem or "") in capsys.readouterr().out
