"""Second reviews: request them for a share of the decisions, and conclude them.

A keyed hash of the payment's id chooses, so nobody can predict the choice, and a repetition makes the same.
The request is appended in the transaction of the decision, so no crash can lose it.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

from django.conf import settings

from payments import actors, permissions
from payments.aggregates import PAYMENT_AGGREGATE, SECOND_REVIEW_AGGREGATE
from payments.application import ports
from payments.customers import notes
from payments.database import require_transaction
from payments.domain.payment.commands import ApprovePayment, RejectPayment
from payments.domain.payment.events import ApprovalReason, NoteRef, RejectionReason
from payments.domain.second_review import (
    ConcludeSecondReview,
    RequestSecondReview,
    SecondReview,
    Severity,
    Verdict,
    decide,
    decided,
)
from payments.events import replay, store
from payments.events.metadata import Metadata
from payments.pseudonyms import keyed_digest, keyed_id

_REQUESTER: Final = actors.system("second_reviews")
_DRAWN_BYTES: Final = 8


def id_of(payment_id: UUID) -> UUID:
    """Return the id of a payment's second review. Only the key connects the two."""
    return keyed_id("second_review", str(payment_id))


def requesting(command: ApprovePayment | RejectPayment) -> Callable[[], None] | None:
    """Return what requests a second review of the decision, None if it is not chosen.

    Call the result in the transaction of the decision, after it was appended.
    """
    return partial(_request, command) if _is_chosen(command) else None


def conclude(
    review_id: UUID,
    *,
    reason: ApprovalReason | RejectionReason,
    severity: Severity,
    note: str | None,
    by: str,
    at: datetime,
    correlation_id: str | None = None,
) -> SecondReview:
    """Record the verdict of the second reviewer `by`: an approval if `reason` is an ApprovalReason.

    Raises NotPermitted, TextError for the note, SecondReviewRefused.
    """
    permissions.require(by, permissions.CONCLUDE_SECOND_REVIEW)
    verdict = Verdict(by=by, approved=isinstance(reason, ApprovalReason), reason=reason)
    command = ConcludeSecondReview(at=at, verdict=verdict, severity=severity)
    alongside = None
    if note is not None:
        review = replay.load(SECOND_REVIEW_AGGREGATE, review_id).state
        # With its payment, the note is erased with the customer. It notifies nobody whom it mentions: that
        # could be the first reviewer.
        about = None if review is None else review.request.payment_id
        written = notes.write(about, note, author=by, at=at)
        command = ConcludeSecondReview(
            at=at, verdict=verdict, severity=severity, note=NoteRef(written.pk, written.digest)
        )
        alongside = written.save
    return replay.execute(
        SECOND_REVIEW_AGGREGATE,
        review_id,
        lambda review: decide(review_id, review, command),
        metadata=Metadata(actor=by, command=command.name, correlation_id=correlation_id),
        alongside=alongside,
    ).state


def _is_chosen(command: ApprovePayment | RejectPayment) -> bool:
    """Return whether the payment's number is below the share of its reviewer.

    The number differs each month, so that nobody can collect payments that are never chosen.
    """
    month = f"{command.at.astimezone(UTC):%Y-%m}"
    digest = keyed_digest("second_review.draw", month, str(command.payment_id))
    percent = 100 * int.from_bytes(digest[:_DRAWN_BYTES]) / (1 << 8 * _DRAWN_BYTES)
    if percent < settings.SECOND_REVIEW_PERCENT:
        return True
    # Most decisions are settled here, without a query.
    if percent >= settings.SECOND_REVIEW_NEW_PERCENT:
        return False
    made = ports.connected.recent_decisions(reviewer=command.reviewer, at=command.at)
    return made < settings.SECOND_REVIEW_NEW_DECISIONS


def _request(command: ApprovePayment | RejectPayment) -> None:
    require_transaction()
    # Not from the outcome of the command, which does not have the verdict of a first approval.
    final = decided(store.load(PAYMENT_AGGREGATE, command.payment_id).events)
    if final is None:
        return
    request = RequestSecondReview(at=command.at, payment_id=command.payment_id, decided=final)
    review_id = id_of(command.payment_id)
    replay.execute(
        SECOND_REVIEW_AGGREGATE,
        review_id,
        lambda review: decide(review_id, review, request),
        metadata=Metadata(actor=_REQUESTER, command=request.name),
        new=True,
    )
