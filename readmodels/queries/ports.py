"""The read side's implementations of the write side's ports."""

from typing import Final

from payments.application.ports import Ports
from readmodels.queries import agreement, analytics, review_queue, risk_features

PORTS: Final = Ports(
    risk_features=risk_features.of_customer,
    due_reviews=review_queue.due,
    review_queue=review_queue.claimable,
    held_reviews=review_queue.held,
    recent_decisions=analytics.recent_decisions,
    unreviewed_decisions=agreement.unreviewed_decisions,
)
