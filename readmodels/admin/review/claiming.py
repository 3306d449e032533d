"""The claim on a decision's page: when it ends, and the button that extends it.

The button sends the form of the decision, so that the next page shows the typed text again.
"""

from datetime import datetime
from typing import Final
from uuid import uuid4

from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from msgspec import Struct

from payments.api.http.base import command_context
from payments.application import review
from payments.domain.payment import claims, standing
from payments.domain.payment.commands import ClaimReview, ReviewCommand
from payments.domain.payment.refusals import PaymentError
from payments.domain.payment.state import Payment
from readmodels.admin.base import fragments
from readmodels.admin.base.browsing import as_uuid
from readmodels.admin.review import actions
from readmodels.admin.review.actions import Action, Person
from readmodels.admin.review.desk import why_not

_BUTTON: Final = "claim"  # the name of the button in the form


class ShownClaim(Struct, frozen=True, kw_only=True):
    """The claim as the form shows it. `seconds` is the time until the person's own claim ends."""

    text: str
    button: str
    seconds: int | None = None


def shown(action: Action, payment: Payment, person: Person, at: datetime) -> ShownClaim | None:
    """Return the claim for the form of `action`, or None if the person cannot claim now."""
    is_review = issubclass(action.kind, ReviewCommand)
    if not is_review or actions.refusal(actions.CLAIM, payment, person, at) is not None:
        return None
    lease = claims.unlapsed(payment.lease, at)
    if lease is None:
        reserved = standing.reservation(payment, at)
        is_theirs = reserved is not None and reserved.reviewer == person.actor
        others = "senior" if is_theirs else "other"
        return ShownClaim(text=f"Not claimed: {others} reviewers can decide too.", button="Claim")
    left, _ = fragments.time_left(lease.until, at)
    return ShownClaim(
        text=f"Your claim ends at {lease.until:%H:%M} UTC ({left}).",
        button="Extend claim",
        seconds=claims.seconds_left(lease, at),
    )


def is_asked(request: HttpRequest) -> bool:
    """Return whether the form was sent to claim the payment, not to decide on it."""
    return _BUTTON in request.POST


def claim(request: HttpRequest, payment: Payment, person: Person) -> str:
    """Claim the payment, or extend the claim. Return why it was refused, or "" on success."""
    # The form's key makes a double click one claim. The decision can use it, too: keys are hashed
    # with the command.
    key = as_uuid(request.POST.get("key", "")) or uuid4()
    command = ClaimReview(
        payment_id=payment.payment_id, client_id=None, reviewer=person.actor, at=timezone.now()
    )
    context = command_context(request, actor=person.actor, key=str(key))
    try:
        outcome = review.handle(command, context)
    except PaymentError as error:
        return why_not(error, payment, person)
    lease = outcome.payment.lease
    if lease is not None:
        messages.success(request, f"Yours until {lease.until:%H:%M} UTC. Nothing was decided yet.")
    return ""
