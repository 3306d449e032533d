"""A payment of a client, read from the log."""

from uuid import UUID

from payments.aggregates import PAYMENT_AGGREGATE, HistoricPaymentEvent
from payments.api.problems.problem import Problem
from payments.api.representation import PaymentView, fields_of
from payments.customers import registry
from payments.domain.payment.state import Payment
from payments.events.reading import streams
from payments.events.replay import load


def from_log(payment_id: UUID, client_id: UUID) -> PaymentView | None:
    loaded = load(PAYMENT_AGGREGATE, payment_id)
    payment, stream = loaded.state, loaded.stream
    if payment is None or payment.client_id != client_id:
        return None
    return view(payment, stream.position(payment.version))


def history(payment_id: UUID, client_id: UUID) -> list[HistoricPaymentEvent]:
    """Return the events of the client's payment. Raises Problem."""
    found = streams.history(PAYMENT_AGGREGATE, payment_id)
    if not found or found[0].event.client_id != client_id:
        raise not_found(payment_id)
    return found


def view(payment: Payment, position: int) -> PaymentView:
    reference = registry.reference_of(payment.customer_id)
    return PaymentView.of(fields_of(payment, position), customer_reference=reference)


def not_found(payment_id: UUID) -> Problem:
    return Problem("payment_not_found", f"There is no payment {payment_id}.")
