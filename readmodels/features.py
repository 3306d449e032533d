"""The risk features that the read side knows of a customer, in one query."""

from typing import Final
from uuid import UUID

from payments.domain.methods import CARDS
from payments.domain.payment import Status
from payments.domain.risk import RiskFeatures
from payments.events.database import cursor
from payments.features import KnownCustomer
from readmodels.projections.payment_summary import PROJECTION

# The age is how long the oldest event that the summaries miss has been waiting, 0 if they miss
# none.
_FEATURES: Final = """
SELECT EXISTS (SELECT FROM customers_customer WHERE id = %(customer_id)s),
       EXISTS (SELECT FROM readmodels_paymentsummary
                WHERE customer_id = %(customer_id)s AND status = %(completed)s
                  AND method = ANY(%(cards)s)),
       covered.position,
       coalesce((SELECT (extract(epoch FROM clock_timestamp() - recorded_at) * 1000)::bigint
                   FROM events_event WHERE position > covered.position ORDER BY position LIMIT 1),
                   0)
  FROM (SELECT coalesce(max(position), 0) AS position
          FROM readmodels_checkpoint WHERE name = %(projection)s) AS covered
"""

_CONSTANTS: Final = {
    "completed": Status.COMPLETED.value,
    "cards": [method.value for method in CARDS],
    "projection": PROJECTION.name,
}


def of_customer(customer_id: UUID) -> KnownCustomer:
    """Return what is known of the customer, who may be new. One round trip."""
    with cursor() as cur:
        row = cur.execute(
            _FEATURES, {"customer_id": customer_id, **_CONSTANTS}, prepare=True
        ).fetchone()
    assert row is not None, "an aggregate without GROUP BY always returns a row"  # noqa: S101
    registered, paid_by_card_before, position, age_ms = row
    return KnownCustomer(
        registered,
        RiskFeatures(
            paid_by_card_before=paid_by_card_before, position=position, age_ms=max(age_ms, 0)
        ),
    )
