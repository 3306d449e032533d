"""Change what is known of a customer: its name and how to reach it."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from payments import permissions
from payments.customers import contacts
from payments.customers.models import Customer
from payments.customers.registry import CustomerError

CHANGE: Final = "customers.change_customer"


def rename(customer_id: UUID, given: Mapping[str, str], *, by: str) -> None:
    """Replace those of name, email and phone that are `given`; an empty one is taken away.

    `by` is an actor id. Raises NotPermitted, ContactError, CustomerError.
    """
    permissions.require(by, CHANGE, operators=True)
    checked = {field: contacts.checked(field, value) for field, value in given.items()}
    # In one statement, so that nothing is noted of a customer who is being erased.
    if Customer.objects.filter(pk=customer_id, erased_at=None).update(**checked):
        return
    if Customer.objects.filter(pk=customer_id).exists():
        raise CustomerError("The customer was erased: nothing personal is noted again.")
    raise CustomerError("There is no such customer.")
