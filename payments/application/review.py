"""Review payments: claim them, decide on them, escalate them.

The permission is checked here, at the time of the command. The domain decides what the state allows.
"""

import logging
from datetime import datetime
from functools import partial
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
from payments.application.ports import ReviewQueue
from payments.customers import blocking, notes, staff_mentions
from payments.domain.payment import claims
from payments.domain.payment.commands import (
    AnyReviewCommand,
    ApprovePayment,
    AssignReview,
    ClaimNextReview,
    EscalateReview,
    RejectPayment,
    SnoozeReview,
)
from payments.domain.payment.events import NoteRef
from payments.domain.payment.refusals import PaymentError
from payments.events import replay, store
from payments.events.codec import UnknownEventType
from payments.events.store import Reservation, StaleVersion

logger = logging.getLogger(__name__)

_NOTED: Final = ApprovePayment | RejectPayment | EscalateReview | SnoozeReview | AssignReview
# Give up after this many offers that others have claimed. A healthy queue does not lag that far.
_MOST_TAKEN: Final = 100


class QueueLags(Exception):
    """The queue lags so far that it offers only payments that others have claimed."""


def handle(
    command: AnyReviewCommand,
    context: CommandContext,
    *,
    note: str | None = None,
    expected_version: int | None = None,
) -> Outcome:
    """Execute a reviewer's command. The reviewer and their seniority are taken from `context`.

    `note` is stored with the decision or not at all. Raises NotPermitted, TextError for the note,
    and the errors of `dispatch`.
    """
    command = replace(command, reviewer=context.actor, senior=_require_reviewer(context.actor))
    if isinstance(command, AssignReview):
        command = _with_assignee(command)
    alongside = None
    if note is not None and isinstance(command, _NOTED):
        written = notes.write(command.payment_id, note, author=context.actor, at=command.at)
        command = replace(command, note=NoteRef(written.pk, written.digest))
        alongside = partial(staff_mentions.save, written)
        note = written.text  # normalized: a repetition may use other code points
    elif isinstance(command, ApprovePayment):
        blocked = blocking.is_payer_blocked(command.payment_id)
        command = replace(command, customer_blocked=blocked)
    return dispatch(
        command, context, expected_version=expected_version, note=note, alongside=alongside
    )


def claim_next(
    *,
    client_id: UUID | None,
    at: datetime,
    context: CommandContext,
    most_held: int | None = None,
    queue: ReviewQueue | None = None,
) -> Outcome | None:
    """Claim the most urgent payment that the reviewer may decide on. Return None if there is none.

    `queue` replaces the usual queue, to offer a selection of its payments or another order.

    A reviewer who holds `most_held` undecided payments gets the most urgent of them again. Without
    `most_held`, each new key in `context` claims another payment. A repeated key finds the same payment.
    The queue locks its offers against other requests. The log, which does not lag, decides. Raises
    NotPermitted, QueueLags.
    """
    reviewer, senior = context.actor, _require_reviewer(context.actor)

    def claim(payment_id: UUID) -> Outcome:
        command = ClaimNextReview(
            payment_id=payment_id, client_id=client_id, reviewer=reviewer, senior=senior, at=at
        )
        return dispatch(command, context)

    with transaction.atomic():
        if most_held is not None:
            # One request at a time. Two at once would both find that the reviewer holds no payment.
            store.reserve(Reservation("review.claims_of", reviewer))
        if context.key is not None:
            key = idempotency.command_key(ClaimNextReview.name, actor=reviewer, key=context.key)
            if claimed := store.reserve(next_review(client_id, key)):
                return claim(claimed)
        if most_held is not None:
            held = _held(reviewer, client_id, at)
            if len(held) >= most_held:
                return held[0]
        offers = (queue or ports.connected.review_queue)(
            reviewer=reviewer, senior=senior, client_id=client_id, at=at
        )
        for payment_id in islice(offers, _MOST_TAKEN):
            try:
                return claim(payment_id)
            except (PaymentError, StaleVersion):
                continue  # another reviewer was faster than the queue
            except (UnknownEventType, ValidationError):
                # One unreadable payment must not block the review of all others.
                logger.exception("Payment %s cannot be claimed.", payment_id)
        if next(offers, None) is not None:
            raise QueueLags
    return None


def _held(reviewer: str, client_id: UUID | None, at: datetime) -> list[Outcome]:
    """Return the payments that the reviewer has claimed and not decided on, the most urgent first."""
    found = []
    for payment_id in ports.connected.held_reviews(reviewer=reviewer, client_id=client_id, at=at):
        try:
            loaded = replay.load(PAYMENT_AGGREGATE, payment_id)
            payment, stream = loaded.state, loaded.stream
        except (UnknownEventType, ValidationError):
            continue  # unreadable, so nobody can decide on it
        lease = None if payment is None else claims.unlapsed(payment.lease, at)
        if payment is not None and lease is not None and lease.reviewer == reviewer:
            found.append(Outcome(payment, stream.position(stream.version), replayed=False))
    return sorted(found, key=lambda each: each.payment.review_deadline or at)


def _with_assignee(command: AssignReview) -> AssignReview:
    """Return the command with the permissions that the assignee has now."""
    user = None if command.to is None else permissions.staff(command.to)
    if user is None or not permissions.holds(user, permissions.REVIEW):
        return command
    senior = permissions.holds(user, permissions.REVIEW_AS_SENIOR)
    return replace(command, to_reviews=True, to_senior=senior)


def _require_reviewer(actor: str) -> bool:
    """Return whether the actor is a senior reviewer. Raises NotPermitted if they are not a reviewer."""
    user = permissions.person(actor, permissions.REVIEW)
    return permissions.holds(user, permissions.REVIEW_AS_SENIOR)
