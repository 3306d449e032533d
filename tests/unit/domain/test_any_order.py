"""A payment keeps its invariants under commands in random order."""

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final, get_args

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.money import Money
from payments.domain.payment import claims, standing
from payments.domain.payment.codes import DisputeOutcome
from payments.domain.payment.commands import DisputeCommand, PaymentCommand
from payments.domain.payment.deciding import authorize, decide
from payments.domain.payment.events import (
    AnyPaymentEvent,
    PaymentApproved,
    PaymentExpired,
    PaymentFirstApproved,
    PaymentRefunded,
    PaymentRejected,
    ReviewAssigned,
    ReviewClaimed,
    ReviewEscalated,
    ReviewSnoozed,
)
from payments.domain.payment.refusals import PaymentError
from payments.domain.payment.state import REVIEW_PERIOD, Payment, Status, evolve
from payments.domain.risk.conditions import RiskFeatures
from payments.events import replay
from tests.support.example_commands import (
    add_note,
    approve,
    assign,
    cancel,
    claim,
    close_dispute,
    escalate,
    expire,
    open_dispute,
    process,
    refund,
    reject,
    release,
    respond_to_dispute,
    resume,
    snooze,
    update_dispute,
)
from tests.support.examples import (
    HUGE,
    KNOWN,
    LARGE,
    NOON,
    OTHER_CLIENT,
    OTHER_REVIEWER,
    PAYMENT,
    REVIEWER,
    SENIOR,
    SMALL,
    UNKNOWN,
)

DECISIONS = (
    ReviewClaimed
    | ReviewSnoozed
    | ReviewEscalated
    | PaymentFirstApproved
    | PaymentApproved
    | PaymentRejected
)
ENDS: Final = (expire, cancel)
REVIEWS: Final = (claim, release, escalate, resume)
DECIDES: Final = (approve, reject)
NOTICES: Final = (open_dispute, update_dispute)
DISPUTES = st.sampled_from(["dp_1", "dp_2", "dp_3"])
REVIEWERS = st.sampled_from([REVIEWER, OTHER_REVIEWER, SENIOR])
TERMINAL = {Status.FAILED, Status.REJECTED, Status.EXPIRED, Status.CANCELLED, Status.REFUNDED}


