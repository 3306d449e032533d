"""Commands in any order: what must hold of a payment whatever is tried."""

from datetime import timedelta
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from payments.domain.commands import PaymentCommand
from payments.domain.deciding import (
    PaymentError,
    authorise,
    decide,
)
from payments.domain.events import AnyPaymentEvent
from payments.domain.payment import (
    Payment,
    Status,
    replay,
)
from tests.examples import (
    KNOWN,
    LARGE,
    NOON,
    PAYMENT,
    SMALL,
    UNKNOWN,
    approve,
    cancel,
    expire,
    process,
    refund,
    reject,
    usd,
)

TERMINAL = {Status.FAILED, Status.REJECTED, Status.EXPIRED, Status.CANCELLED, Status.REFUNDED}


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[AnyPaymentEvent] = []
        self.now = NOON

    @property
    def payment(self) -> Payment | None:
        return replay(PAYMENT, self.events)

    @rule(hours=st.integers(1, 100))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(large=st.booleans(), known=st.booleans())
    def submit(self, *, large: bool, known: bool) -> None:
        amount = LARGE if large else SMALL
        self._try(process(amount=amount, features=KNOWN if known else UNKNOWN, at=self.now))

    @rule(command=st.sampled_from([approve, reject, expire, cancel]))
    def decide(self, command: Any) -> None:
        self._try(command(at=self.now))

    @rule(minor=st.none() | st.integers(-1, LARGE.minor + 1))
    def refund(self, minor: int | None) -> None:
        self._try(refund(amount=None if minor is None else usd(minor), at=self.now))

    @invariant()
    def no_more_goes_back_than_came(self) -> None:
        payment = self.payment
        if payment is not None and payment.refunded is not None:
            assert 0 < payment.refunded.minor <= payment.amount.minor
            assert (payment.status is Status.REFUNDED) == (payment.refunded == payment.amount)

    @invariant()
    def any_prefix_is_a_history(self) -> None:
        versions = [replay(PAYMENT, self.events[:n]) for n in range(len(self.events) + 1)]
        assert [each.version if each else 0 for each in versions] == list(range(len(versions)))

    def _try(self, command: PaymentCommand) -> None:
        before = self.payment
        try:
            authorise(before, command)
            events = decide(before, command)
        except PaymentError as refusal:
            assert str(refusal)
            return
        assert events
        assert before is None or before.status not in TERMINAL
        self.events += events


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
test_commands_in_any_order = AnyOrder.TestCase
