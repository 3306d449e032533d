"""Personal data of a customer, as pages show it: masked, unless the person of the session revealed it.

Pages that can reveal a customer get its data from here alone. Lists always mask them.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from msgspec import Struct

from payments import permissions
from payments.customers.models import Customer
from payments.domain.reveal import CustomerRevealed
from readmodels import masking

SHOWN_FOR: Final = timedelta(minutes=10)
UNKNOWN: Final = "unknown"
_ERASED: Final = "erased"
# The key of the session: until when a customer is shown, in seconds, by its id.
_REVEALED: Final = "revealed"


class Contact(Struct, frozen=True, kw_only=True):
    """The content of parts/contact.html. Empty `reveal_url`: the person may not reveal it."""

    name: str
    email: str
    phone: str
    reference: str
    shown_until: datetime | None = None
    reveal_url: str = ""

    @property
    def is_revealed(self) -> bool:
        return self.shown_until is not None

    def of_payment(self, reference: str | None) -> str:
        """Return the reference of a payment of the customer, empty if it has none."""
        if self.is_revealed:
            return reference or ""
        return masking.reference(reference or "")


def remember(request: HttpRequest, event: CustomerRevealed) -> None:
    """Show the customer of the reveal to this session for ten minutes from the reveal on."""
    now = event.at.timestamp()
    revealed = request.session.get(_REVEALED, {})
    recent = {pk: until for pk, until in revealed.items() if until > now}
    until = (event.at + SHOWN_FOR).timestamp()
    request.session[_REVEALED] = {**recent, str(event.customer_id): until}


def shown_until(
    request: HttpRequest, customer: Customer | None, *, at: datetime
) -> datetime | None:
    """Return until when the session shows the customer, None if the customer is masked."""
    if customer is None or customer.erased_at is not None:
        return None
    until: float = request.session.get(_REVEALED, {}).get(str(customer.pk), 0.0)
    if until <= at.timestamp() or not permissions.holds(request.user, permissions.REVEAL):
        return None
    return datetime.fromtimestamp(until, UTC)


def contact(customer: Customer | None, request: HttpRequest) -> Contact:
    """Return what this session may see of the customer."""
    if customer is None:
        return Contact(name=UNKNOWN, email=UNKNOWN, phone=UNKNOWN, reference=UNKNOWN)
    until = shown_until(request, customer, at=timezone.now())
    if until is None:
        offered = customer.erased_at is None and permissions.holds(request.user, permissions.REVEAL)
        return masked(customer, reveal_url=reveal_url(customer, request) if offered else "")
    return Contact(
        name=customer.name or UNKNOWN,
        email=customer.email or UNKNOWN,
        phone=customer.phone or UNKNOWN,
        reference=customer.reference or UNKNOWN,
        shown_until=until,
    )


def masked(customer: Customer, *, reveal_url: str = "") -> Contact:
    """Return the masked data of the customer."""
    missing = _ERASED if customer.erased_at else UNKNOWN
    return Contact(
        name=masking.name(customer.name) or missing,
        email=masking.email(customer.email) or missing,
        phone=masking.phone(customer.phone) or missing,
        reference=masking.reference(customer.reference or "") or missing,
        reveal_url=reveal_url,
    )


def called(customer: Customer | None) -> str:
    """Return the masked name of the customer, or else the masked reference, for lists and titles."""
    if customer is None:
        return UNKNOWN
    known_by = masking.name(customer.name) or masking.reference(customer.reference or "")
    return known_by or _ERASED


def reveal_url(customer: Customer, request: HttpRequest) -> str:
    """Return the address of the form that reveals the customer and returns to this page."""
    address = reverse("admin:customer_reveal", args=[customer.pk])
    return f"{address}?{urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})}"


def masked_event(data: Any) -> Any:
    """Return the data of an event with masked references. An event contains no other personal data."""
    match data:
        case dict():
            return {
                name: masking.reference(value)
                if name == "reference" and isinstance(value, str)
                else masked_event(value)
                for name, value in data.items()
            }
        case list():
            return [masked_event(each) for each in data]
    return data
