"""The disputes on a payment's page, each with its own history."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.utils import timezone
from msgspec import Struct

from payments.aggregates import HistoricPaymentEvent
from payments.domain.payment.disputes import Dispute, DisputeStatus
from payments.domain.payment.events import DisputeEvent
from payments.domain.payment.state import Payment
from readmodels import labels
from readmodels.admin.base import fragments
from readmodels.admin.review.timeline import Entry
from readmodels.projections.dispute_summary import row_id


class ShownDispute(Struct, frozen=True, kw_only=True):
    """A dispute as pages show it. `time_left` and `urgency` come from `fragments.time_left`."""

    dispute: Dispute
    pk: UUID
    heading: str
    badge: fragments.Badge
    kind: str
    reason: str
    time_left: str
    urgency: str
    responded_by: str
    history: tuple[Entry, ...]


def shown(
    payment: Payment, history: Sequence[HistoricPaymentEvent], entries: Sequence[Entry]
) -> list[ShownDispute]:
    """Return the payment's disputes, each with its timeline entries up to the payment's version."""
    of_dispute: dict[str, list[Entry]] = {}
    for record, entry in zip(history, entries, strict=True):
        if isinstance(record.event, DisputeEvent) and record.version <= payment.version:
            of_dispute.setdefault(record.event.dispute_id, []).append(entry)
    names = labels.people(each.responded_by for each in payment.disputes)
    return [
        show(payment, each, names=names, history=of_dispute[each.dispute_id])
        for each in payment.disputes
    ]


def show(
    payment: Payment, dispute: Dispute, *, names: Mapping[str, str], history: Sequence[Entry] = ()
) -> ShownDispute:
    """Return one dispute for display. `names` are the names of actors."""
    left = urgency = ""
    if dispute.status is DisputeStatus.NEEDS_RESPONSE and dispute.respond_by is not None:
        left, urgency = fragments.time_left(
            dispute.respond_by, timezone.now(), soon=fragments.RESPOND_SOON
        )
    responder = dispute.responded_by or ""
    return ShownDispute(
        dispute=dispute,
        pk=row_id(payment.payment_id, dispute.dispute_id),
        heading=_heading(dispute),
        badge=fragments.dispute_badge(dispute.outcome or dispute.status),
        kind=labels.label(dispute.kind),
        reason=labels.label(dispute.reason),
        time_left=left,
        urgency=urgency,
        responded_by=names.get(responder, responder),
        history=tuple(history),
    )


def _heading(dispute: Dispute) -> str:
    match dispute.status:
        case DisputeStatus.NEEDS_RESPONSE:
            if dispute.respond_by is None:
                return "Needs a response. The due time is not known."
            return f"Needs a response by {labels.minute(dispute.respond_by)}"
        case DisputeStatus.UNDER_REVIEW:
            return "Contested. The bank decides."
        case DisputeStatus.CLOSED:
            took = dispute.lost.formatted() if dispute.lost and dispute.lost.minor else "nothing"
            return f"Closed as {dispute.outcome}. It took {took}."
