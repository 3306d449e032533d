"""The name and the contact details of a customer, as pages show them."""

from msgspec import Struct

from payments.customers.models import Customer

_UNKNOWN = "unknown"


class Contact(Struct, frozen=True, kw_only=True):
    """The content of parts/contact.html."""

    name: str
    email: str
    phone: str


def contact(customer: Customer | None) -> Contact:
    """Return what staff may see of the customer's name and contact details."""
    if customer is None:
        return Contact(name=_UNKNOWN, email=_UNKNOWN, phone=_UNKNOWN)
    missing = "erased" if customer.erased_at else _UNKNOWN
    return Contact(
        name=customer.name or missing,
        email=customer.email or missing,
        phone=customer.phone or missing,
    )
