"""The masked names of customers and the names of clients, for the rows of a list."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from payments.clients.models import Client
from payments.customers.models import Customer
from readmodels.admin.base import contacts


class Parties(Struct, kw_only=True):
    """The names in one row."""

    customer: str
    client: str


def parties(rows: Sequence[Any]) -> dict[Any, Parties]:
    """Return the names by primary key. Takes two queries."""
    customers = Customer.objects.in_bulk({row.customer_id for row in rows})
    clients = Client.objects.in_bulk({row.client_id for row in rows})
    return {
        row.pk: Parties(
            customer=contacts.called(customers.get(row.customer_id)),
            client=str(clients.get(row.client_id, "unknown")),
        )
        for row in rows
    }
