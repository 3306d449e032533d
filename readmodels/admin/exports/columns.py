"""The columns of exported lists. Customers' personal data is masked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from readmodels import masking
from readmodels.exports.cells import Cell, amount
from readmodels.exports.snapshots import Row, Snapshot

Chunk = list[list[Cell]]


class Columns(Struct, frozen=True, kw_only=True):
    """The titles of a table, the fields that its query reads, and the function for its lines."""

    titles: tuple[str, ...]
    fields: tuple[str, ...]
    lines: Callable[[Sequence[Row], Snapshot], Chunk]


_PAYMENT: Final = (
    *("payment_id", "initiated_at", "status", "amount", "refunded_amount", "currency", "method"),
    *("card_brand", "card_last4", "risk_score", "risk_band", "risk_reasons", "requires_review"),
    *("client_id", "customer_id", "reference", "failure_reason", "review_deadline", "reviewer"),
    *("review_reason", "reviewed_at", "open_disputes", "lost_amount", "updated_at", "version"),
)
_PAYMENT_TITLES: Final = (
    *("payment_id", "submitted_at", "status", "amount", "refunded_amount", "currency", "method"),
    *("card_brand", "card_last4", "risk_score", "risk_band", "risk_reasons", "review_required"),
    *("client", "customer_id", "customer_name", "customer_reference", "reference"),
    *("failure_reason", "decide_by", "reviewer", "review_reason", "reviewed_at"),
    *("open_disputes", "lost_amount", "updated_at", "version"),
)


def _payments(rows: Sequence[Row], snapshot: Snapshot) -> Chunk:
    customers = _masked(snapshot, (row[14] for row in rows))
    return [[*_payment(row, snapshot, customers)] for row in rows]


def _payment(row: Row, snapshot: Snapshot, customers: "_Customers") -> Iterator[Cell]:
    payment_id, initiated_at, status, minor, refunded, currency, method, brand, last4 = row[:9]
    score, band, reasons, required, client_id, customer_id, reference, failure, due = row[9:18]
    reviewer, reason, reviewed_at, open_disputes, lost, updated_at, version = row[18:]
    name, customer_reference = customers.get(customer_id, ("", ""))[:2]
    yield from (str(payment_id), initiated_at, status)
    yield from (amount(minor, currency), amount(refunded, currency), currency, method)
    yield from (brand, last4, score, band, " ".join(reasons), required)
    yield from (snapshot.client(client_id), str(customer_id), name, customer_reference)
    yield masking.reference(reference or "")
    yield from (failure, due, snapshot.person(reviewer), reason, reviewed_at)
    yield from (open_disputes, amount(lost, currency), updated_at, version)


_QUEUE: Final = (
    *_PAYMENT,
    *("flagged_at", "four_eyes", "escalated", "reject_advised", "first_approver"),
    *("claimed_by", "claimed_until", "assigned_to", "snoozed_by", "snoozed_until", "snooze_reason"),
)
_QUEUE_TITLES: Final = (
    *_PAYMENT_TITLES,
    *("waiting_since", "two_approvals", "escalated", "reject_advised", "first_approver"),
    *("claimed_by", "claimed_until", "assigned_to", "snoozed_by", "snoozed_until", "snooze_reason"),
)


def _queue(rows: Sequence[Row], snapshot: Snapshot) -> Chunk:
    customers, common = _masked(snapshot, (row[14] for row in rows)), len(_PAYMENT)
    return [
        [*_payment(row[:common], snapshot, customers), *_review(row[common:], snapshot)]
        for row in rows
    ]


def _review(row: Row, snapshot: Snapshot) -> Iterator[Cell]:
    flagged_at, four_eyes, escalated, advised, first, claimed_by, claimed, to, by, until, why = row
    yield from (flagged_at, four_eyes, escalated, advised, snapshot.person(first))
    yield from (snapshot.person(claimed_by), claimed, snapshot.person(to))
    yield from (snapshot.person(by), until, why)


_EVENT: Final = (
    *("position", "recorded_at", "occurred_at", "event_type", "aggregate_id", "version", "actor"),
    *("command", "correlation_id", "client_id"),
)
_EVENT_TITLES: Final = (
    *("position", "recorded_at", "occurred_at", "event_type", "about", "version", "actor"),
    *("actor_name", "command", "correlation_id", "client"),
)


def _events(rows: Sequence[Row], snapshot: Snapshot) -> Chunk:
    return [
        [
            *row[:4],
            str(row[4]),
            *row[5:7],
            snapshot.person(row[6]),
            *row[7:9],
            snapshot.client(row[9]),
        ]
        for row in rows
    ]


# `position` must be first, because the data of the events is read by it.
_DECISION: Final = (
    *("position", "recorded_at", "event_type", "aggregate_id", "version", "actor", "client_id"),
)
_DECISION_TITLES: Final = (
    *("position", "decided_at", "decision", "payment_id", "version", "reviewer", "reviewer_name"),
    *("client", "reason", "has_note", "amount", "currency"),
    *("submitted_at", "flagged_at", "claimed_at"),
)


def _decisions(rows: Sequence[Row], snapshot: Snapshot) -> Chunk:
    data = snapshot.event_data([row[0] for row in rows])
    return [[*_decision(row, data.get(row[0], {}), snapshot)] for row in rows]


def _decision(row: Row, data: dict[str, Any], snapshot: Snapshot) -> Iterator[Cell]:
    position, recorded_at, event_type, payment_id, version, actor, client_id = row
    money = data.get("amount", {})
    yield from (position, recorded_at, event_type.removeprefix("payment."), str(payment_id))
    yield from (version, actor, snapshot.person(actor), snapshot.client(client_id))
    yield from (data.get("reason"), "note" in data)
    yield from (amount(money.get("minor"), money.get("currency", "")), money.get("currency"))
    yield from (data.get("initiated_at"), data.get("flagged_at"), data.get("claimed_at"))


_CUSTOMER: Final = (
    *("id", "client_id", "reference", "name", "email", "phone", "blocked", "created_at"),
    "erased_at",
)
_CUSTOMER_TITLES: Final = (
    *("customer_id", "client", "reference", "name", "email", "phone", "blocked", "first_seen_at"),
    "erased_at",
)


def _customers(rows: Sequence[Row], snapshot: Snapshot) -> Chunk:
    return [
        [
            str(pk),
            snapshot.client(client_id),
            masking.reference(reference or ""),
            masking.name(name),
            masking.email(email),
            masking.phone(phone),
            blocked,
            created_at,
            erased_at,
        ]
        for pk, client_id, reference, name, email, phone, blocked, created_at, erased_at in rows
    ]


_Customers = dict[UUID, tuple[str, str]]


def _masked(snapshot: Snapshot, ids: Iterable[UUID]) -> _Customers:
    """Return the masked names and references of customers, by id."""
    return {
        pk: (masking.name(name), masking.reference(reference or ""))
        for pk, (name, reference, *_) in snapshot.customers(ids).items()
    }


def statistics(names: Sequence[str]) -> Columns:
    """Return the columns of daily statistics with all counters."""
    volumes = {number for number, name in enumerate(names) if name.endswith("_volume")}

    def lines(rows: Sequence[Row], snapshot: Snapshot) -> Chunk:
        return [
            [
                day,
                snapshot.client(client_id),
                currency,
                *(
                    amount(value, currency) if number in volumes else value
                    for number, value in enumerate(values)
                ),
            ]
            for day, client_id, currency, *values in rows
        ]

    return Columns(
        titles=(
            "day",
            "client",
            "currency",
            *(name.replace("_volume", "_amount") for name in names),
        ),
        fields=("day", "client_id", "currency", *names),
        lines=lines,
    )


PAYMENTS: Final = Columns(titles=_PAYMENT_TITLES, fields=_PAYMENT, lines=_payments)
QUEUE: Final = Columns(titles=_QUEUE_TITLES, fields=_QUEUE, lines=_queue)
EVENTS: Final = Columns(titles=_EVENT_TITLES, fields=_EVENT, lines=_events)
DECISIONS: Final = Columns(titles=_DECISION_TITLES, fields=_DECISION, lines=_decisions)
CUSTOMERS: Final = Columns(titles=_CUSTOMER_TITLES, fields=_CUSTOMER, lines=_customers)
