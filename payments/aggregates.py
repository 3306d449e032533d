"""The aggregates of the log. Each binds events and a fold of the domain to the events app."""

from typing import Final

from payments.domain import customer, lists, reveal, second_review
from payments.domain.customer import CUSTOMER_EVENT_CLASSES, AnyCustomerEvent
from payments.domain.lists import LIST_EVENT_CLASSES, AnyListEvent, RiskList
from payments.domain.payment import state
from payments.domain.payment.events import EVENT_CLASSES, AnyPaymentEvent
from payments.domain.payment.state import STATE_VERSION, Payment
from payments.domain.payment.upcasts import UPCASTS
from payments.domain.reveal import REVEAL_EVENT_CLASSES, CustomerRevealed
from payments.domain.risk import register
from payments.domain.risk.register import POLICY_EVENT_CLASSES, AnyPolicyEvent, Register
from payments.domain.second_review import (
    SECOND_REVIEW_EVENT_CLASSES,
    AnySecondReviewEvent,
    SecondReview,
)
from payments.events.aggregates import Aggregate, AnyAggregate
from payments.events.reading.records import HistoricEvent, RecordedEvent

PAYMENT_AGGREGATE: Final[Aggregate[Payment, AnyPaymentEvent]] = Aggregate(
    name="payment",
    event_classes=EVENT_CLASSES,
    evolve=state.evolve,
    state_class=Payment,
    state_version=STATE_VERSION,
    identity=lambda payment: (payment.payment_id, payment.version),
    upcasts=UPCASTS,
)

POLICY_AGGREGATE: Final[Aggregate[Register, AnyPolicyEvent]] = Aggregate(
    name=register.AGGREGATE_TYPE,
    event_classes=POLICY_EVENT_CLASSES,
    evolve=register.evolve,
    state_class=Register,
)

# The state is whether the customer is blocked.
CUSTOMER_AGGREGATE: Final[Aggregate[bool, AnyCustomerEvent]] = Aggregate(
    name="customer",
    event_classes=CUSTOMER_EVENT_CLASSES,
    evolve=lambda _blocked, _, event: customer.is_blocked_after(event),
    state_class=bool,
)

LIST_AGGREGATE: Final[Aggregate[RiskList, AnyListEvent]] = Aggregate(
    name="list",
    event_classes=LIST_EVENT_CLASSES,
    evolve=lists.evolve,
    state_class=RiskList,
    state_version=lists.STATE_VERSION,
    identity=lambda found: (found.list_id, found.version),
)

SECOND_REVIEW_AGGREGATE: Final[Aggregate[SecondReview, AnySecondReviewEvent]] = Aggregate(
    name="second_review",
    event_classes=SECOND_REVIEW_EVENT_CLASSES,
    evolve=second_review.evolve,
    state_class=SecondReview,
)

REVEAL_AGGREGATE: Final[Aggregate[CustomerRevealed, CustomerRevealed]] = Aggregate(
    name="reveal",
    event_classes=REVEAL_EVENT_CLASSES,
    evolve=reveal.evolve,
    state_class=CustomerRevealed,
)

# settings.EVENT_AGGREGATES names this tuple, so that `manage.py check` finds the aggregates.
AGGREGATES: Final[tuple[AnyAggregate, ...]] = (
    PAYMENT_AGGREGATE,
    POLICY_AGGREGATE,
    CUSTOMER_AGGREGATE,
    LIST_AGGREGATE,
    SECOND_REVIEW_AGGREGATE,
    REVEAL_AGGREGATE,
)

RecordedPaymentEvent = RecordedEvent[AnyPaymentEvent]
HistoricPaymentEvent = HistoricEvent[AnyPaymentEvent]
RecordedSecondReviewEvent = RecordedEvent[AnySecondReviewEvent]
RecordedReveal = RecordedEvent[CustomerRevealed]
