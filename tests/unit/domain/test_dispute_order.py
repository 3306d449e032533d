"""The same notices lead to the same disputes, in whichever order they arrive.

A sender delivers a refused notice again. A notice is refused only for one of two reasons: notices
that make room for it have not arrived yet, or a final loss contradicts it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.payment.codes import DisputeKind, DisputeOutcome, DisputeReason
from payments.domain.payment.commands import (
    AnyDisputeCommand,
    CloseDispute,
    OpenDispute,
    RespondToDispute,
    UpdateDispute,
)
from payments.domain.payment.disputes import FINAL
from payments.domain.payment.disputing import MOST_DISPUTES, MOST_RESPONSES, dispute
from payments.domain.payment.events import (
    AnyDisputeEvent,
    DisputeFigures,
    PaymentDisputed,
    PaymentDisputeResponded,
)
from payments.domain.payment.refusals import (
    DisputeContradicted,
    PaymentError,
    TooManyDisputes,
    TooManyResponses,
)
from payments.domain.payment.state import Payment
from payments.events import replay
from tests.support.example_commands import (
    close_dispute,
    open_dispute,
    respond_to_dispute,
    update_dispute,
)
from tests.support.example_events import initiated, processed
from tests.support.examples import NOON, NOTE, PAYMENT, SENIOR, usd

IDS = st.sampled_from(["dp_1", "dp_2", "dp_3"])
KINDS = st.sampled_from(DisputeKind)
REASONS = st.sampled_from(DisputeReason)
OUTCOMES = st.sampled_from(DisputeOutcome)
AMOUNTS = st.sampled_from([1, 30_00, 40_00, 50_00, 60_00, 100_00])
LOSSES = st.sampled_from([0, 1, 40_00, 60_00, 100_00])
DAYS = st.integers(1, 6)
# Closes are later than all responses, because a response after the close is refused.
LATE_DAYS = st.integers(7, 10)
EVIDENCE = st.sampled_from([(), ("ab" * 32,), ("cd" * 32, "ef" * 32)])


def at(day: int) -> datetime:
    return NOON + timedelta(days=day)


def identity(notice: AnyDisputeCommand) -> tuple[str, str, datetime | None]:
    """Return what identifies a notice: the dispute's id, the kind of notice and its time."""
    match notice:
        case OpenDispute(opened_at=when) | UpdateDispute(updated_at=when):
            pass
        case RespondToDispute(responded_at=when) | CloseDispute(closed_at=when):
            pass
    return notice.dispute_id, notice.name, when


class Receiver:
    """A payment, with the events of the notices that it has received."""

    def __init__(self) -> None:
        self.events: list[AnyDisputeEvent] = []
        payment = replay.fold(PAYMENT_AGGREGATE, PAYMENT, (initiated(), processed()))
        assert payment is not None
        self.payment: Payment = payment

    def receive(self, notice: AnyDisputeCommand) -> bool:
        """Return whether the notice was accepted."""
        before = self.payment
        try:
            events = dispute(before, notice)
        except PaymentError as refusal:
            assert str(refusal)
            return False
        after = replay.fold(PAYMENT_AGGREGATE, PAYMENT, events, before)
        assert after is not None
        assert (after.disputes != before.disputes) == bool(events)
        assert sum(each.counted.minor for each in after.disputes) <= after.amount.minor
        still_closed = {each.dispute_id for each in after.disputes if not each.is_open}
        assert still_closed >= {each.dispute_id for each in before.disputes if not each.is_open}
        self.events += events
        self.payment = after
        return True

    def receive_all(self, notices: Iterable[AnyDisputeCommand]) -> list[AnyDisputeCommand]:
        """Deliver refused notices again until none is accepted. Return the ones still refused."""
        waiting = list(notices)
        while True:
            refused = [notice for notice in waiting if not self.receive(notice)]
            if len(refused) == len(waiting):
                return refused
            waiting = refused


