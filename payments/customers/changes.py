"""Change a customer's name and contacts, and the words by which staff find the customer."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.db import transaction

from payments import permissions
from payments.customers import contacts, words
from payments.customers.models import Customer
from payments.customers.registry import CustomerError

CHANGE: Final = "customers.change_customer"


def rename(customer_id: UUID, given: Mapping[str, str], *, by: str) -> None:
    """Replace the `given` fields of name, email and phone. An empty value clears the field.

    `by` is an actor id. Raises NotPermitted, ContactError, CustomerError.
    """
    permissions.require(by, CHANGE, operators=True)
    checked = {field: contacts.checked(field, value) for field, value in given.items()}
    # The lock prevents storing data of a customer that is erased concurrently.
    with transaction.atomic():
        customer = Customer.objects.select_for_update().filter(pk=customer_id).first()
        if customer is None:
            raise CustomerError("There is no such customer.")
        if customer.erased_at is not None:
            raise CustomerError("The customer was erased. Personal data is not stored again.")
        store(customer, checked)


def store(customer: Customer, checked: Mapping[str, str]) -> None:
    """Store the checked fields together with the words of all fields. The caller holds the row's lock."""
    for field, value in checked.items():
        setattr(customer, field, value)
    customer.words = words.vector(name=customer.name, email=customer.email, phone=customer.phone)
    customer.save(update_fields=(*checked, "words"))
