"""Decisions that are chosen for a second review, and their conclusions."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.test import Client as Browser
from django.utils import timezone

from payments import actors
from payments.application import second_reviews
from payments.domain.payment.codes import ApprovalReason, RejectionReason
from payments.domain.payment.commands import ApprovePayment, RejectPayment
from payments.domain.second_review import SecondReview, Severity
from payments.events.models import Event
from tests.support.api import project
from tests.support.reviewing import waiting
from tests.support.routing import act

APPROVAL_NOTE = "Called the customer, who knew the order."


def approve(payment: str, by: str, **given: Any) -> None:
    reason = ApprovalReason.VERIFIED_WITH_CUSTOMER
    act(ApprovePayment, payment, by, reason=reason, **{"note": APPROVAL_NOTE} | given)
    request_all()


def reject(payment: str, by: str, **given: Any) -> None:
    act(RejectPayment, payment, by, reason=RejectionReason.SUSPECTED_FRAUD, **given)
    request_all()


def request_all() -> None:
    """Request the second reviews of all chosen decisions, which are due within a day."""
    project()
    for _ in second_reviews.request_due(timezone.now() + timedelta(days=1)):
        pass
    project()


def approved(by: str, **changes: Any) -> tuple[str, UUID]:
    """Return a payment that `by` approved and the id of its second review, chosen or not."""
    (payment,) = waiting(**changes)
    approve(payment, by)
    return payment, second_reviews.id_of(UUID(payment))


def conclude(review: UUID, by: str, **changes: Any) -> SecondReview:
    given: dict[str, Any] = {
        "reason": RejectionReason.SUSPECTED_FRAUD,
        "severity": Severity.MAJOR,
        "note": None,
        "at": timezone.now(),
    }
    return second_reviews.conclude(review, by=by, **given | changes)


def events() -> list[Event]:
    return list(Event.objects.filter(aggregate_type="second_review").order_by("position"))


def actor_of(logged_in: Browser) -> str:
    return actors.staff(int(logged_in.session["_auth_user_id"]))
