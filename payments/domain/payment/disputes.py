"""The disputes of a payment, and how their events change them.

Notices of providers arrive late, repeatedly and out of order. Therefore each fact comes from the
notice with the highest rank, and the same notices lead to the same disputes in any order. The
README of the domain lists the rules.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from payments.domain.money import Money
from payments.domain.payment.codes import DisputeKind, DisputeOutcome, DisputeReason
from payments.domain.payment.events import (
    AnyDisputeEvent,
    DisputeFigures,
    DisputeStatement,
    NoteRef,
    PaymentDisputeClosed,
    PaymentDisputed,
    PaymentDisputeResponded,
    PaymentDisputeUpdated,
)

# Money that was lost with these outcomes does not come back.
FINAL: Final = frozenset({DisputeOutcome.LOST, DisputeOutcome.ACCEPTED})
FRAUD_REASONS: Final = frozenset({DisputeReason.FRAUDULENT, DisputeReason.UNRECOGNIZED})


class Source(IntEnum):
    """The kind of notice that stated what is disputed. At equal times, the highest counts."""

    INFERRED = 0
    OPENING = 1
    UPDATE = 2


class DisputeStatus(StrEnum):
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    CLOSED = "closed"


class Response(Struct, frozen=True, kw_only=True):
    """A response of the actor `responder`, to recognize repetitions and contradictions.

    `evidence` is one digest over the digests of the documents. The event has each of these.
    """

    responded_at: datetime
    responder: str
    evidence: str
    note: NoteRef | None = None


class Dispute(Struct, frozen=True, kw_only=True):
    """One dispute. It is open until it has an outcome.

    Times are those of the notices. If `inferred`, the notice of the opening has not arrived, and
    `opened_at` is the earliest time that is known. `responses` are sorted by time, and `responded_at` and
    `responded_by` are those of the latest one.
    """

    dispute_id: str
    kind: DisputeKind
    reason: DisputeReason
    disputed: Money
    opened_at: datetime
    stated_at: datetime
    source: Source
    inferred: bool = False
    network: str | None = None
    network_reason_code: str | None = None
    respond_by: datetime | None = None
    responded_at: datetime | None = None
    responded_by: str | None = None
    responses: tuple[Response, ...] = ()
    outcome: DisputeOutcome | None = None
    lost: Money | None = None
    closed_at: datetime | None = None

    def response_at(self, responded_at: datetime) -> Response | None:
        return next((each for each in self.responses if each.responded_at == responded_at), None)

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def is_fraud(self) -> bool:
        return self.outcome in FINAL and self.reason in FRAUD_REASONS

    @property
    def status(self) -> DisputeStatus:
        if not self.is_open:
            return DisputeStatus.CLOSED
        # A later statement may ask for another response, and a missed deadline loses the money.
        if self.responded_at is None or self.responded_at < self.stated_at:
            return DisputeStatus.NEEDS_RESPONSE
        return DisputeStatus.UNDER_REVIEW

    @property
    def figures(self) -> DisputeFigures:
        return DisputeFigures(self.opened_at, self.disputed, self.lost)

    @property
    def counted(self) -> Money:
        """The amount that the dispute takes: `disputed` while it is open, `lost` afterwards."""
        return self.disputed if self.lost is None else self.lost


def evidence_digest(evidence: Iterable[str]) -> str:
    """Return one digest for the digests of a response, so that the state stays small."""
    return hashlib.sha256(" ".join(evidence).encode()).hexdigest()


def find(disputes: Iterable[Dispute], dispute_id: str) -> Dispute | None:
    return next((each for each in disputes if each.dispute_id == dispute_id), None)


def noted(disputes: tuple[Dispute, ...], event: AnyDisputeEvent) -> tuple[Dispute, ...]:
    """Return the disputes after `event`, the earliest first. An event without news changes none."""
    before = find(disputes, event.dispute_id)
    after = merged(before, event)
    others = (each for each in disputes if each is not before)
    return tuple(sorted((*others, after), key=_order))


def merged(dispute: Dispute | None, event: AnyDisputeEvent) -> Dispute:
    """Return the dispute after `event`. The first event of a dispute is PaymentDisputed."""
    if isinstance(event, PaymentDisputed):
        return _opened(dispute, event)
    assert dispute is not None, "decide appends PaymentDisputed first"  # noqa: S101
    match event:
        case PaymentDisputeUpdated(updated_at=at):
            return _stated(dispute, event, at, Source.UPDATE)
        case PaymentDisputeResponded():
            return _responded(dispute, event)
        case PaymentDisputeClosed(outcome=outcome, lost=lost, closed_at=at):
            if dispute.outcome is not None and dispute.closed_at is not None:
                known = (dispute.outcome in FINAL, dispute.closed_at)
                if (outcome in FINAL, at) <= known:
                    return dispute
            return replace(dispute, outcome=outcome, lost=lost, closed_at=at)
        case _:
            assert_never(event)


def _opened(dispute: Dispute | None, event: PaymentDisputed) -> Dispute:
    source = Source.INFERRED if event.inferred else Source.OPENING
    opened_at = event.opened_at
    if dispute is None:
        return Dispute(
            dispute_id=event.dispute_id,
            opened_at=opened_at,
            inferred=event.inferred,
            **_statement(event, opened_at, source),
        )
    earlier = event.inferred == dispute.inferred and opened_at < dispute.opened_at
    if earlier or (dispute.inferred and not event.inferred):
        dispute = replace(dispute, opened_at=opened_at, inferred=event.inferred)
    return _stated(dispute, event, opened_at, source)


def _stated(dispute: Dispute, event: DisputeStatement, at: datetime, source: Source) -> Dispute:
    if source is Source.INFERRED:
        # The earliest inferred statement counts. A close that contradicts a final loss is refused,
        # but it is later than the loss, so accepting it would not change the statement either.
        counts = dispute.source is Source.INFERRED and at < dispute.stated_at
    elif dispute.source is Source.INFERRED:
        counts = True
    else:
        counts = (at, source) > (dispute.stated_at, dispute.source)
    return replace(dispute, **_statement(event, at, source)) if counts else dispute


def _responded(dispute: Dispute, event: PaymentDisputeResponded) -> Dispute:
    at = event.responded_at
    if dispute.response_at(at) is not None:
        return dispute
    response = Response(
        responded_at=at,
        responder=event.by,
        evidence=evidence_digest(event.evidence),
        note=event.note,
    )
    responses = tuple(sorted((*dispute.responses, response), key=lambda each: each.responded_at))
    dispute = replace(dispute, responses=responses)
    if dispute.responded_at is None or at > dispute.responded_at:
        dispute = replace(dispute, responded_at=at, responded_by=event.by)
    return dispute


def _statement(event: DisputeStatement, at: datetime, source: Source) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "reason": event.reason,
        "network": event.network,
        "network_reason_code": event.network_reason_code,
        "disputed": event.disputed,
        "respond_by": event.respond_by,
        "stated_at": at,
        "source": source,
    }


def _order(dispute: Dispute) -> tuple[datetime, str]:
    return dispute.opened_at, dispute.dispute_id
