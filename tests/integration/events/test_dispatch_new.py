"""Dispatching many new payments in one statement, as the import does."""

from typing import Any

import pytest
from django.db import transaction

from payments.application import idempotency
from payments.application.dispatch import CommandContext, dispatch_new
from payments.domain.payment.commands import ProcessPayment
from payments.events.models import Event
from payments.events.store import AlreadyReserved
from tests.support.dispatching import MERCHANT, submit
from tests.support.example_commands import process
from tests.support.examples import CLIENT

pytestmark = pytest.mark.django_db(transaction=True)


def _new(key: str, **changes: Any) -> tuple[ProcessPayment, CommandContext]:
    command = process(payment_id=idempotency.payment_id(CLIENT, key), **changes)
    return command, CommandContext(actor=MERCHANT, key=key)


def test_dispatch_new_appends_payments_in_one_statement() -> None:
    assert dispatch_new([_new(str(number)) for number in range(100)]) == 100

    assert Event.objects.count() == 200
    assert submit("7").replayed


def test_dispatch_new_replays_existing_payments() -> None:
    submit("3")

    assert dispatch_new([_new(str(number)) for number in range(10)]) == 9
    assert dispatch_new([_new(str(number)) for number in range(10)]) == 0

    assert Event.objects.count() == 20


def test_dispatch_new_reserves_references() -> None:
    batch = [_new(str(number), reference=f"order-{number}") for number in range(3)]

    assert dispatch_new(batch) == 3
    with pytest.raises(AlreadyReserved):
        submit("other", reference="order-1")
    assert dispatch_new([]) == 0


def test_dispatch_new_replays_existing_payments_in_a_transaction() -> None:
    submit("3")

    with transaction.atomic():
        assert dispatch_new([_new(str(number)) for number in range(10)]) == 9

    assert Event.objects.count() == 20
