"""A payment's row in the summary and its state from the log give the same API answer."""

from typing import Final

import msgspec
import pytest
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.api.representation import PaymentFields, fields_of
from payments.domain.payment.deciding import decide
from payments.domain.payment.events import AnyPaymentEvent
from payments.events import replay
from payments.events.reading.records import RecordedEvent
from readmodels.projections.payment_summary import Row, fold
from tests.support.example_events import assigned, rejected, resumed
from tests.support.examples import PAYMENT
from tests.unit.domain.test_states_and_commands import HISTORIES
from tests.unit.domain.test_submitted_fields import COMMAND

ANSWERED: Final = {
    **{name: history for name, history in HISTORIES.items() if history},
    "every field submitted": decide(None, COMMAND),
    "resumed": (*HISTORIES["snoozed"], resumed()),
    "unassigned": (*HISTORIES["assigned to another"], assigned(to=None)),
    "decided after a snooze": (*HISTORIES["snoozed"], assigned(), rejected()),
}


@pytest.mark.parametrize("history", ANSWERED.values(), ids=ANSWERED)
def test_row_has_the_same_fields_as_the_state(history: tuple[AnyPaymentEvent, ...]) -> None:
    """If `fold` forgot a field, a list would show another value than the payment itself."""
    row: Row | None = None
    for version, event in enumerate(history, start=1):
        row = fold(row, RecordedEvent(version, PAYMENT, version, event))

    payment = replay.fold(PAYMENT_AGGREGATE, PAYMENT, history)

    assert payment is not None
    read = msgspec.convert(row, PaymentFields, from_attributes=True)
    # Disputes are not compared, because they are rows of another table.
    assert read == replace(fields_of(payment, position=len(history)), disputes=())


@pytest.mark.parametrize("history", ANSWERED.values(), ids=ANSWERED)
def test_row_has_the_snooze_and_the_assignment_of_the_state(
    history: tuple[AnyPaymentEvent, ...],
) -> None:
    row: Row | None = None
    for version, event in enumerate(history, start=1):
        row = fold(row, RecordedEvent(version, PAYMENT, version, event))

    payment = replay.fold(PAYMENT_AGGREGATE, PAYMENT, history)

    assert row is not None
    assert payment is not None
    snooze = payment.snooze
    assert row.assigned_to == (payment.assigned_to or "")
    assert (row.snoozed_by, row.snoozed_until, row.snooze_reason) == (
        (snooze.reviewer, snooze.until, snooze.reason) if snooze else ("", None, "")
    )
