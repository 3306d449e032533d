"""The review queue: reviews that are due, claimed or claimable."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from payments.database import execute
from payments.domain.payment.state import Status
from readmodels.models import PaymentSummary
from readmodels.queries import keyset, routing

PAGE: Final = 500

# The status is a literal: with a parameter a prepared plan could not use the partial index.
_DUE: Final = """
SELECT review_deadline, payment_id FROM readmodels_paymentsummary
 WHERE status = 'pending_review' AND review_deadline <= %(at)s
   AND (review_deadline, payment_id) > (%(deadline)s, %(payment_id)s)
 ORDER BY review_deadline, payment_id LIMIT %(limit)s
"""
# Claims in the read model, and those in events that it has not read yet.
_HELD: Final = """
SELECT payment_id FROM readmodels_paymentsummary
 WHERE status = 'pending_review' AND claimed_by = %(reviewer)s AND claimed_until > %(at)s
   AND (client_id = %(client_id)s OR %(client_id)s::uuid IS NULL)
UNION
SELECT aggregate_id FROM events_event
 WHERE position > coalesce(
         (SELECT position FROM readmodels_checkpoint WHERE name = 'payment_summary'), 0)
   AND event_type = 'payment.review_claimed' AND data ->> 'reviewer' = %(reviewer)s
   AND (data ->> 'client_id' = %(client_id)s::text OR %(client_id)s::uuid IS NULL)
"""
_ORDER: Final = ("review_deadline", "payment_id")
_BEGINNING: Final = (datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))


def due(*, at: datetime) -> Iterator[UUID]:
    """Yield the payments whose deadline has passed at `at`, the oldest deadline first.

    Reads page by page and yields no payment twice, even while the projection lags behind the decisions.
    """
    last = _BEGINNING
    while True:
        place = {"deadline": last[0], "payment_id": last[1]}
        page = execute(_DUE, {"at": at, "limit": PAGE} | place)
        for deadline, payment_id in page:
            last = (deadline, payment_id)
            yield payment_id
        if len(page) < PAGE:
            return


def held(*, reviewer: str, client_id: UUID | None, at: datetime) -> list[UUID]:
    """Return the payments that the reviewer has claimed. Some may have been released since."""
    parameters = {"reviewer": reviewer, "client_id": client_id, "at": at}
    return [payment_id for (payment_id,) in execute(_HELD, parameters)]


def pending() -> QuerySet[PaymentSummary]:
    """Return the payments that wait for review."""
    return PaymentSummary.objects.filter(status=Status.PENDING_REVIEW)


def unclaimed(at: datetime) -> Q:
    return Q(claimed_until=None) | Q(claimed_until__lte=at)


def claimable(
    *, reviewer: str, senior: bool, client_id: UUID | None, at: datetime
) -> Iterator[UUID]:
    """Yield payments that the reviewer may claim, in the order of `routing.tiers`, then of deadlines.

    Each stays locked until the transaction ends. Locked rows are skipped: another reviewer is claiming
    them, or a batch of the projection is writing them. An empty result may therefore be temporary.
    `client_id` selects the client, None selects all.
    """
    found = pending().filter(
        unclaimed(at), routing.awake(at), ~Q(first_approver=reviewer), review_deadline__gt=at
    )
    if not senior:
        found = found.filter(escalated=False, first_approver="")
    if client_id is not None:
        found = found.filter(client_id=client_id)
    for tier in routing.tiers(reviewer, at):
        yield from _offers(found.filter(tier))


def _offers(found: QuerySet[PaymentSummary]) -> Iterator[UUID]:
    # Fetched row by row, because a locked row is hidden from other reviewers even if it is not claimed.
    rest = found.order_by(*_ORDER).select_for_update(skip_locked=True).only(*_ORDER)
    offer = rest.first()
    while offer is not None:
        yield offer.payment_id
        last = [getattr(offer, field) for field in _ORDER]
        offer = rest.filter(keyset.beyond(_ORDER, last, ascending=True)).first()
