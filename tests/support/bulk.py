"""Bulk actions of the review queue without a browser: previews, confirmations, outcomes."""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.test import Client as Browser

from payments import actors
from payments.customers import blocking
from payments.customers.models import Customer
from payments.domain.customer import BlockReason
from payments.events.models import Event
from tests.support.examples import NOON, OPERATOR
from tests.support.forms import form_fields

BULK: Final = "/admin/reviews/bulk/"
CONFIRM: Final = "/admin/reviews/bulk/confirm/"
OUTCOME: Final = "/admin/reviews/bulk/outcome/"


def preview(logged_in: Browser, action: str, payments: Sequence[str], **given: Any) -> Any:
    return logged_in.post(BULK, {"action": action, "payment": payments, **given})


def filled(shown: Any, **given: str) -> dict[str, str]:
    """Return the fields that the form of a preview would send, with a reason if it asks for one."""
    found = form_fields(shown)
    choices = getattr(shown.context["form"].fields.get("reason"), "choices", [])
    reason = {"reason": str(choices[0][0])} if choices else {}
    return {name: found.get(name, "") for name in ("token", "note")} | reason | given


def confirm(logged_in: Browser, sent: dict[str, str]) -> Any:
    """Send the form of a preview. Return the page that follows."""
    return logged_in.post(CONFIRM, sent, follow=True)


def taken(shown: Any) -> list[str]:
    return [str(each.payment.payment_id) for each in shown.context["taken"]]


def left_out(shown: Any) -> dict[str, str]:
    """Return the payments that a preview leaves out, with the reasons."""
    return {str(each.payment.payment_id): each.obstacle for each in shown.context["left"]}


def done(shown: Any) -> list[str]:
    return [str(each.payment_id) for each in shown.context["done"]]


def missing(shown: Any) -> dict[str, str]:
    """Return the payments for which a bulk action was not done, with the reasons."""
    return {str(each.payment_id): each.text for each in shown.context["missing"]}


def actor(username: str = "grace") -> str:
    return actors.staff(get_user_model().objects.get(username=username).pk)


def block(reference: str) -> None:
    """Block a customer."""
    customer = Customer.objects.get(reference=reference)
    blocking.change(
        customer.pk, reason=BlockReason.CHARGEBACKS, note="Case 12", by=OPERATOR, at=NOON
    )


def events(event_type: str) -> list[Event]:
    return list(Event.objects.filter(event_type=event_type).order_by("position"))
