"""Commands in any order: what must hold of a payment whatever is tried."""

from datetime import timedelta
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from payments.domain.commands import PaymentCommand
from payments.domain.deciding import authorise, decide
from payments.domain.events import (
    AnyPaymentEvent,
    PaymentApproved,
    PaymentFirstApproved,
    PaymentRejected,
    ReviewClaimed,
    ReviewEscalated,
)
from payments.domain.money import Money
from payments.domain.payment import (
    Payment,
    Status,
    replay,
)
from payments.domain.refusals import PaymentError
from tests.examples import (
    HUGE,
    KNOWN,
    LARGE,
    NOON,
    OTHER_REVIEWER,
    PAYMENT,
    REVIEWER,
    SENIOR,
    SMALL,
    UNKNOWN,
    approve,
    cancel,
    claim,
    escalate,
    expire,
    process,
    refund,
    reject,
    release,
    usd,
)

DECISIONS = (
    ReviewClaimed | ReviewEscalated | PaymentFirstApproved | PaymentApproved | PaymentRejected
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

    @rule(amount=st.sampled_from([SMALL, LARGE, HUGE]), known=st.booleans())
    def submit(self, *, amount: Money, known: bool) -> None:
        self._try(process(amount=amount, features=KNOWN if known else UNKNOWN, at=self.now))

    @rule(command=st.sampled_from([expire, cancel]))
    def end(self, command: Any) -> None:
        self._try(command(at=self.now))

    @rule(
        command=st.sampled_from([claim, release, escalate, approve, reject]),
        reviewer=st.sampled_from([REVIEWER, OTHER_REVIEWER, SENIOR]),
    )
    def review(self, command: Any, reviewer: str) -> None:
        self._try(command(at=self.now, reviewer=reviewer, senior=reviewer == SENIOR))

    @rule(minutes=st.integers(1, 20))
    def wait_a_little(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

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
    def four_eyes_are_of_two_people(self) -> None:
        payment = self.payment
        if payment is None or payment.review is None or not payment.review.approved:
            return
        assert payment.risk is not None
        if payment.risk.four_eyes:
            assert payment.first_approval is not None
            assert payment.first_approval.reviewer != payment.review.reviewer
            assert payment.review.reviewer == SENIOR

    @invariant()
    def only_what_waits_is_claimed(self) -> None:
        payment = self.payment
        if payment is not None and payment.lease is not None:
            assert payment.status is Status.PENDING_REVIEW

    @invariant()
    def nobody_decides_on_what_another_has(self) -> None:
        for version, event in enumerate(self.events):
            before = replay(PAYMENT, self.events[:version])
            lease = None if before is None else before.held(event.at)
            if lease is not None and isinstance(event, DECISIONS):
                assert event.reviewer == lease.reviewer

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
