"""Given, when, then: tests of a payment without a database."""

from typing import Any

from msgspec import Struct

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.payment.commands import PaymentCommand
from payments.domain.payment.deciding import authorize, decide
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.refusals import PaymentError
from payments.domain.payment.state import Payment
from payments.events import replay


def given(*events: AnyPaymentEvent) -> "Given":
    """Begin with this history of the payment. `given()` begins without events."""
    return Given(events)


class Given(Struct, frozen=True):
    history: tuple[AnyPaymentEvent, ...]

    def when(self, command: PaymentCommand) -> "When":
        payment = replay.fold(PAYMENT_AGGREGATE, command.payment_id, self.history)
        try:
            authorize(payment, command)
            return When(payment, command, decide(payment, command))
        except PaymentError as refusal:
            return When(payment, command, refusal)


class When(Struct, frozen=True):
    before: Payment | None
    command: PaymentCommand
    outcome: tuple[AnyPaymentEvent, ...] | PaymentError

    def then(self, *expected: AnyPaymentEvent) -> Payment:
        """Assert that the command returned exactly these events. Return the payment after them."""
        if isinstance(self.outcome, PaymentError):
            raise AssertionError(f"refused: {self.outcome!r}") from self.outcome
        assert self.outcome == expected
        payment = replay.fold(PAYMENT_AGGREGATE, self.command.payment_id, self.outcome, self.before)
        assert payment is not None
        return payment

    def then_refused(self, error: type[PaymentError], **fields: Any) -> PaymentError:
        """Assert that exactly this refusal with these field values was raised. Return it."""
        assert type(self.outcome) is error, f"not refused with {error.__name__}: {self.outcome!r}"
        assert self.outcome.payment_id == self.command.payment_id
        assert {name: getattr(self.outcome, name) for name in fields} == fields
        return self.outcome

    def names(self) -> tuple[str, ...] | str:
        """Return the names of the events, or of the refusal."""
        if isinstance(self.outcome, PaymentError):
            return type(self.outcome).__name__
        return tuple(type(event).__name__ for event in self.outcome)
