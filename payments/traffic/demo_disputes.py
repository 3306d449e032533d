"""Add demo disputes: closed ones for earlier payments, open ones for recent payments."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from payments.application import bulk, disputes
from payments.application.dispatch import CommandContext
from payments.domain.payment.codes import DisputeKind, DisputeReason
from payments.domain.payment.commands import OpenDispute, RespondToDispute
from payments.traffic import dispute_stories
from payments.traffic.dispute_stories import Paid

_SHARE: Final = 0.12
_OPENED_AFTER: Final = timedelta(days=2)
# The open disputes: the time left to respond, the kind and the reason.
_OPEN: Final = (
    (timedelta(hours=20), DisputeKind.CHARGEBACK, DisputeReason.FRAUDULENT),
    (timedelta(days=3), DisputeKind.CHARGEBACK, DisputeReason.PRODUCT_NOT_RECEIVED),
    (timedelta(days=6), DisputeKind.INQUIRY, DisputeReason.UNRECOGNIZED),
    (timedelta(days=11), DisputeKind.CHARGEBACK, DisputeReason.DUPLICATE),
)
_RESPONDED: Final = 1


def add(
    earlier: Sequence[Paid], recent: Sequence[Paid], *, client: str, responder: str, now: datetime
) -> None:
    """Dispute some payments as the actor `client`; the actor `responder` contests one of the disputes.

    If this is repeated with other times, the notices are refused and change nothing.
    """
    ended = [
        notice
        for paid in earlier
        for notice in dispute_stories.notices(paid, _SHARE)
        if notice.at <= now
    ]
    old_enough = [
        paid
        for paid in recent
        if paid.attempt.card is not None and paid.at < now - 2 * _OPENED_AFTER
    ]
    disputed = old_enough[:: len(old_enough) // len(_OPEN)]
    opened = [
        OpenDispute(
            payment_id=paid.payment_id,
            client_id=paid.client_id,
            dispute_id=f"dispute-{paid.attempt.key}",
            kind=kind,
            reason=reason,
            amount=paid.attempt.amount,
            network=paid.attempt.card.brand.value if paid.attempt.card else None,
            opened_at=paid.at + _OPENED_AFTER,
            respond_by=now + due,
            at=paid.at + _OPENED_AFTER,
        )
        for paid, (due, kind, reason) in zip(disputed, _OPEN, strict=False)
    ]
    bulk.dispatch_all([*ended, *opened], CommandContext(actor=client))
    contested = opened[_RESPONDED]
    disputes.handle(
        RespondToDispute(
            payment_id=contested.payment_id,
            client_id=None,
            dispute_id=contested.dispute_id,
            responder=responder,
            at=contested.at + timedelta(hours=5),
        ),
        CommandContext(actor=responder),
        note="Sent the proof of delivery to the bank.",
    )
