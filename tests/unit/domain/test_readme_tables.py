"""The tables of payments/domain/README.md agree with the domain, cell by cell."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from msgspec import NODEFAULT, structs

import payments.domain
from payments import permissions
from payments.domain.lists import AnyListCommand
from payments.domain.payment import codes as stored_codes
from payments.domain.payment.codes import (
    ApprovalReason,
    CancellationReason,
    DisputeKind,
    DisputeOutcome,
    DisputeReason,
    EscalationReason,
    FailureReason,
    RefundReason,
    RejectionReason,
    SnoozeReason,
)
from payments.domain.payment.commands import ClaimReview, PaymentCommand, RespondToDispute
from payments.domain.payment.state import Status
from payments.domain.reveal import Purpose, RevealCustomer
from payments.domain.risk.conditions import AnyCondition
from payments.domain.risk.policy import PolicyDocument
from payments.domain.risk.register import AnyPolicyCommand
from payments.domain.second_review import AnySecondReviewCommand
from tests.support.example_commands import respond_to_dispute
from tests.support.scenario import given
from tests.unit.domain.test_states_and_commands import COMMANDS, HISTORIES

README: Final = (Path(payments.domain.__path__[0]) / "README.md").read_text()
# The history that leads to the state of each row, by its name in HISTORIES.
STATES: Final = {
    "(new)": "nothing",
    "initiated": "initiated",
    **{str(status): str(status) for status in Status if status in HISTORIES},
}
STANDINGS: Final = {
    "free": "pending_review",
    "claimed by the caller": "claimed",
    "claimed by another": "claimed by another",
    "snoozed": "snoozed",
    "assigned to the caller": "assigned to the caller",
    "assigned to another": "assigned to another",
    "escalated": "escalated",
    "over the four-eyes limit": "under four eyes",
    "first approved": "first approved",
}
DISPUTES: Final = {"unknown": "completed", "open": "disputed", "lost": "dispute lost"}
# The README's names for the outcomes of events that leave the payment's status as it is.
STANDING_AFTER: Final = {
    "ReviewClaimed": "claimed",
    "ReviewReleased": "free",
    "ReviewSnoozed": "snoozed",
    "ReviewResumed": "free",
    "ReviewAssigned": "assigned",
    "ReviewEscalated": "escalated",
    "PaymentFirstApproved": "first approved",
    "PaymentNoteAdded": "noted",
}
REASONS: Final[dict[str, type[StrEnum]]] = {
    "an approval": ApprovalReason,
    "a rejection": RejectionReason,
    "an escalation": EscalationReason,
    "a snooze": SnoozeReason,
    "a reveal": Purpose,
    "a cancellation": CancellationReason,
    "a refund": RefundReason,
    "a dispute": DisputeReason,
    "a dispute, its kind": DisputeKind,
    "a dispute, its outcome": DisputeOutcome,
    "a failure (not chosen)": FailureReason,
}


def table(heading: str) -> tuple[list[str], list[list[str]]]:
    """Find a table by its first column's heading. Return the other headings and the rows."""
    found = re.search(rf"^\| {heading} \|(.*)\|\n\|[-|]+\|\n((?:\|.*\|\n)+)", README, re.MULTILINE)
    assert found, heading
    columns = [column.strip() for column in found[1].split("|")]
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in found[2].splitlines()]
    assert all(len(row) == len(columns) + 1 for row in rows)
    return columns, rows


def cells(heading: str) -> list[tuple[str, str, str]]:
    """Return (row, column, cell). Heads with several names give one result for each name."""
    columns, rows = table(heading)
    return [
        (row, column, cell)
        for names, *row_cells in rows
        for heads, cell in zip(columns, row_cells, strict=True)
        for row in names.split(", ")
        for column in heads.split(", ")
    ]


def codes(cell: str) -> list[str]:
    return re.findall("`(.*?)`", cell)


