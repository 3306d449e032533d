"""Every state and every command: the behavior of the payment in one table."""

from typing import Any, Final, get_args

import pytest

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.payment.commands import PaymentCommand
from payments.domain.payment.events import AnyPaymentEvent, DisputeFigures
from payments.domain.payment.state import Status
from payments.events import replay
from tests.support.example_commands import (
    add_note,
    approve,
    assign,
    cancel,
    claim,
    close_dispute,
    escalate,
    expire,
    open_dispute,
    process,
    refund,
    reject,
    release,
    respond_to_dispute,
    resume,
    snooze,
    update_dispute,
)
from tests.support.example_events import (
    approved,
    assigned,
    cancelled,
    claimed,
    dispute_closed,
    disputed,
    escalated,
    expired,
    failed,
    first_approved,
    flagged,
    initiated,
    note_added,
    processed,
    processed_after_approval,
    refunded,
    rejected,
    snoozed,
)
from tests.support.examples import (
    HUGE,
    HUGE_FIRST,
    LARGE,
    OPENED,
    OTHER_CLIENT,
    OTHER_REVIEWER,
    PAYMENT,
    REVIEWER,
    SMALL,
)
from tests.support.scenario import given

FOUR_EYES: Final = (initiated(amount=HUGE), flagged(amount=HUGE, risk=HUGE_FIRST))
DISPUTED: Final = DisputeFigures(OPENED, SMALL)
LOST: Final = DisputeFigures(OPENED, SMALL, SMALL)
HISTORIES: Final[dict[str, tuple[AnyPaymentEvent, ...]]] = {
    "nothing": (),
    "initiated": (initiated(),),
    "pending_review": (initiated(amount=LARGE), flagged()),
    "claimed": (initiated(amount=LARGE), flagged(), claimed()),
    "claimed by another": (initiated(amount=LARGE), flagged(), claimed(reviewer=OTHER_REVIEWER)),
    "snoozed": (initiated(amount=LARGE), flagged(), snoozed()),
    "assigned to the caller": (initiated(amount=LARGE), flagged(), assigned(to=REVIEWER)),
    "assigned to another": (initiated(amount=LARGE), flagged(), assigned()),
    "escalated": (initiated(amount=LARGE), flagged(), escalated()),
    "under four eyes": FOUR_EYES,
    "first approved": (*FOUR_EYES, first_approved(reviewer=OTHER_REVIEWER)),
    "completed": (initiated(), processed()),
    "completed after review": (
        initiated(amount=LARGE),
        flagged(),
        approved(),
        processed_after_approval(),
    ),
    "failed": (initiated(), failed()),
    "rejected": (initiated(amount=LARGE), flagged(), rejected()),
    "expired": (initiated(amount=LARGE), flagged(), expired()),
    "cancelled": (initiated(), cancelled()),
    "partially_refunded": (initiated(), processed(), refunded(40_00)),
    "refunded": (initiated(), processed(), refunded(40_00), refunded(60_00, so_far=100_00)),
    "noted": (initiated(), processed(), note_added()),
    "disputed": (initiated(), processed(), disputed(after=DISPUTED)),
    "dispute lost": (
        initiated(),
        processed(),
        disputed(after=DISPUTED),
        dispute_closed(before=DISPUTED, after=LOST),
    ),
}
COMMANDS: Final[dict[str, Any]] = {
    "process": process,
    "claim": claim,
    "release": release,
    "snooze": snooze,
    "resume": resume,
    "assign": assign,
    "escalate": escalate,
    "approve": approve,
    "reject": reject,
    "expire": expire,
    "cancel": cancel,
    "refund": refund,
    "open a dispute": open_dispute,
    "update it": update_dispute,
    "respond to it": respond_to_dispute,
    "close it": close_dispute,
    "add a note": add_note,
}

DONE: Final = "PaymentAlreadyFinished"
IDLE: Final = "NotAwaitingReview"
KEPT: Final = "NotRefundable"
UNKNOWN: Final = "PaymentNotFound"
REVIEWED: Final = (IDLE,) * 9  # eight commands of reviewers, and the expiry
UNDISPUTED: Final = ("NotDisputable",) * 4
NOTED: Final = ("PaymentNoteAdded",)
FINISHED: Final = (DONE, *REVIEWED, DONE, KEPT, *UNDISPUTED, NOTED)
# If the opening has not arrived, an update or a close opens the dispute too.
REVEALED: Final = (
    ("PaymentDisputed",),
    ("PaymentDisputed", "PaymentDisputeUpdated"),
    "DisputeNotFound",
    ("PaymentDisputed", "PaymentDisputeClosed"),
)
REFUNDABLE: Final = (DONE, *REVIEWED, DONE, ("PaymentRefunded",), *REVEALED, NOTED)
CLAIMED: Final = ("ReviewClaimed",)
ESCALATED: Final = ("ReviewEscalated",)
APPROVED: Final = ("PaymentApproved", "PaymentProcessed")
REJECTED: Final = ("PaymentRejected",)
TAKEN: Final = "ReviewTaken"
FREE: Final = "NotClaimed"
SENIOR: Final = "SeniorReviewerNeeded"
SNOOZED: Final = ("ReviewSnoozed",)
AWAKE: Final = "NotSnoozed"
UNHELD: Final = "AssignmentNeedsSenior"
THEIRS: Final = "AssignedToAnother"


