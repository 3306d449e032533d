"""Many commands on existing payments take two statements and act as if given in sequence."""

from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from payments import actors, permissions
from payments.aggregates import PAYMENT_AGGREGATE
from payments.application import disputes
from payments.application.bulk import Decision, decide_all, dispatch_all, load
from payments.application.dispatch import CommandContext, dispatch
from payments.domain.payment.codes import DisputeOutcome
from payments.domain.payment.commands import PaymentCommand
from payments.domain.payment.disputes import Dispute
from payments.domain.payment.events import AnyPaymentEvent
from payments.domain.payment.refusals import DisputeTooLarge, PaymentError, PaymentNotFound
from payments.events import batches, store
from payments.events.metadata import Metadata
from payments.events.models import Event
from payments.events.store import StaleVersion
from tests.support.concurrency import at_once, session
from tests.support.example_commands import close_dispute, open_dispute, update_dispute
from tests.support.example_events import initiated, processed
from tests.support.examples import OTHER_CLIENT, usd
from tests.support.roundtrips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)

CONTEXT: Final = CommandContext(actor=actors.operator(), correlation_id="run-1")
_ANOTHER_EVENT: Final = (
    "INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type, schema_version, data,"
    " metadata, occurred_at)"
    " SELECT aggregate_type, aggregate_id, 3, event_type, schema_version, data, metadata, occurred_at"
    " FROM events_event WHERE version = 2"
)


def completed() -> UUID:
    payment = uuid4()
    events: list[AnyPaymentEvent] = [initiated(), processed()]
    store.append(
        PAYMENT_AGGREGATE,
        payment,
        events,
        expected=0,
        metadata=Metadata(actor="system:test", command="process_payment"),
    )
    return payment


def appended(decisions: list[Decision]) -> list[int | str]:
    """Return the number of events of each decision, or the code of its refusal."""
    return [each.code if isinstance(each, PaymentError) else len(each) for each in decisions]


def disputes_of(payment: UUID) -> tuple[Dispute, ...]:
    state = load([payment])[payment]
    assert state is not None
    return state.disputes


def test_dispatch_all_decides_each_command_after_the_earlier_ones() -> None:
    one, other = completed(), completed()

    decisions = dispatch_all(
        [
            open_dispute(payment_id=one),
            open_dispute(payment_id=one, dispute_id="dp_2", amount=usd(1)),
            open_dispute(payment_id=one),
            close_dispute(payment_id=other),
            close_dispute(payment_id=one, outcome=DisputeOutcome.WON, lost_amount=usd(0)),
            open_dispute(payment_id=one, dispute_id="dp_2", amount=usd(1)),
            open_dispute(payment_id=other),
        ],
        CONTEXT,
    )

    assert appended(decisions) == [1, "dispute_too_large", 0, 2, 1, 1, 1]
    assert [each.outcome for each in disputes_of(one)] == [DisputeOutcome.WON, None]
    assert [each.outcome for each in disputes_of(other)] == [DisputeOutcome.LOST]
    commands = Event.objects.filter(version__gt=2).order_by("position").values_list("metadata")
    assert [found["command"] for (found,) in commands] == [
        "open_dispute",
        "close_dispute",
        "close_dispute",
        "close_dispute",
        "open_dispute",
        "open_dispute",
    ]
    assert all(
        (found["actor"], found["correlation_id"]) == (CONTEXT.actor, "run-1")
        for (found,) in commands
    )


def test_dispatch_all_appends_as_single_commands_do() -> None:
    one, other = completed(), completed()

    def commands(payment: UUID) -> list[PaymentCommand]:
        return [update_dispute(payment_id=payment), close_dispute(payment_id=payment)]

    dispatch_all(commands(one), CONTEXT)
    for command in commands(other):
        dispatch(command, CONTEXT)

    def stored(payment: UUID) -> list[object]:
        events = Event.objects.filter(aggregate_id=payment).order_by("version")
        return list(events.values_list("version", "event_type", "data", "metadata", "occurred_at"))

    assert stored(one) == stored(other)
    assert appended(dispatch_all(commands(one), CONTEXT)) == [0, 0]


def test_dispatch_all_takes_two_round_trips_for_any_number_of_commands() -> None:
    payments = [completed() for _ in range(20)]
    dispatch_all([open_dispute(payment_id=payments[0])], CONTEXT)  # this prepares the statements

    with round_trips() as counted:
        dispatch_all([open_dispute(payment_id=each) for each in payments], CONTEXT)
    with round_trips() as repeated:
        dispatch_all([open_dispute(payment_id=each) for each in payments], CONTEXT)

    assert (counted.count, repeated.count) == (2, 1)


def test_dispatch_all_refuses_unknown_payments_and_those_of_other_clients() -> None:
    known = completed()

    decisions = dispatch_all(
        [open_dispute(), open_dispute(payment_id=known, client_id=OTHER_CLIENT)], CONTEXT
    )

    assert [type(each) for each in decisions] == [PaymentNotFound, PaymentNotFound]
    assert dispatch_all([], CONTEXT) == []


def test_decide_all_advances_the_payments_without_storing_events() -> None:
    payment = completed()
    payments = load([payment])

    decisions = decide_all(
        payments,
        [open_dispute(payment_id=payment), open_dispute(payment_id=payment, dispute_id="2")],
    )

    assert isinstance(decisions[1], DisputeTooLarge)
    found = payments[payment]
    assert found is not None
    assert len(found.disputes) == 1
    assert disputes_of(payment) == ()


@pytest.mark.slow
def test_concurrent_batches_are_decided_again() -> None:
    payments = [completed() for _ in range(30)]

    def work(number: int) -> list[Decision]:
        order = payments if number % 2 else payments[::-1]
        return dispatch_all(
            [
                open_dispute(payment_id=each, dispute_id=f"{number}", amount=usd(1))
                for each in order
            ],
            CONTEXT,
        )

    assert all(appended(each) == [1] * 30 for each in at_once(4, work))
    assert all(len(disputes_of(each)) == 4 for each in payments)


def test_stale_batch_in_a_transaction_is_left_to_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    payment = completed()
    original = batches.load

    def raced(*arguments: Any) -> Any:
        found = original(*arguments)
        with session() as rival:
            rival.execute(_ANOTHER_EVENT)
        return found

    monkeypatch.setattr(batches, "load", raced)
    with pytest.raises(StaleVersion), transaction.atomic():
        dispatch_all([open_dispute(payment_id=payment)], CONTEXT)

    assert Event.objects.count() == 3


def test_record_all_is_for_operators_and_permitted_staff() -> None:
    notices = [open_dispute(payment_id=completed())]

    for actor in (actors.system("import"), actors.client(OTHER_CLIENT), actors.staff(77)):
        with pytest.raises(permissions.NotPermitted):
            disputes.record_all(notices, CommandContext(actor=actor))

    assert appended(disputes.record_all(notices, CONTEXT)) == [1]
