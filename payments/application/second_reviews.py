"""Second reviews: request them for a share of the decisions, and conclude them.

A keyed hash of the payment's id makes the choice. Nobody can predict it, and a repetition makes the
same choice. The hash also delays the request. The event of the request is hidden, but it leaves a
gap in the positions that people see. Right after a decision, that gap would reveal the choice.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

import django.db
from django.conf import settings

from payments import actors, permissions
from payments.aggregates import PAYMENT_AGGREGATE, SECOND_REVIEW_AGGREGATE
from payments.application import ports
from payments.application.ports import FinalDecision
from payments.customers import notes
from payments.domain.payment.codes import ApprovalReason, RejectionReason
from payments.domain.payment.events import NoteRef
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

logger = logging.getLogger(__name__)

_REQUESTER: Final = actors.system("second_reviews")
_DRAWN_BYTES: Final = 8
_LONGEST_DELAY: Final = timedelta(days=1)
# How long a decision is considered. Workers may be stopped for this time minus the longest delay.
_CONSIDERED: Final = timedelta(days=4)


def id_of(payment_id: UUID) -> UUID:
    """Return the id of a payment's second review. Nobody can connect the two without the key."""
    return keyed_id("second_review", str(payment_id))


def request_due(at: datetime) -> Iterator[UUID]:
    """Request the second reviews that are due. Yield the payment of each attempt.

    A second review is requested once, however often this runs.
    """
    made: dict[tuple[str, date], int] = {}

    def recent(decision: FinalDecision) -> int:
        key = (decision.reviewer, decision.at.astimezone(UTC).date())
        if key not in made:
            made[key] = ports.connected.recent_decisions(reviewer=decision.reviewer, at=decision.at)
        return made[key]

    for decision in ports.connected.unreviewed_decisions(since=at - _CONSIDERED):
        if decision.at + delay(decision) > at or not is_chosen(decision, recent):
            continue
        try:
            _request(decision.payment_id, at)
        except django.db.Error:
            raise
        except Exception:
            # One unreadable payment must not keep all others from being reviewed.
            logger.exception("No second review of payment %s was requested.", decision.payment_id)
        yield decision.payment_id


def is_chosen(decision: FinalDecision, recent: Callable[[FinalDecision], int]) -> bool:
    """Return whether the decision is drawn for a second review.

    A larger share can be drawn from new reviewers. `recent` returns how many decisions the reviewer
    made before. It is called only if the answer depends on it.
    """
    number = 100 * _drawn("choice", decision)
    if number < settings.SECOND_REVIEW_PERCENT:
        return True
    if number >= settings.SECOND_REVIEW_NEW_PERCENT:
        return False
    return recent(decision) < settings.SECOND_REVIEW_NEW_DECISIONS


def delay(decision: FinalDecision) -> timedelta:
    """Return how long after the decision its second review is requested."""
    return _drawn("delay", decision) * _LONGEST_DELAY


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
        # The note refers to the payment, so that it is erased with the customer. It notifies nobody
        # whom it mentions, because that could be the first reviewer.
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


def _drawn(purpose: str, decision: FinalDecision) -> float:
    """Return a number from 0 to 1 that nobody can predict without the key.

    It also depends on the month, so that nobody can collect payments that are never chosen.
    """
    month = f"{decision.at.astimezone(UTC):%Y-%m}"
    digest = keyed_digest(f"second_review.{purpose}", month, str(decision.payment_id))
    return int.from_bytes(digest[:_DRAWN_BYTES]) / (1 << 8 * _DRAWN_BYTES)


def _request(payment_id: UUID, at: datetime) -> None:
    # Read from the log, which also has the verdict of a first approval.
    final = decided(store.load(PAYMENT_AGGREGATE, payment_id).events)
    assert final is not None, "the decision was read from the log"  # noqa: S101
    request = RequestSecondReview(at=at, payment_id=payment_id, decided=final)
    review_id = id_of(payment_id)
    replay.execute(
        SECOND_REVIEW_AGGREGATE,
        review_id,
        lambda review: decide(review_id, review, request),
        metadata=Metadata(actor=_REQUESTER, command=request.name),
        new=True,
    )
