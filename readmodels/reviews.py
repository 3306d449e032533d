"""The reviews that are due, for whoever ends them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from payments.events.database import cursor

PAGE: Final = 500

# The status is written out, or a prepared plan could not use the partial index.
_DUE: Final = """
SELECT review_deadline, payment_id FROM readmodels_paymentsummary
 WHERE status = 'pending_review' AND review_deadline <= %s AND (review_deadline, payment_id) > (%s, %s)
 ORDER BY review_deadline, payment_id LIMIT %s
"""
_BEGINNING: Final = (datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))


def due(*, at: datetime) -> Iterator[UUID]:
    """Yield the payments whose deadline is not after `at`, the longest due first.

    Page by page and never the same one again: what is ended meanwhile stays in the queue until the
    projection has seen it.
    """
    last = _BEGINNING
    while True:
        with cursor() as cur:
            page = cur.execute(_DUE, (at, *last, PAGE), prepare=True).fetchall()
        for deadline, payment_id in page:
            last = (deadline, payment_id)
            yield payment_id
        if len(page) < PAGE:
            return