class AnyOrder(RuleBasedStateMachine):
    """Random commands on a payment, checked against a separate record of refunds and deadlines."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[AnyPaymentEvent] = []
        self.now = NOON
        self.given_back = 0
        self.deadline: datetime | None = None

    @initialize(kind=st.sampled_from([(SMALL, KNOWN), (LARGE, UNKNOWN), (HUGE, UNKNOWN)]))
    def begin(self, kind: tuple[Money, RiskFeatures]) -> None:
        amount, features = kind
        self._try(process(amount=amount, features=features, at=self.now))
        payment = self.payment
        assert payment is not None
        if payment.status is Status.PENDING_REVIEW:
            self.deadline = NOON + REVIEW_PERIOD

    @property
    def payment(self) -> Payment | None:
        return replay.fold(PAYMENT_AGGREGATE, PAYMENT, self.events)

    @rule(hours=st.sampled_from([1, 24, 7 * 24]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def submit_again(self) -> None:
        before = len(self.events)
        self._try(process(at=self.now))
        assert len(self.events) == before

    @rule(command=st.sampled_from(ENDS))
    def end(self, command: Any) -> None:
        self._try(command(at=self.now))

    @rule(command=st.sampled_from(REVIEWS), reviewer=REVIEWERS)
    def review(self, command: Any, reviewer: str) -> None:
        self._try(command(at=self.now, reviewer=reviewer, senior=reviewer == SENIOR))

    @rule(hours=st.sampled_from([-1, 1, 24, 6 * 24, 8 * 24]), reviewer=REVIEWERS)
    def wait_for_customer(self, hours: int, reviewer: str) -> None:
        until = self.now + timedelta(hours=hours)
        self._try(snooze(at=self.now, until=until, reviewer=reviewer, senior=reviewer == SENIOR))

    @rule(reviewer=REVIEWERS, to=st.one_of(st.none(), REVIEWERS))
    def hand_over(self, reviewer: str, to: str | None) -> None:
        self._try(
            assign(
                at=self.now,
                reviewer=reviewer,
                senior=reviewer == SENIOR,
                to=to,
                to_senior=to == SENIOR,
            )
        )

    @rule(command=st.sampled_from([approve, *DECIDES]), reviewer=REVIEWERS)
    def settle(self, command: Any, reviewer: str) -> None:
        self._try(command(at=self.now, reviewer=reviewer, senior=reviewer == SENIOR))

    @rule(minutes=st.integers(1, 20))
    def wait_a_little(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(
        share=st.sampled_from([None, Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(1)]),
        more=st.integers(-1, 1),
        currency=st.sampled_from(["USD", "USD", "USD", "EUR"]),
    )
    def give_back(self, share: Fraction | None, more: int, currency: str) -> None:
        """Refund a share of the remaining amount, one cent more or less, or all of it."""
        payment, amount = self.payment, None
        assert payment is not None
        if share is not None:
            left = payment.amount.minor - self.given_back
            amount = Money(int(left * share) + more, currency)
        self._try(refund(amount=amount, at=self.now))

    @rule(
        command=st.sampled_from(NOTICES),
        dispute_id=DISPUTES,
        share=st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(1)]),
        more=st.integers(-1, 1),
    )
    def take(self, command: Any, dispute_id: str, share: Fraction, more: int) -> None:
        """Dispute a share of the payment, one cent more or less, or all of it."""
        payment = self.payment
        assert payment is not None
        amount = Money(int(payment.amount.minor * share) + more, "USD")
        self._try(command(at=self.now, dispute_id=dispute_id, amount=amount))

    @rule(dispute_id=DISPUTES)
    def contest(self, dispute_id: str) -> None:
        self._try(respond_to_dispute(at=self.now, dispute_id=dispute_id))

    @rule()
    def note(self) -> None:
        """Add a note, which is never refused and changes nothing else."""
        before = self.payment
        assert before is not None
        (event,) = decide(before, add_note(at=self.now))
        self.events.append(event)
        version = before.version + 1
        assert self.payment == replace(before, version=version, updated_at=self.now)

    @rule(
        dispute_id=DISPUTES,
        outcome=st.sampled_from(DisputeOutcome),
        share=st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(1)]),
    )
    def conclude(self, dispute_id: str, outcome: DisputeOutcome, share: Fraction) -> None:
        payment = self.payment
        assert payment is not None
        lost = Money(int(payment.amount.minor * share), "USD")
        end = {"outcome": outcome, "lost_amount": lost}
        self._try(close_dispute(at=self.now, dispute_id=dispute_id, **end))

    @rule(command=st.sampled_from([*REVIEWS, snooze, assign, *DECIDES, cancel, refund, *NOTICES]))
    def meddle(self, command: Any) -> None:
        before = len(self.events)
        self._try(command(at=self.now, client_id=OTHER_CLIENT))
        assert len(self.events) == before

    @invariant()
    def no_more_goes_back_than_came(self) -> None:
        payment = self.payment
        if payment is None:
            return
        assert (payment.refunded.minor if payment.refunded else 0) == self.given_back
        assert self.given_back <= payment.amount.minor
        whole = self.given_back == payment.amount.minor
        assert (payment.status is Status.REFUNDED) == whole

    @invariant()
    def disputes_take_no_more_than_came(self) -> None:
        payment = self.payment
        if payment is not None:
            taken = sum(each.counted.minor for each in payment.disputes)
            assert 0 <= taken <= payment.amount.minor

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
    def only_what_waits_is_claimed_snoozed_or_assigned(self) -> None:
        payment = self.payment
        if payment is not None and (payment.lease or payment.snooze or payment.assigned_to):
            assert payment.status is Status.PENDING_REVIEW

    @invariant()
    def nothing_waits_longer_than_its_deadline(self) -> None:
        payment = self.payment
        if payment is not None and payment.snooze is not None:
            assert payment.review_deadline == self.deadline
            assert self.deadline is not None
            assert payment.snooze.until < self.deadline
            assert claims.unlapsed(payment.lease, self.now) is None

    @invariant()
    def nobody_acts_on_what_is_reserved_for_another(self) -> None:
        for version, event in enumerate(self.events):
            before = replay.fold(PAYMENT_AGGREGATE, PAYMENT, self.events[:version])
            reserved = None if before is None else standing.reservation(before, event.at)
            if reserved is not None and isinstance(event, DECISIONS):
                assert event.reviewer in {reserved.reviewer, SENIOR}

    @invariant()
    def an_assignee_may_decide(self) -> None:
        payment = self.payment
        if payment is not None and payment.assigned_to is not None and payment.needs_senior:
            assert payment.assigned_to == SENIOR
            first = payment.first_approval
            assert first is None or first.reviewer != SENIOR

    @invariant()
    def nobody_decides_on_what_another_has(self) -> None:
        for version, event in enumerate(self.events):
            before = replay.fold(PAYMENT_AGGREGATE, PAYMENT, self.events[:version])
            lease = None if before is None else claims.unlapsed(before.lease, event.at)
            if lease is not None and isinstance(event, DECISIONS):
                assert event.reviewer == lease.reviewer

    @invariant()
    def findings_add_up_to_what_is_known(self) -> None:
        """A sum over the events alone counts each wrong approval exactly once."""
        payment = self.payment
        if payment is None or not payment.approvals:
            return
        changes = (getattr(event, "finding", None) for event in self.events)
        signs = [1 if each.fraud else -1 for each in changes if each is not None]
        assert sum(signs) == payment.proved_fraudulent

    @invariant()
    def any_prefix_is_a_history(self) -> None:
        versions = [
            replay.fold(PAYMENT_AGGREGATE, PAYMENT, self.events[:n])
            for n in range(len(self.events) + 1)
        ]
        assert [each.version if each else 0 for each in versions] == list(range(len(versions)))
        for before, event, after in zip(versions, self.events, versions[1:], strict=False):
            assert evolve(before, PAYMENT, event) == after

    def _try(self, command: PaymentCommand) -> None:
        before = self.payment
        try:
            authorize(before, command)
            events = decide(before, command)
        except PaymentError as refusal:
            assert str(refusal)
            return
        if not isinstance(command, DisputeCommand):
            assert events
            assert before is None or before.status not in TERMINAL
        self._book(before, events)
        self.events += events

    def _book(self, before: Payment | None, events: tuple[AnyPaymentEvent, ...]) -> None:
        for event in events:
            if isinstance(event, DECISIONS | ReviewAssigned):
                assert self.deadline is not None
                assert self.now < self.deadline
            elif isinstance(event, PaymentExpired):
                assert self.deadline is not None
                assert self.now >= self.deadline
            elif isinstance(event, PaymentRefunded):
                assert event.refund.minor > 0
                assert event.refund.currency == event.amount.currency
                self.given_back += event.refund.minor
                assert before is not None
                assert not before.open_disputes
                assert self.given_back + before.lost.minor <= before.amount.minor


AnyOrder.TestCase.settings = settings(max_examples=200, stateful_step_count=25)
test_commands_in_any_order = AnyOrder.TestCase


def test_rules_give_every_command() -> None:
    """This test fails for a new command until a rule gives it."""
    given: tuple[Any, ...] = (process, refund, *ENDS, *REVIEWS, *DECIDES, *NOTICES)
    given += (snooze, assign, respond_to_dispute, close_dispute, add_note)
    assert {type(build()) for build in given} == set(get_args(PaymentCommand))
