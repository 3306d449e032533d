"""Demo data: a shop, staff, two weeks of payments, older ones, reviews in every state, and disputes."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import Group, User
from django.db import transaction

from payments import actors
from payments.application import review, submission
from payments.application.dispatch import CommandContext, Outcome
from payments.clients.models import Client
from payments.customers import changes
from payments.customers.models import Customer
from payments.domain.payment.codes import (
    ApprovalReason,
    EscalationReason,
    RejectionReason,
    SnoozeReason,
)
from payments.domain.payment.commands import (
    ApprovePayment,
    AssignReview,
    ClaimReview,
    EscalateReview,
    RejectPayment,
    SnoozeReview,
)
from payments.domain.payment.state import Payment, Status
from payments.traffic import demo_disputes, simulation
from payments.traffic.dispute_stories import Paid
from payments.traffic.simulation import Attempt

SHOP: Final = "Demo shop"
# First name, last name, role, and what to try with the role.
STAFF: Final = {
    "ada": ("Ada", "Ng", "senior reviewer", "press Claim next in the review queue and decide"),
    "ben": (
        "Ben",
        "Okoye",
        "senior reviewer",
        "give the second approval to a payment that ada approved",
    ),
    "cleo": ("Cleo", "Martin", "analyst", "decide on payments, escalate one to ada or ben"),
    "dora": ("Dora", "Silva", "risk manager", "propose a risk policy"),
    "emil": ("Emil", "Berg", "risk manager", "approve the policy that dora proposed"),
    "fay": ("Fay", "Adeyemi", "viewer", "look at payments, customers and statistics"),
    "gus": ("Gus", "Moreau", "auditor", "look at everything, including sign-ins and events"),
}

_PAYMENTS: Final = 400
# With this seed, some payments wait for review and some are decided, with and without a second
# approval.
_SEED: Final = 27626
_OVER: Final = timedelta(days=14)
# The number of flagged payments that stay in the queue. The first of them is overdue and expires a minute
# after the workers start.
_WAITING: Final = 7
# The indexes of the waiting payments that staff have already acted on.
_ESCALATED, _FIRST_APPROVED, _CLAIMED, _SNOOZED, _ASSIGNED = 2, 3, 4, 5, 6
# Payments that are old enough for a backtest to know whether they were fraud. None is large enough to wait
# for review, because its deadline would have passed long ago.
_EARLIER: Final = 160
_EARLIER_SEED: Final = 14
_EARLIER_UNTIL: Final = timedelta(days=100)
_EARLIER_OVER: Final = timedelta(days=60)
_LARGE: Final = 5_000  # dollars
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


def seed(password: str, *, reset: bool = False) -> bool:
    """Add demo data to an empty service; return whether data was added.

    New users get `password`. With `reset`, existing users get it too.
    """
    staff = [_member(name, password, reset=reset) for name in STAFF]
    shop, _ = Client.objects.get_or_create(name=SHOP)
    customers = Customer.objects.filter(client=shop)
    # Names come last. All earlier steps are idempotent, so an interrupted run can be repeated.
    if customers.exclude(name="").exists():
        return False
    earlier = _submit_earlier(shop)
    recent = _submit(shop, staff)
    demo_disputes.add(
        earlier,
        recent,
        client=actors.client(shop.pk),
        responder=actors.staff(staff[0].pk),
        now=datetime.now(UTC),
    )
    named = list(customers.order_by("-reference")[: len(_NAMES)])
    with transaction.atomic():
        for customer, name in zip(named, _NAMES, strict=True):
            changes.store(customer, {"name": name})
    return True


def logins() -> list[str]:
    """Return a line for each member of staff: the user name, the role and what to try."""
    return [f"{name:<6}{role:<17}{what}" for name, (_, _, role, what) in STAFF.items()]


def _member(username: str, password: str, *, reset: bool) -> User:
    first, last, role, _ = STAFF[username]
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User.objects.create_user(
            username, password=password, first_name=first, last_name=last, is_staff=True
        )
    elif reset:
        user.set_password(password)
        user.save(update_fields=["password"])
    user.groups.add(Group.objects.get(name=role))
    return user


def _submit_earlier(shop: Client) -> list[Paid]:
    until = datetime.now(UTC) - _EARLIER_UNTIL
    moments = simulation.moments(_EARLIER_SEED, until=until, over=_EARLIER_OVER)
    attempts = (
        each
        for each in simulation.attempts(_EARLIER_SEED)
        if each.amount.minor < _LARGE * simulation.UNITS_OF_A_DOLLAR[each.amount.currency]
    )
    times = sorted(itertools.islice(moments, _EARLIER))
    submitted = [
        (attempt, _submit_one(shop, attempt, at))
        for attempt, at in zip(attempts, times, strict=False)
    ]
    return _paid(submitted)


def _submit_one(shop: Client, attempt: Attempt, at: datetime) -> Payment:
    return submission.submit(
        client_id=shop.pk,
        customer_reference=attempt.customer_reference,
        amount=attempt.amount,
        method=attempt.method,
        reference=attempt.reference,
        card=attempt.card,
        at=at,
        key=attempt.key,
        context=CommandContext(actor=actors.client(shop.pk), key=attempt.key),
    ).payment


def _paid(submitted: list[tuple[Attempt, Payment]]) -> list[Paid]:
    """Return the completed payments, each once."""
    found = {
        payment.payment_id: Paid(
            payment.payment_id, payment.client_id, attempt, payment.initiated_at
        )
        for attempt, payment in submitted
        if payment.status is Status.COMPLETED
    }
    return list(found.values())


def _submit(shop: Client, staff: list[User]) -> list[Paid]:
    """Submit the recent payments and review them; return those that were completed at once."""
    now = datetime.now(UTC)
    moments = sorted(itertools.islice(simulation.moments(_SEED, until=now, over=_OVER), _PAYMENTS))
    flagged, submitted = {}, []
    for attempt, at in zip(simulation.attempts(_SEED), moments, strict=False):
        payment = _submit_one(shop, attempt, at)
        submitted.append((attempt, payment))
        if payment.status is Status.PENDING_REVIEW:
            flagged[payment.payment_id] = payment
    ada, ben, cleo = (actors.staff(member.pk) for member in staff[:3])
    found = list(flagged.values())
    for number, payment in enumerate(found[:-_WAITING]):
        first, second = (ada, ben) if number % 2 else (ben, ada)
        _decide(payment, first, second, number)
    waiting = found[-_WAITING:]
    _escalate(waiting[_ESCALATED], cleo)
    _claim(waiting[_CLAIMED], ben, now)
    _approve(waiting[_FIRST_APPROVED], ada, timedelta(hours=3))
    _snooze(waiting[_SNOOZED], cleo, now)
    _assign(waiting[_ASSIGNED], to=ada, by=ben, at=now)
    return _paid(submitted)


def _decide(payment: Payment, first: str, second: str, number: int) -> None:
    after = timedelta(minutes=7 + number)
    if number % 3 == 1:
        reason = RejectionReason.CUSTOMER_UNREACHABLE
        command = RejectPayment(reason=reason, **_facts(payment, first, after))
        review.handle(command, _context(payment, first))
        return
    outcome = _approve(payment, first, after)
    if outcome.payment.status is Status.PENDING_REVIEW:
        _approve(payment, second, after + timedelta(minutes=20))


def _approve(payment: Payment, reviewer: str, after: timedelta) -> Outcome:
    reason = ApprovalReason.VERIFIED_WITH_CUSTOMER
    return review.handle(
        ApprovePayment(reason=reason, **_facts(payment, reviewer, after)),
        _context(payment, reviewer),
        note="Called back on the known number; the order is real.",
    )


def _escalate(payment: Payment, reviewer: str) -> None:
    reason = EscalationReason.SUSPICIOUS_PATTERN
    review.handle(
        EscalateReview(reason=reason, **_facts(payment, reviewer, timedelta(hours=2))),
        _context(payment, reviewer),
        note="The delivery address changed twice on the day of the order.",
    )


def _claim(payment: Payment, reviewer: str, at: datetime) -> None:
    command = ClaimReview(**_facts(payment, reviewer, at - payment.initiated_at))
    review.handle(command, _context(payment, reviewer))


def _snooze(payment: Payment, reviewer: str, at: datetime) -> None:
    deadline = payment.review_deadline
    assert deadline is not None, "the payment waits for review"  # noqa: S101
    command = SnoozeReview(
        # Not computed from `at`, so that a rerun sends the same command.
        until=deadline - timedelta(days=1),
        reason=SnoozeReason.WAITING_FOR_CUSTOMER,
        **_facts(payment, reviewer, at - payment.initiated_at),
    )
    note = "Called twice, no answer. The customer should call back tomorrow."
    review.handle(command, _context(payment, reviewer), note=note)


def _assign(payment: Payment, *, to: str, by: str, at: datetime) -> None:
    command = AssignReview(to=to, **_facts(payment, by, at - payment.initiated_at))
    review.handle(command, _context(payment, by), note="You decided on this customer before.")


def _facts(payment: Payment, reviewer: str, after: timedelta) -> dict[str, Any]:
    return {
        "payment_id": payment.payment_id,
        "client_id": None,
        "reviewer": reviewer,
        "at": payment.initiated_at + after,
    }


def _context(payment: Payment, reviewer: str) -> CommandContext:
    return CommandContext(actor=reviewer, key=f"demo-{payment.payment_id}")
