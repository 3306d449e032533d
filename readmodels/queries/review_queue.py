"""The review queue: reviews that are due, claimed or claimable, and the orders of the queue."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db.models import BooleanField, Case, Count, Q, QuerySet, When

from payments.database import execute
from payments.domain.payment.state import Status
from readmodels.models import PaymentSummary
from readmodels.queries import routing
from readmodels.queries.keyset import Order

PAGE: Final = 500

BY_DEADLINE: Final = Order(fields=("review_deadline", "payment_id"), ascending=True)
BY_AGE: Final = Order(fields=("flagged_at", "payment_id"), ascending=True)
# Only for payments in one currency: amounts in different currencies cannot be compared.
BY_AMOUNT: Final = Order(fields=("amount", "payment_id"), ascending=False)

# The status is a literal: with a parameter a prepared plan could not use the partial index.
_DUE: Final = """
SELECT review_deadline, payment_id FROM readmodels_paymentsummary
 WHERE status = 'pending_review' AND review_deadline <= %(at)s
   AND (review_deadline, payment_id) > (%(deadline)s, %(payment_id)s)
 ORDER BY review_deadline, payment_id LIMIT %(limit)s
"""
# Claims in the read model, and claims in events that it has not read yet.
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


def decidable(*, reviewer: str, senior: bool, at: datetime) -> Q:
    """Return the condition for payments in review that the reviewer may decide at `at`.

    It does not exclude payments whose policy the reviewer proposed: only the log knows the
    proposer.
    """
    own_or_free = Q(claimed_by=reviewer) | unclaimed(at)
    condition = Q(review_deadline__gt=at) & own_or_free & ~Q(first_approver=reviewer)
    if senior:
        return condition
    return condition & Q(escalated=False, first_approver="") & routing.open_to(reviewer, at)


def claimable(
    *,
    reviewer: str,
    senior: bool,
    client_id: UUID | None,
    at: datetime,
    rows: QuerySet[PaymentSummary] | None = None,
    order: Order = BY_DEADLINE,
) -> Iterator[UUID]:
    """Yield payments that the reviewer may claim, in the order of `routing.tiers`, then in `order`.

    Each stays locked until the transaction ends. Locked rows are skipped: another reviewer is
    claiming them, or a batch of the projection is writing them. An empty result may therefore be
    temporary. If `client_id` is None, all clients are included. `rows` must be a subset of
    `pending`.
    """
    found = (pending() if rows is None else rows).filter(
        decidable(reviewer=reviewer, senior=senior, at=at), unclaimed(at), routing.awake(at)
    )
    if client_id is not None:
        found = found.filter(client_id=client_id)
    for tier in routing.tiers(reviewer, at):
        yield from _offers(found.filter(tier), order)


def _offers(found: QuerySet[PaymentSummary], order: Order) -> Iterator[UUID]:
    # Fetched row by row, because a locked row is hidden from other reviewers even if it is not claimed.
    rest = found.order_by(*order.by()).select_for_update(skip_locked=True).only(*order.fields)
    offer = rest.first()
    while offer is not None:
        yield offer.payment_id
        last = [getattr(offer, field) for field in order.fields]
        offer = rest.filter(order.beyond(last)).first()


def counts(conditions: Sequence[Q], *, most: int) -> list[int]:
    """Return the number of payments in review for each condition, among the `most` most urgent ones.

    Takes one query, whose time does not grow with the queue.
    """
    urgent = pending().order_by(*BY_DEADLINE.by())[:most]
    names = [f"n{number}" for number in range(len(conditions))]
    found = urgent.aggregate(
        **{
            # Not `filter`: a condition that no row can meet would make Django skip the query.
            name: Count(Case(When(condition, then=1)))
            for name, condition in zip(names, conditions, strict=True)
        }
    )
    return [found[name] for name in names]


def standing(payment_ids: Sequence[UUID], condition: Q) -> list[PaymentSummary]:
    """Return the payments.

    `waits` marks those in review, `inside` those that also meet the condition.
    """
    waits = Q(status=Status.PENDING_REVIEW)
    rows = PaymentSummary.objects.filter(pk__in=payment_ids).order_by("pk")
    return list(
        rows.annotate(
            waits=Case(When(waits, then=True), default=False, output_field=BooleanField()),
            inside=Case(
                When(waits & condition, then=True), default=False, output_field=BooleanField()
            ),
        )
    )


def new(since: int, condition: Q, *, most: int) -> int:
    """Return how many payments in review were submitted after the position `since`, at most `most`."""
    rows = pending().filter(condition, first_position__gt=since)
    return rows.order_by("first_position")[:most].count()


_CURRENCIES: Final = """
WITH RECURSIVE found AS (
  (SELECT currency FROM readmodels_paymentsummary WHERE status = 'pending_review' ORDER BY currency LIMIT 1)
  UNION ALL
  SELECT (SELECT currency FROM readmodels_paymentsummary
           WHERE status = 'pending_review' AND currency > found.currency ORDER BY currency LIMIT 1)
    FROM found WHERE currency IS NOT NULL)
SELECT currency FROM found WHERE currency IS NOT NULL
"""


def currencies() -> list[str]:
    """Return the currencies of the payments that wait for review, in alphabetical order."""
    return [currency for (currency,) in execute(_CURRENCIES, {})]
