"""Properties of every history, tested with random commands."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from hypothesis import given, settings, strategies as st

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.methods import Method
from payments.domain.money import MAX_MINOR, Money
from payments.domain.payment.codes import ApprovalReason, RejectionReason
from payments.domain.payment.commands import (
    ApprovePayment,
    PaymentCommand,
    ProcessPayment,
    RejectPayment,
)
from payments.domain.payment.deciding import authorize, decide
from payments.domain.payment.events import AnyPaymentEvent, NoteRef
from payments.domain.payment.refusals import PaymentError
from payments.domain.payment.state import Payment, Status, evolve
from payments.domain.risk.conditions import RiskFeatures
from payments.events import replay
from tests.support.example_events import encoded
from tests.support.examples import CLIENT, CUSTOMER, NOON, OTHER_CLIENT, PAYMENT

FINISHED: Final = {Status.COMPLETED, Status.FAILED, Status.REJECTED}

times: Final = st.integers(0, 10**12).map(lambda us: NOON + timedelta(microseconds=us))
notes: Final = st.none() | st.builds(NoteRef, st.uuids(), st.just("ab" * 32))
reviewers: Final = st.integers(1, 9).map(lambda number: f"staff:{number}")
# Few values, so that commands often match the history. They lie at limits and extremes.
amounts: Final = st.builds(
    Money,
    st.sampled_from([1, 1_000_01, 10_000_00, 10_000_01, 25_000_01, MAX_MINOR]),
    st.sampled_from(["USD", "JPY", "SEK"]),
)
features: Final = st.none() | st.builds(
    RiskFeatures,
    paid_by_card_before=st.booleans(),
    position=st.integers(0, 9),
    age_ms=st.sampled_from([0, 5_001]),
)
commands: Final[st.SearchStrategy[PaymentCommand]] = st.one_of(
    st.builds(
        ProcessPayment,
        payment_id=st.just(PAYMENT),
        client_id=st.sampled_from([CLIENT, CLIENT, OTHER_CLIENT]),
        customer_id=st.just(CUSTOMER),
        amount=amounts,
        method=st.sampled_from(Method),
        reference=st.none() | st.text(min_size=1, max_size=8),
        features=features,
        at=times,
    ),
    st.builds(
        ApprovePayment,
        payment_id=st.just(PAYMENT),
        client_id=st.sampled_from([None, CLIENT, OTHER_CLIENT]),
        reviewer=reviewers,
        reason=st.sampled_from(ApprovalReason),
        note=notes,
        at=times,
    ),
    st.builds(
        RejectPayment,
        payment_id=st.just(PAYMENT),
        client_id=st.sampled_from([None, CLIENT, OTHER_CLIENT]),
        reviewer=reviewers,
        reason=st.sampled_from(RejectionReason),
        note=notes,
        at=times,
    ),
)


def carry_out(sequence: list[PaymentCommand]) -> tuple[list[AnyPaymentEvent], list[Payment]]:
    """Return the events of the commands that were not refused, and the state after each."""
    history: list[AnyPaymentEvent] = []
    states: list[Payment] = []
    for command in sequence:
        before = states[-1] if states else None
        try:
            authorize(before, command)
            events = decide(before, command)
        except PaymentError:
            continue
        assert events, "an accepted command appends an event"
        after = replay.fold(PAYMENT_AGGREGATE, PAYMENT, events, before)
        assert after is not None
        history += events
        states.append(after)
    return history, states


sequences: Final = st.lists(commands, max_size=6)
examples: Final = settings(max_examples=60)


@examples
@given(sequences)
def test_replay_of_history_gives_current_state(sequence: list[PaymentCommand]) -> None:
    history, states = carry_out(sequence)
    assert replay.fold(PAYMENT_AGGREGATE, PAYMENT, history) == (states[-1] if states else None)


@examples
@given(sequences)
def test_replay_accepts_every_prefix(sequence: list[PaymentCommand]) -> None:
    """Time travel shows the state after any event, so every prefix must be valid."""
    history, _ = carry_out(sequence)
    for version in range(1, len(history) + 1):
        payment = replay.fold(PAYMENT_AGGREGATE, PAYMENT, history[:version])
        assert payment is not None
        assert payment.version == version
        assert payment.updated_at == history[version - 1].at


@examples
@given(sequences, st.integers(0, 20))
def test_replay_from_snapshot_equals_full_replay(sequence: list[PaymentCommand], cut: int) -> None:
    """Snapshots are stored as JSON. A field that gets lost there would change later decisions."""
    history, _ = carry_out(sequence)
    whole = replay.fold(PAYMENT_AGGREGATE, PAYMENT, history)
    snapshot = replay.fold(PAYMENT_AGGREGATE, PAYMENT, history[:cut])
    kept = msgspec.json.decode(msgspec.json.encode(snapshot), type=Payment | None)

    assert kept == snapshot
    assert replay.fold(PAYMENT_AGGREGATE, PAYMENT, history[cut:], kept) == whole


@examples
@given(sequences)
def test_finished_payment_never_changes(sequence: list[PaymentCommand]) -> None:
    _, states = carry_out(sequence)
    for earlier in states[:-1]:
        assert earlier.status not in FINISHED


@examples
@given(sequences)
def test_terms_of_payment_never_change(sequence: list[PaymentCommand]) -> None:
    history, _ = carry_out(sequence)
    terms = {(e.client_id, e.customer_id, e.amount, e.method, e.initiated_at) for e in history}
    assert len(terms) <= 1


@examples
@given(sequences)
def test_every_event_survives_encoding(sequence: list[PaymentCommand]) -> None:
    for event in carry_out(sequence)[0]:
        assert (
            PAYMENT_AGGREGATE.decode(event.event_type, event.schema_version, encoded(event))
            == event
        )


@examples
@given(sequences, st.uuids())
def test_decide_and_evolve_do_not_mutate(sequence: list[PaymentCommand], other: UUID) -> None:
    history, _ = carry_out(sequence)
    payment = replay.fold(PAYMENT_AGGREGATE, PAYMENT, history)
    before = repr((payment, history))
    for event in history:
        evolve(payment, other, event)

    assert repr((payment, history)) == before
