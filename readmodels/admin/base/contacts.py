"""A customer's personal data as pages show it: masked unless it was revealed in this session.

Pages that can reveal a customer get the data only from here. Lists always mask it.
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
# The session key for revealed customers: the end of each reveal as a Unix time, by customer id.
_REVEALED: Final = "revealed"


class Contact(Struct, frozen=True, kw_only=True):
    """The content of parts/contact.html. `reveal_url` is empty if the person may not reveal it."""

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
        """Return the reference of one of the customer's payments, masked unless revealed."""
        if self.is_revealed:
            return reference or ""
        return masking.reference(reference or "")


def remember(request: HttpRequest, event: CustomerRevealed) -> None:
    """Show the revealed customer to this session for ten minutes after the reveal."""
    now = event.at.timestamp()
    revealed = request.session.get(_REVEALED, {})
    recent = {pk: until for pk, until in revealed.items() if until > now}
    until = (event.at + SHOWN_FOR).timestamp()
    request.session[_REVEALED] = {**recent, str(event.customer_id): until}


def shown_until(
    request: HttpRequest, customer: Customer | None, *, at: datetime
) -> datetime | None:
    """Return when the reveal of the customer ends, or None if the customer is masked."""
    if customer is None or customer.erased_at is not None:
        return None
    until: float = request.session.get(_REVEALED, {}).get(str(customer.pk), 0.0)
    if until <= at.timestamp() or not permissions.holds(request.user, permissions.REVEAL):
        return None
    return datetime.fromtimestamp(until, UTC)


def contact(customer: Customer | None, request: HttpRequest) -> Contact:
    """Return the customer's data as far as this session may see it."""
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
    """Return the customer's masked name for lists and titles, or else the masked reference."""
    if customer is None:
        return UNKNOWN
    known_by = masking.name(customer.name) or masking.reference(customer.reference or "")
    return known_by or _ERASED


def reveal_url(customer: Customer, request: HttpRequest) -> str:
    """Return the URL of the form that reveals the customer and then returns to this page."""
    address = reverse("admin:customer_reveal", args=[customer.pk])
    return f"{address}?{urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})}"


def masked_event(data: Any) -> Any:
    """Return the event's data with masked references. Events contain no other personal data."""
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
