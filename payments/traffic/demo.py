"""Demo data: a shop, two reviewers, two weeks of payments, and some that wait for review."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Group

from payments import actors, intake, review
from payments.clients.models import Client
from payments.customers.models import Customer
from payments.dispatch import Request
from payments.domain.commands import ApprovePayment, RejectPayment
from payments.domain.events import ApprovalReason, RejectionReason
from payments.domain.payment import Payment, Status
from payments.traffic import simulation

SHOP: Final = "Demo shop"
REVIEWERS: Final = {"ada": ("Ada", "Ng"), "ben": ("Ben", "Okoye")}
ROLE: Final = "senior reviewer"

_PAYMENTS: Final = 400
_SEED: Final = 290  # flags nine: some to wait, some decided
_OVER: Final = timedelta(days=14)
# Of the flagged ones, so many at the end stay in the queue; the first of them is overdue and expires a minute
# after the workers started.
_WAITING: Final = 5
_NAMES: Final = (
    "Amara Lindqvist",
    "Bruno Castellano",
    "Chiyo Tanaka",
    "Dmitri Volkov",
    "Elif Yıldız",
    "Farah Haddad",
    "Giulia Moretti",
    "Henrik Sørensen",
)


def seed(password: str) -> bool:
    """Fill an empty service; return whether it was filled now.

    The reviewers' password is `password`, whatever it was before.
    """
    reviewers = [_reviewer(name, password) for name in REVIEWERS]
    shop, _ = Client.objects.get_or_create(name=SHOP)
    customers = Customer.objects.filter(client=shop)
    # Names come last. All before them has keys, so a seeding that was killed is taken up again.
    if customers.exclude(name="").exists():
        return False
    _submit(shop, reviewers)
    named = list(customers.order_by("-reference")[: len(_NAMES)])
    for customer, name in zip(named, _NAMES, strict=True):
        customer.name = name
    Customer.objects.bulk_update(named, ["name"])
    return True


def _reviewer(username: str, password: str) -> AbstractUser:
    first, last = REVIEWERS[username]
    user, _ = get_user_model().objects.get_or_create(
        username=username, defaults={"first_name": first, "last_name": last, "is_staff": True}
    )
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    user.groups.add(Group.objects.get(name=ROLE))
    return user


def _submit(shop: Client, reviewers: list[AbstractUser]) -> None:
    now = datetime.now(UTC)
    moments = sorted(itertools.islice(simulation.moments(_SEED, until=now, over=_OVER), _PAYMENTS))
    flagged = {}
    for attempt, at in zip(simulation.attempts(_SEED), moments, strict=False):
        outcome = intake.submit(
            client_id=shop.pk,
            customer_reference=attempt.customer_reference,
            amount=attempt.amount,
            method=attempt.method,
            reference=attempt.reference,
            card=attempt.card,
            at=at,
            key=attempt.key,
            request=Request(actor=actors.client(shop.pk), key=attempt.key),
        )
        if outcome.payment.status is Status.PENDING_REVIEW:
            flagged[outcome.payment.payment_id] = outcome.payment
    for number, payment in enumerate(list(flagged.values())[:-_WAITING]):
        reviewer = actors.staff(reviewers[number % len(reviewers)].pk)
        _decide(payment, reviewer, number)


def _decide(payment: Payment, reviewer: str, number: int) -> None:
    facts: dict[str, Any] = {
        "payment_id": payment.payment_id,
        "client_id": None,
        "reviewer": reviewer,
        "at": payment.initiated_at + timedelta(minutes=7 + number),
    }
    request = Request(actor=reviewer, key=f"demo-{payment.payment_id}")
    if number % 3 == 0:
        reason = RejectionReason.CUSTOMER_UNREACHABLE
        review.carry_out(RejectPayment(reason=reason, **facts), request)
    else:
        approval = ApprovalReason.VERIFIED_WITH_CUSTOMER
        note = "Called back on the known number; the order is real."
        review.carry_out(ApprovePayment(reason=approval, **facts), request, note=note)
