"""Register customers with their first payment, and find them by client and reference."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q

from payments import pseudonyms
from payments.clients.models import Client
from payments.customers.models import Customer
from payments.database import execute
from payments.domain.card_numbers import holds_card_number
from payments.domain.text import searched
from payments.events.store import Companion

# Concurrent first payments may register the same customer, hence DO NOTHING.
_REGISTER: Final = """
INSERT INTO customers_customer (id, client_id, reference, name, email, created_at)
VALUES (%(customer_id)s, %(client_id)s, %(customer_reference)s, '', '', clock_timestamp())
ON CONFLICT DO NOTHING
"""

_REGISTER_ALL: Final = """
INSERT INTO customers_customer (id, client_id, reference, name, email, created_at)
SELECT id, client_id, reference, '', '', clock_timestamp()
  FROM unnest(%(ids)s::uuid[], %(clients)s::uuid[], %(references)s::text[]) AS new (id, client_id, reference)
ON CONFLICT DO NOTHING
"""


class CustomerError(Exception):
    """A customer was not found or not changed. The message is the reason."""


@dataclass(kw_only=True, eq=False)
class BlockUnchanged(CustomerError):
    """`actor` has already blocked or unblocked the customer. `state` is "blocked" or "unblocked"."""

    state: str
    actor: str
    at: datetime

    def __str__(self) -> str:
        return f"The customer was already {self.state} by {self.actor} at {self.at:%Y-%m-%d %H:%M} UTC."


def registration(customer_id: UUID, *, client_id: UUID, reference: str) -> Companion:
    """Return the statement that stores a new customer together with its first payment's events."""
    return Companion(
        _REGISTER,
        {"customer_id": customer_id, "client_id": client_id, "customer_reference": reference},
    )


def register_all(customers: Mapping[UUID, tuple[UUID, str]]) -> None:
    """Store the customers that are new, in one round trip.

    `customers` maps ids to client and reference.
    """
    if not customers:
        return
    # Sorted, so that concurrent imports cannot deadlock.
    ids = sorted(customers)
    clients, references = zip(*(customers[each] for each in ids), strict=True)
    execute(_REGISTER_ALL, {"ids": ids, "clients": list(clients), "references": list(references)})


def reference_of(customer_id: UUID) -> str | None:
    """Return the client's own id of the customer, None if it was erased."""
    return Customer.objects.filter(pk=customer_id).values_list("reference", flat=True).first()


def find(client: str, reference: str) -> Customer:
    """Return the customer that a client, given by name or id, calls `reference`. Raises CustomerError."""
    client = searched(client)
    named = Q(name=client)
    with suppress(ValueError):
        named |= Q(pk=UUID(client))
    owner = Client.objects.filter(named).first()
    if owner is None:
        named_it = "" if holds_card_number(client) else f" {client!r}"
        raise CustomerError(f"There is no client{named_it}.")
    pseudonyms.require_key()
    customer_id = pseudonyms.customer_id(owner.pk, searched(reference))
    customer = Customer.objects.select_related("client").filter(pk=customer_id).first()
    if customer is None:
        # The message omits the reference, which may be personal and would reach logs.
        raise CustomerError(f"{owner.name} has no customer with this reference.")
    return customer
