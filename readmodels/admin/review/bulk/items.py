"""Find out what an action would do to many payments now. `decide` is pure, so this is safe."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID

from django.http import Http404
from msgspec import Struct

from payments.application import bulk
from payments.customers.models import Customer
from payments.domain.payment import claims, standing
from payments.domain.payment.refusals import NoteNeeded, PaymentError
from payments.domain.payment.state import Payment
from readmodels import labels
from readmodels.admin.base import contacts, fragments
from readmodels.admin.review import actions
from readmodels.admin.review.actions import ANY_ASSIGNEE, Action, Assignee, Person
from readmodels.admin.review.desk import people_of, why_not

# The participle for each action, by its name.
PARTICIPLES: Final[Mapping[str, str]] = {
    actions.APPROVE.name: "approved",
    actions.REJECT.name: "rejected",
    actions.ESCALATE.name: "escalated",
    actions.CLAIM.name: "claimed",
    actions.RELEASE.name: "released",
    actions.ASSIGN.name: "assigned",
}


class Item(Struct, frozen=True, kw_only=True):
    """A payment, and why the bulk action excludes it, if it does.

    `refused` is the refusal that the command would get. `left_out` is why the payment needs its own
    page, where the command can be accepted.
    """

    payment: Payment
    customer: str
    refused: str = ""
    left_out: str = ""
    needs_note: bool = False

    @property
    def obstacle(self) -> str:
        return self.refused or self.left_out

    @property
    def risk(self) -> fragments.Badge | None:
        risk = self.payment.risk
        if risk is None:
            return None
        return fragments.Badge(f"{risk.band} {risk.score}", fragments.BAND_COLORS[risk.band])

    @property
    def why(self) -> str:
        """Return why the payment was flagged."""
        reasons = self.payment.risk.reasons if self.payment.risk else ()
        return ", ".join(map(labels.short_label, reasons))


def load(payment_ids: Collection[UUID]) -> list[Payment]:
    """Return the payments from the log, in one round trip. Raises Http404."""
    found = bulk.load(payment_ids)
    payments = []
    for payment_id in payment_ids:
        payment = found[payment_id]
        if payment is None:
            raise Http404(f"There is no payment {payment_id}.")
        payments.append(payment)
    return payments


def examine(
    action: Action,
    payments: Collection[Payment],
    person: Person,
    at: datetime,
    *,
    assignee: Assignee = ANY_ASSIGNEE,
) -> list[Item]:
    """Return what the action would do to each payment. Takes at most three queries."""
    customers = Customer.objects.in_bulk({each.customer_id for each in payments})
    names = people_of(*payments)
    name = cache(lambda actor: names.get(actor) or labels.person(actor))
    return [
        _item(
            action,
            payment,
            person,
            at,
            customer=customers.get(payment.customer_id),
            assignee=assignee,
            name=name,
        )
        for payment in payments
    ]


def totals(items: Iterable[Item]) -> list[tuple[str, int, str]]:
    """Return a currency with the number and the sum of its payments, for each currency."""
    found: dict[str, list[int]] = {}
    for item in items:
        amount = item.payment.amount
        found.setdefault(amount.currency, []).append(amount.minor)
    return [
        (currency, len(amounts), labels.amount(sum(amounts), currency))
        for currency, amounts in sorted(found.items())
    ]


def _item(
    action: Action,
    payment: Payment,
    person: Person,
    at: datetime,
    *,
    customer: Customer | None,
    assignee: Assignee,
    name: Callable[[str], str],
) -> Item:
    blocked = customer is not None and customer.blocked
    # A note that an approval requires must be about this one payment, so it is not given here.
    error = actions.refusal(
        action,
        payment,
        person,
        at,
        note=action is not actions.APPROVE,
        customer_blocked=blocked,
        assignee=assignee,
    )
    left_out = ""
    if isinstance(error, NoteNeeded):
        left_out, error = _own_note(error), None
    elif error is None:
        left_out = _left_out(action, payment, person, at, name=name)
    return Item(
        payment=payment,
        customer=contacts.called(customer),
        refused=why_not(error, payment, person, name=name) if error else "",
        left_out=left_out,
        needs_note=actions.needs_note(action, payment, person, at),
    )


def _own_note(error: NoteNeeded) -> str:
    why = (
        "The customer is blocked."
        if error.customer_blocked
        else "The risk policy advises rejecting this payment."
    )
    return f"{why} Approve it on its own page, with a note."


def _left_out(
    action: Action, payment: Payment, person: Person, at: datetime, *, name: Callable[[str], str]
) -> str:
    lease = claims.unlapsed(payment.lease, at)
    if lease is not None and lease.reviewer != person.actor:
        taken: PaymentError = standing.taken(payment, lease)
        return why_not(taken, payment, person, name=name)
    four_eyes = payment.risk is not None and payment.risk.four_eyes
    if action is actions.APPROVE and four_eyes:
        return "Two approvals are required. Approve it on its own page."
    return ""
