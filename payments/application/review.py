"""Review payments: claim them, one or the next, decide on them, or leave them to others.

The permission is asked here, with the rights of that moment; what the state allows is the domain's to
say.
"""

import logging
from datetime import datetime
from itertools import islice
from typing import Final
from uuid import UUID

from django.db import transaction
from msgspec import ValidationError
from msgspec.structs import replace

from payments import permissions
from payments.aggregates import PAYMENT_AGGREGATE
from payments.application import idempotency, ports
from payments.application.dispatch import CommandContext, Outcome, dispatch, next_review
from payments.customers import notes
from payments.domain.payment.commands import (
    AnyReviewCommand,
    ApprovePayment,
    ClaimNextReview,
    EscalateReview,
    RejectPayment,
)
from payments.domain.payment.events import NoteRef
from payments.domain.payment.refusals import PaymentError
from payments.events import replay, store
from payments.events.codec import UnknownEventType
from payments.events.store import Reservation, StaleVersion

logger = logging.getLogger(__name__)

# The queue lags: this many that turn out to be taken are more than it does in good health.
_MOST_TAKEN: Final = 100


class QueueLags(Exception):
    """All that the queue offers is taken already, so it cannot tell what is left."""


def handle(
    command: AnyReviewCommand,
    context: CommandContext,
    *,
    note: str | None = None,
    expected_version: int | None = None,
) -> Outcome:
    """Carry out a reviewer's command; who they are and may do is filled in.

    `note` is stored with the decision or not at all. Raises NotPermitted, TextError for the note, and as
    dispatch does.
    """
    command = replace(command, reviewer=context.actor, senior=_require_reviewer(context.actor))
    alongside = None
    if note is not None and isinstance(command, ApprovePayment | RejectPayment | EscalateReview):
        written = notes.write(command.payment_id, note, author=context.actor, at=command.at)
        command = replace(command, note=NoteRef(written.pk, written.digest))
        alongside = written.save
        note = written.text  # its normal form: a repetition may use other code points
    return dispatch(
        command, context, expected_version=expected_version, note=note, alongside=alongside
    )


def claim_next(
    *, client_id: UUID | None, at: datetime, context: CommandContext, most_held: int | None = None
) -> Outcome | None:
    """Claim what is most urgent of what the reviewer may decide on; None if nothing is.

    A reviewer who holds `most_held` undecided payments gets the most urgent of those again. Without that
    number, a new key in `context` claims a further one. With the same key in `context` the same payment is
    found again. The queue locks what it offers against other requests, and the log, which does not lag,
    decides. Raises NotPermitted, QueueLags.
    """
    reviewer, senior = context.actor, _require_reviewer(context.actor)

    def claim(payment_id: UUID) -> Outcome:
        command = ClaimNextReview(
            payment_id=payment_id, client_id=client_id, reviewer=reviewer, senior=senior, at=at
        )
        return dispatch(command, context)

    with transaction.atomic():
        if most_held is not None:
            # One request at a time: two would both find that the reviewer holds nothing.
            store.reserve(Reservation("review.claims_of", reviewer))
        if context.key is not None:
            key = idempotency.command_key(ClaimNextReview.name, actor=reviewer, key=context.key)
            if claimed := store.reserve(next_review(client_id, key)):
                return claim(claimed)
        if most_held is not None:
            held = _held(reviewer, client_id, at)
            if len(held) >= most_held:
                return held[0]
        offers = ports.connected().review_queue(
            reviewer=reviewer, senior=senior, client_id=client_id, at=at
        )
        for payment_id in islice(offers, _MOST_TAKEN):
            try:
                return claim(payment_id)
            except (PaymentError, StaleVersion):
                continue  # somebody was faster than the queue
            except (UnknownEventType, ValidationError):
                # One payment that cannot be read must not keep all others from being reviewed.
                logger.exception("Payment %s cannot be claimed.", payment_id)
        if next(offers, None) is not None:
            raise QueueLags
    return None


def _held(reviewer: str, client_id: UUID | None, at: datetime) -> list[Outcome]:
    """Return the payments that the reviewer has claimed and not decided on, the most urgent first."""
    found = []
    for payment_id in ports.connected().held_reviews(reviewer=reviewer, client_id=client_id, at=at):
        try:
            loaded = replay.load(PAYMENT_AGGREGATE, payment_id)
            payment, stream = loaded.state, loaded.stream
        except (UnknownEventType, ValidationError):
            continue  # nobody can decide on it
        lease = None if payment is None else payment.lease_at(at)
        if payment is not None and lease is not None and lease.reviewer == reviewer:
            found.append(Outcome(payment, stream.position(stream.version), replayed=False))
    return sorted(found, key=lambda each: each.payment.review_deadline or at)


def _require_reviewer(actor: str) -> bool:
    """Whether the reviewer is a senior one. Raises NotPermitted for whoever is none at all."""
    user = permissions.person(actor, permissions.REVIEW)
    return permissions.holds(user, permissions.REVIEW_AS_SENIOR)
