"""Change a customer's name and contacts."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from payments import permissions
from payments.customers import contacts
from payments.customers.models import Customer
from payments.customers.registry import CustomerError

CHANGE: Final = "customers.change_customer"


def rename(customer_id: UUID, given: Mapping[str, str], *, by: str) -> None:
    """Replace the `given` fields of name, email and phone. An empty value clears the field.

    `by` is an actor id. Raises NotPermitted, ContactError, CustomerError.
    """
    permissions.require(by, CHANGE, operators=True)
    checked = {field: contacts.checked(field, value) for field, value in given.items()}
    # The condition on erased_at prevents storing data of a customer that is erased concurrently.
    if Customer.objects.filter(pk=customer_id, erased_at=None).update(**checked):
        return
    if Customer.objects.filter(pk=customer_id).exists():
        raise CustomerError("The customer was erased. Personal data is not stored again.")
    raise CustomerError("There is no such customer.")
