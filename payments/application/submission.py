"""Submit a payment: find the customer and the risk features, then dispatch the command."""

from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from payments import pseudonyms
from payments.application import idempotency, policies, ports
from payments.application.dispatch import CommandContext, Outcome, dispatch
from payments.customers import registry
from payments.domain.cards import PresentedCard
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.commands import ProcessPayment
from payments.domain.risk.conditions import listable
from payments.domain.signals import PresentedSignals


def submit(
    *,
    client_id: UUID,
    customer_reference: str,
    amount: Money,
    method: Method,
    reference: str | None,
    card: PresentedCard | None = None,
    country: str | None = None,
    signals: PresentedSignals | None = None,
    at: datetime,
    key: str,
    context: CommandContext,
) -> Outcome:
    """Process a payment in two round trips. The first payment of a customer registers the customer.

    `key` is the idempotency key. The caller has validated all arguments. Raises KeyReused, AlreadyReserved.
    """
    pseudonyms.require_key()
    customer_id = pseudonyms.customer_id(client_id, customer_reference)
    known_card = None if card is None else pseudonyms.known_card(client_id, card)
    item_keys = listable(
        customer_id=customer_id,
        fingerprint=None if known_card is None else known_card.fingerprint,
        country=country,
        reference=reference,
    )
    known = ports.connected.risk_features(
        customer_id, currency=amount.currency, item_keys=item_keys, at=at
    )
    in_force = policies.in_force(known.policy_id, as_of=known.register_position)
    command = ProcessPayment(
        payment_id=idempotency.payment_id(client_id, key),
        client_id=client_id,
        customer_id=customer_id,
        amount=amount,
        method=method,
        reference=reference,
        card=known_card,
        signals=None if signals is None else pseudonyms.known_signals(client_id, signals),
        features=replace(known.features, country=country),
        policy=in_force.policy,
        policy_author=in_force.author,
        at=at,
    )
    if known.registered:
        return dispatch(command, context)
    # Stored in the statement of the payment, so that a refused payment leaves no customer behind.
    registration = registry.registration(
        customer_id, client_id=client_id, reference=customer_reference
    )
    return dispatch(command, context, companion=registration)