def outcome(history: str, command: str, **changes: Any) -> str:
    """Return the refusal's code, or the new status or standing in bold."""
    when = given(*HISTORIES[history]).when(COMMANDS[command](**changes))
    if isinstance(when.outcome, Exception):
        return "not found" if when.outcome.code == "payment_not_found" else when.outcome.code
    payment = when.then(*when.outcome)
    return f"**{STANDING_AFTER.get(type(when.outcome[-1]).__name__, payment.status)}**"


@pytest.mark.parametrize(("state", "command", "cell"), cells("state"))
def test_table_of_states_matches_decide(state: str, command: str, cell: str) -> None:
    expected = {
        "completed, failed or pending_review": "**completed**",
        "the same": "**completed**",
        "**partially_refunded** or **refunded**": "**refunded**",  # the command refunds the rest
    }.get(cell, cell)
    if not expected.startswith("see "):
        assert outcome(STATES[state], command) == expected


@pytest.mark.parametrize(("standing", "command", "cell"), cells("it is"))
def test_table_of_reviews_matches_decide(standing: str, command: str, cell: str) -> None:
    own, _, seniors = cell.partition("; a senior reviewer: ")
    assert own.removesuffix(" for longer") == outcome(STANDINGS[standing], command)
    if seniors:
        assert outcome(STANDINGS[standing], command, senior=True) == seniors


@pytest.mark.parametrize(("standing", "command", "cell"), cells("the dispute is"))
def test_table_of_disputes_matches_decide(standing: str, command: str, cell: str) -> None:
    build = {"respond to it": responded_late}.get(command, COMMANDS[command])
    when = given(*HISTORIES[DISPUTES[standing]]).when(build())
    if isinstance(when.outcome, Exception):
        assert when.outcome.code == cell
    elif command == "refund":
        assert cell == f"**{when.then(*when.outcome).status}**"
    elif not when.outcome:
        assert cell == "nothing new"
    else:
        (dispute,) = when.then(*when.outcome).disputes
        assert cell == ("**open**" if dispute.is_open else "**closed**")


def responded_late() -> RespondToDispute:
    return respond_to_dispute(responded_at=None)


def test_tables_of_states_and_reviews_are_complete() -> None:
    assert {row for row, _, _ in cells("state")} == {"(new)", *map(str, Status)}
    assert {row for row, _, _ in cells("it is")} == STANDINGS.keys()
    assert {column for _, column, _ in cells("state")} == COMMANDS.keys()
    assert {row for row, _, _ in cells("the dispute is")} == DISPUTES.keys()


def test_table_of_permissions_has_every_command() -> None:
    _, rows = table("command")
    kinds = {*get_args(PaymentCommand), *get_args(AnyPolicyCommand), *get_args(AnyListCommand)}
    kinds |= {*ClaimReview.__subclasses__(), *get_args(AnySecondReviewCommand), RevealCustomer}
    assert {codes(name)[0] for name, *_ in rows} == {kind.name for kind in kinds}
    named = {each for *_, permission in rows for each in codes(permission)}
    assert named == set(permissions.NAMES) - {permissions.SEE_POLICIES}  # which no command needs


def test_table_of_reasons_matches_enumerations() -> None:
    _, rows = table("reasons of")
    defined = {kind for kind in vars(stored_codes).values() if is_enumeration(kind)} | {Purpose}
    assert defined == set(REASONS.values())
    assert {name: codes(cell) for name, cell in rows} == {
        name: [str(each) for each in kind] for name, kind in REASONS.items()
    }


def is_enumeration(kind: object) -> bool:
    return (
        isinstance(kind, type)
        and issubclass(kind, StrEnum)
        and kind.__module__ == stored_codes.__name__
    )


def test_table_of_policy_fields_matches_document() -> None:
    _, rows = table("field")
    documented = [(codes(name)[0], required == "yes") for name, _, required in rows]

    assert documented == [
        (field.name, field.default is NODEFAULT and field.default_factory is NODEFAULT)
        for field in structs.fields(PolicyDocument)
    ]


def test_table_of_conditions_matches_structs() -> None:
    _, rows = table("type")
    assert {codes(name)[0]: codes(fields) for name, fields, _ in rows} == {
        str(kind.__struct_config__.tag): [field.name for field in structs.fields(kind)]
        for kind in get_args(AnyCondition)
    }