def waiting(*review: tuple[str, ...] | str) -> tuple[tuple[str, ...] | str, ...]:
    """Return the row of a payment under review, which can also expire or be cancelled."""
    return (
        "PaymentUnderReview",
        *review,
        ("PaymentExpired",),
        ("PaymentCancelled",),
        KEPT,
        *UNDISPUTED,
        NOTED,
    )


# The outcome of each of COMMANDS, in their order. The README of the domain has the same table.
TABLE: Final[dict[str, tuple[tuple[str, ...] | str, ...]]] = {
    "nothing": (("PaymentInitiated", "PaymentProcessed"), *(UNKNOWN,) * (len(COMMANDS) - 1)),
    "initiated": (
        *(("PaymentProcessed",), *REVIEWED, ("PaymentCancelled",), KEPT, *UNDISPUTED, NOTED),
    ),
    "pending_review": waiting(CLAIMED, FREE, SNOOZED, AWAKE, UNHELD, ESCALATED, APPROVED, REJECTED),
    "claimed": waiting(
        *(CLAIMED, ("ReviewReleased",), SNOOZED, AWAKE, ("ReviewReleased", "ReviewAssigned")),
        *(ESCALATED, APPROVED, REJECTED),
    ),
    "claimed by another": waiting(TAKEN, TAKEN, TAKEN, AWAKE, TAKEN, TAKEN, TAKEN, TAKEN),
    "snoozed": waiting(
        *(CLAIMED, FREE, SNOOZED, ("ReviewResumed",), UNHELD),
        *(ESCALATED, APPROVED, REJECTED),
    ),
    "assigned to the caller": waiting(
        *(CLAIMED, FREE, SNOOZED, AWAKE, ("ReviewAssigned",)),
        *(ESCALATED, APPROVED, REJECTED),
    ),
    "assigned to another": waiting(THEIRS, FREE, THEIRS, AWAKE, UNHELD, THEIRS, THEIRS, THEIRS),
    "escalated": waiting(SENIOR, FREE, SENIOR, AWAKE, UNHELD, "AlreadyEscalated", SENIOR, SENIOR),
    "under four eyes": waiting(
        *(CLAIMED, FREE, SNOOZED, AWAKE, UNHELD),
        *(ESCALATED, ("PaymentFirstApproved",), REJECTED),
    ),
    "first approved": waiting(SENIOR, FREE, SENIOR, AWAKE, UNHELD, SENIOR, SENIOR, SENIOR),
    "completed": REFUNDABLE,
    "completed after review": REFUNDABLE,
    "failed": FINISHED,
    "rejected": FINISHED,
    "expired": FINISHED,
    "cancelled": FINISHED,
    "partially_refunded": REFUNDABLE,
    "refunded": (DONE, *REVIEWED, DONE, KEPT, *REVEALED, NOTED),
    "noted": REFUNDABLE,
    "disputed": (
        *(DONE, *REVIEWED, DONE, "DisputeOpen"),
        *((), ("PaymentDisputeUpdated",), ("PaymentDisputeResponded",), ("PaymentDisputeClosed",)),
        NOTED,
    ),
    "dispute lost": (
        *(DONE, *REVIEWED, DONE, KEPT),
        *((), ("PaymentDisputeUpdated",), ("PaymentDisputeResponded",), ()),
        NOTED,
    ),
}

CELLS: Final = [
    pytest.param(state, command, outcome, id=f"{state}-{command}")
    for state, row in TABLE.items()
    for command, outcome in zip(COMMANDS, row, strict=True)
]


@pytest.mark.parametrize(("state", "command", "outcome"), CELLS)
def test_command_in_state_has_outcome_of_table(
    state: str, command: str, outcome: tuple[str, ...] | str
) -> None:
    assert given(*HISTORIES[state]).when(COMMANDS[command]()).names() == outcome


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("state", [state for state in HISTORIES if state != "nothing"])
def test_command_of_other_client_is_not_found_in_any_state(state: str, command: str) -> None:
    foreign = COMMANDS[command](client_id=OTHER_CLIENT)
    assert given(*HISTORIES[state]).when(foreign).names() == UNKNOWN


def test_table_has_every_status_and_command() -> None:
    """This test fails for a new status or command until the table has its row or column."""
    replayed = [replay.fold(PAYMENT_AGGREGATE, PAYMENT, history) for history in HISTORIES.values()]
    assert {payment.status for payment in replayed if payment} == set(Status)
    assert {type(build()) for build in COMMANDS.values()} == set(get_args(PaymentCommand))
    assert TABLE.keys() == HISTORIES.keys()
