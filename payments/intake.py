"""Take a payment from a client: know the customer, gather the risk features, dispatch."""

from datetime import datetime
from uuid import UUID

from payments import features, idempotency, pseudonyms
from payments.customers import registry
from payments.dispatch import Outcome, Request, dispatch
from payments.domain.commands import ProcessPayment
from payments.domain.methods import Method
from payments.domain.money import Money


def submit(
    *,
    client_id: UUID,
    customer_reference: str,
    amount: Money,
    method: Method,
    reference: str | None,
    at: datetime,
    key: str,
    request: Request,
) -> Outcome:
    """Process a payment in two round trips, three on a customer's first.

    `key` is the idempotency key.

    All arguments are checked already. Raises KeyReused, AlreadyClaimed.
    """
    customer_id = pseudonyms.customer_id(client_id, customer_reference)
    known = features.source()(customer_id)
    if not known.registered:
        registry.register(customer_id, client_id=client_id, reference=customer_reference)
    command = ProcessPayment(
        payment_id=idempotency.payment_id(client_id, key),
        client_id=client_id,
        customer_id=customer_id,
        amount=amount,
        method=method,
        reference=reference,
        features=known.features,
        at=at,
    )
    return dispatch(command, request)
