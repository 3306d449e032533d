"""The block of a payment's customer, as evidence for the decision."""

from payments.customers import blocking
from payments.customers.models import Customer, Note
from payments.domain.payment.state import Payment, Status
from readmodels import labels


def sentence(customer: Customer | None, payment: Payment) -> str:
    """Return who blocked the customer, when and why, or "" if nobody did. Takes three queries."""
    block = blocking.standing(customer.pk) if customer is not None and customer.blocked else None
    if block is None:
        return ""
    note = Note.objects.filter(pk=block.note_id).first() if block.note_id else None
    waits = payment.status is Status.PENDING_REVIEW
    said = [
        f"The customer was blocked by {labels.person(block.actor)} on {labels.minute(block.at)}"
        f"{', while this payment waited' if waits and block.at > payment.initiated_at else ''}:"
        f" {labels.label(block.reason).lower()}.",
        f"“{labels.isolated(note.text)}”" if note else "",
        "Approving requires a note." if waits else "",
    ]
    return " ".join(each for each in said if each)
