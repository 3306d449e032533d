"""The README's tables of states and commands are what the domain decides, cell by cell."""

import re
from pathlib import Path
from typing import Final

import pytest

from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.state import Status
from tests.support.examples import OTHER_REVIEWER, claimed
from tests.support.scenario import given
from tests.unit.domain.test_states_and_commands import COMMANDS, HISTORIES

README: Final = (Path(__file__).parents[3] / "README.md").read_text()
# The histories that make the README's rows, by the row's name or a name within it.
STATES: Final = {
    "(new)": "nothing",
    "initiated": "initiated",
    **{str(status): str(status) for status in Status if status in HISTORIES},
}
STANDS: Final = {
    "free": "pending_review",
    "claimed by whoever asks": "claimed",
    "claimed by another": "claimed by another",
    "escalated": "escalated",
    "over the four-eyes limit": "under four eyes",
    "first approved": "first approved",
}
# What the README calls the events that change where a review stands.
WORDS: Final = {
    "ReviewClaimed": "claimed",
    "ReviewReleased": "free",
    "ReviewEscalated": "escalated",
    "PaymentFirstApproved": "first approved",
}


def cells(heading: str) -> list[tuple[str, str, str]]:
    """Row, column and cell of the table whose first column has this heading; one for each name in it."""
    table = re.search(rf"^\| {heading} \|(.*)\|\n\|[-|]+\|\n((?:\|.*\|\n)+)", README, re.MULTILINE)
    assert table, heading
    columns = [column.strip() for column in table[1].split("|")]
    found = []
    for line in table[2].splitlines():
        rows, *told = (cell.strip() for cell in line.strip("|").split("|"))
        assert len(told) == len(columns), line
        for names, cell in zip(columns, told, strict=True):
            found += [
                (row, column, cell) for row in rows.split(", ") for column in names.split(", ")
            ]
    return found


def meant(history: str, command: str) -> str:
    """The code of the refusal, or in bold what the payment, or its review, is afterwards."""
    when = given(*HISTORIES[history]).when(COMMANDS[command]())
    if isinstance(when.outcome, Exception):
        return "not found" if when.outcome.code == "payment_not_found" else when.outcome.code
    payment = when.then(*when.outcome)
    return f"**{WORDS.get(type(when.outcome[-1]).__name__, payment.status)}**"


@pytest.mark.parametrize(("state", "command", "cell"), cells("state"))
def test_states_answer_commands_as_the_readme_says(state: str, command: str, cell: str) -> None:
    told = {
        "completed, failed or pending_review": "**completed**",
        "the same": "**completed**",
        "**partially_refunded** or **refunded**": "**refunded**",  # all that is left
    }.get(cell, cell)
    if not told.startswith("see "):
        assert meant(STATES[state], command) == told


@pytest.mark.parametrize(("stands", "command", "cell"), cells("it is"))
def test_reviews_answer_commands_as_the_readme_says(stands: str, command: str, cell: str) -> None:
    own, _, seniors = cell.partition("; a senior reviewer: ")
    assert own.removesuffix(" for longer") == meant(STANDS[stands], command)
    if seniors:
        by_another: tuple[AnyPaymentEvent, ...] = HISTORIES[STANDS[stands]]
        assert by_another[-1] == claimed(reviewer=OTHER_REVIEWER)
        senior = given(*by_another).when(COMMANDS[command](senior=True)).names()
        assert [f"**{WORDS[name]}**" for name in senior] == [seniors]


def test_no_row_is_missing() -> None:
    assert {row for row, _, _ in cells("state")} == {"(new)", *map(str, Status)}
    assert {row for row, _, _ in cells("it is")} == STANDS.keys()
    assert {column for _, column, _ in cells("state")} == COMMANDS.keys()