class AnyOrderOfNotices(RuleBasedStateMachine):
    """One receiver gets the notices as they are drawn. Other receivers get them in other orders."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Receiver()
        self.accepted: dict[Any, AnyDisputeCommand] = {}

    def _send(self, notice: AnyDisputeCommand) -> None:
        if identity(notice) in self.accepted:
            return
        if self.first.receive(notice):
            self.accepted[identity(notice)] = notice

    @rule(id_=IDS, day=DAYS, kind=KINDS, reason=REASONS, amount=AMOUNTS)
    def open(self, id_: str, day: int, kind: Any, reason: Any, amount: int) -> None:
        stated = {"kind": kind, "reason": reason, "amount": usd(amount)}
        self._send(open_dispute(dispute_id=id_, opened_at=at(day), **stated))

    @rule(id_=IDS, day=st.one_of(DAYS, LATE_DAYS), kind=KINDS, reason=REASONS, amount=AMOUNTS)
    def update(self, id_: str, day: int, kind: Any, reason: Any, amount: int) -> None:
        stated = {"kind": kind, "reason": reason, "amount": usd(amount)}
        self._send(update_dispute(dispute_id=id_, updated_at=at(day), **stated))

    @rule(id_=IDS, day=DAYS, by=st.sampled_from([SENIOR, "client:1"]), evidence=EVIDENCE)
    def respond(self, id_: str, day: int, by: str, evidence: tuple[str, ...]) -> None:
        response = {"responder": by, "evidence": evidence}
        self._send(respond_to_dispute(dispute_id=id_, responded_at=at(day), **response))

    @rule()
    def contradict_responses(self) -> None:
        before = self.first.payment
        for notice in self.accepted.values():
            if isinstance(notice, RespondToDispute):
                other = replace(notice, evidence=("12" * 32,))
                with pytest.raises(DisputeContradicted, match="evidence"):
                    dispute(self.first.payment, other)
        assert self.first.payment is before

    @rule(id_=IDS, day=LATE_DAYS, outcome=OUTCOMES, lost=LOSSES, reason=REASONS)
    def close(self, id_: str, day: int, outcome: DisputeOutcome, lost: int, reason: Any) -> None:
        end = {"outcome": outcome, "lost_amount": usd(lost), "reason": reason}
        self._send(close_dispute(dispute_id=id_, closed_at=at(day), **end))

    @rule(random=st.randoms(use_true_random=False))
    def agree_in_another_order(self, random: Random) -> None:
        notices = list(self.accepted.values())
        random.shuffle(notices)
        self._agree(notices)

    @rule(random=st.randoms(use_true_random=False))
    def agree_with_repetitions(self, random: Random) -> None:
        notices = [*self.accepted.values(), *self.accepted.values()]
        random.shuffle(notices)
        self._agree(notices)

    def teardown(self) -> None:
        self._agree(reversed(self.accepted.values()))

    def _agree(self, notices: Iterable[AnyDisputeCommand]) -> None:
        other = Receiver()
        refused = other.receive_all(notices)
        assert other.payment.disputes == self.first.payment.disputes
        for notice in refused:
            assert isinstance(notice, CloseDispute)
            assert notice.outcome not in FINAL

    @invariant()
    def repetitions_append_nothing(self) -> None:
        before = len(self.first.events)
        for notice in self.accepted.values():
            self.first.receive(notice)
        assert len(self.first.events) == before

    @invariant()
    def each_response_is_an_event(self) -> None:
        sent = [each for each in self.accepted.values() if isinstance(each, RespondToDispute)]
        kept = [each for each in self.first.events if isinstance(each, PaymentDisputeResponded)]
        assert [(each.dispute_id, each.responded_at, each.by, each.evidence) for each in kept] == [
            (each.dispute_id, each.responded_at, each.responder, each.evidence) for each in sent
        ]

    @invariant()
    def changes_of_figures_add_up_to_the_disputes(self) -> None:
        known: dict[str, DisputeFigures | None] = {}
        for event in self.first.events:
            assert event.before == known.get(event.dispute_id)
            known[event.dispute_id] = event.after
        assert known == {each.dispute_id: each.figures for each in self.first.payment.disputes}

    @invariant()
    def each_dispute_begins_as_disputed(self) -> None:
        begun: set[str] = set()
        for event in self.first.events:
            if isinstance(event, AnyDisputeEvent):
                assert event.dispute_id in begun or isinstance(event, PaymentDisputed)
                begun.add(event.dispute_id)


AnyOrderOfNotices.TestCase.settings = settings(max_examples=200, stateful_step_count=20)
test_notices_in_any_order = AnyOrderOfNotices.TestCase


def test_closes_at_one_time_contradict_each_other_by_what_they_say_about_the_dispute() -> None:
    """Without the refusal, the close that arrives first would count."""
    closes = [
        close_dispute(lost_amount=usd(0), outcome=DisputeOutcome.WON, reason=reason)
        for reason in (DisputeReason.FRAUDULENT, DisputeReason.DUPLICATE)
    ]

    for first, second in (closes, reversed(closes)):
        receiver = Receiver()
        assert receiver.receive(first)

        with pytest.raises(DisputeContradicted, match="reason"):
            dispute(receiver.payment, second)

        assert receiver.receive(open_dispute(opened_at=at(-1)))
        assert receiver.receive(second)


def test_late_response_is_kept_and_changes_nothing_that_a_later_one_decided() -> None:
    receiver = Receiver()
    assert receiver.receive(open_dispute())
    assert receiver.receive(respond_to_dispute(responded_at=at(3), responder=SENIOR))
    (before,) = receiver.payment.disputes

    assert receiver.receive(respond_to_dispute(responded_at=at(2), responder="client:1"))

    (after,) = receiver.payment.disputes
    assert [each.responded_at for each in after.responses] == [at(2), at(3)]
    assert replace(after, responses=before.responses) == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"responder": "client:1"}, "responder"),
        ({"evidence": ("ab" * 32,)}, "evidence"),
        ({"note": NOTE}, "note"),
    ],
)
def test_response_at_the_time_of_another_one_contradicts_it(
    changes: dict[str, Any], field: str
) -> None:
    receiver = Receiver()
    assert receiver.receive(open_dispute())
    assert receiver.receive(respond_to_dispute(responded_at=at(2)))

    with pytest.raises(DisputeContradicted) as refused:
        dispute(receiver.payment, respond_to_dispute(responded_at=at(2), **changes))

    assert refused.value.fields == (field,)


def test_repeated_response_is_accepted_after_a_close_that_happened_before_it() -> None:
    receiver = Receiver()
    response = respond_to_dispute(responded_at=at(3))
    for notice in (open_dispute(), response, close_dispute(closed_at=at(2))):
        assert receiver.receive(notice)

    assert dispute(receiver.payment, response) == ()


def test_response_is_refused_if_the_dispute_has_the_most_responses() -> None:
    receiver = Receiver()
    assert receiver.receive(open_dispute())
    minutes = [at(1) + timedelta(minutes=number) for number in range(MOST_RESPONSES + 1)]
    *responses, excess = (respond_to_dispute(responded_at=each) for each in minutes)
    assert all(receiver.receive(each) for each in responses)

    with pytest.raises(TooManyResponses, match=f"has {MOST_RESPONSES} responses"):
        dispute(receiver.payment, excess)

    assert dispute(receiver.payment, responses[0]) == ()


def test_dispute_is_refused_if_the_payment_has_the_most_disputes() -> None:
    """Won disputes take no money, so the payment's amount does not limit their number."""
    receiver = Receiver()
    end = {"outcome": DisputeOutcome.WON, "lost_amount": usd(0)}
    ids = [f"dp_{number}" for number in range(MOST_DISPUTES)]
    assert all(receiver.receive(close_dispute(dispute_id=each, **end)) for each in ids)

    for excess in (
        open_dispute(dispute_id="dp_excess", amount=usd(1)),
        close_dispute(dispute_id="dp_excess", **end),
    ):
        with pytest.raises(TooManyDisputes, match=f"has {MOST_DISPUTES} disputes"):
            dispute(receiver.payment, excess)

    assert receiver.receive(open_dispute(dispute_id=ids[0]))
