"""Every state meets every command: the whole behaviour of the aggregate on one page."""

from typing import Any, Final, get_args

import pytest

from payments.domain.commands import PaymentCommand
from payments.domain.events import AnyPaymentEvent
from payments.domain.payment import Status, replay
from tests.examples import (
    LARGE,
    OTHER_CLIENT,
    PAYMENT,
    approve,
    approved,
    failed,
    flagged,
    initiated,
    process,
    processed,
    processed_after_approval,
    reject,
    rejected,
)
from tests.scenario import given

HISTORIES: Final[dict[str, tuple[AnyPaymentEvent, ...]]] = {
    "nothing": (),
    "initiated": (initiated(),),
    "pending_review": (initiated(amount=LARGE), flagged()),
    "completed": (initiated(), processed()),
    "completed after review": (
        initiated(amount=LARGE),
        flagged(),
        approved(),
        processed_after_approval(),
    ),
    "failed": (initiated(), failed()),
    "rejected": (initiated(amount=LARGE), flagged(), rejected()),
}
COMMANDS: Final[dict[str, Any]] = {"process": process, "approve": approve, "reject": reject}

DONE: Final = "PaymentAlreadyFinished"
NOTHING_WAITS: Final = "NotAwaitingReview"
UNKNOWN: Final = "PaymentNotFound"

# state: what process, approve and reject come to.
TABLE: Final[dict[str, tuple[tuple[str, ...] | str, ...]]] = {
    "nothing": (("PaymentInitiated", "PaymentProcessed"), UNKNOWN, UNKNOWN),
    "initiated": (("PaymentProcessed",), NOTHING_WAITS, NOTHING_WAITS),
    "pending_review": (
        "PaymentUnderReview",
        ("PaymentApproved", "PaymentProcessed"),
        ("PaymentRejected",),
    ),
    "completed": (DONE, NOTHING_WAITS, NOTHING_WAITS),
    "completed after review": (DONE, NOTHING_WAITS, NOTHING_WAITS),
    "failed": (DONE, NOTHING_WAITS, NOTHING_WAITS),
    "rejected": (DONE, NOTHING_WAITS, NOTHING_WAITS),
}

CELLS: Final = [
    pytest.param(state, command, outcome, id=f"{state}-{command}")
    for state, row in TABLE.items()
    for command, outcome in zip(COMMANDS, row, strict=True)
]


@pytest.mark.parametrize(("state", "command", "outcome"), CELLS)
def test_each_state_answers_each_command(
    state: str, command: str, outcome: tuple[str, ...] | str
) -> None:
    assert given(*HISTORIES[state]).when(COMMANDS[command]()).names() == outcome


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("state", [state for state in HISTORIES if state != "nothing"])
def test_no_state_answers_another_client(state: str, command: str) -> None:
    foreign = COMMANDS[command](client_id=OTHER_CLIENT)
    assert given(*HISTORIES[state]).when(foreign).names() == UNKNOWN


def test_the_table_is_complete() -> None:
    """A new status or command fails here until its row or column is written."""
    replayed = [replay(PAYMENT, history) for history in HISTORIES.values()]
    assert {payment.status for payment in replayed if payment} == set(Status)
    assert {type(build()) for build in COMMANDS.values()} == set(get_args(PaymentCommand))
    assert TABLE.keys() == HISTORIES.keys()
