"""Idempotency keys and the digests of the fields of a command."""

from typing import Any, Final, get_args

import pytest

from payments import actors
from payments.application.idempotency import (
    KeyReused,
    check_same,
    command_key,
    field_digests,
    payment_id,
)
from payments.domain.methods import Method
from payments.domain.money import Money
from payments.domain.payment.codes import ApprovalReason
from payments.domain.payment.commands import ApprovePayment, PaymentCommand, ProcessPayment
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
    take_over,
    update_dispute,
)
from tests.support.examples import (
    CLIENT,
    LATER,
    NOTE,
    OTHER_CLIENT,
    OTHER_REVIEWER,
    PAYMENT,
    REVIEWER,
    UNKNOWN,
    usd,
)

ACTOR = actors.client(CLIENT)
# Each command with a value for each field. test_submitted_fields covers ProcessPayment.
COMMANDS: Final[tuple[PaymentCommand, ...]] = (
    approve(note=NOTE),
    cancel(note=NOTE),
    claim(),
    escalate(),
    expire(),
    refund(amount=usd(1), reference="return-1", note=NOTE),
    reject(note=NOTE),
    release(),
    take_over(),
    snooze(note=NOTE),
    resume(),
    assign(note=NOTE),
    open_dispute(),
    update_dispute(),
    respond_to_dispute(note=NOTE, evidence=("ab" * 32,)),
    add_note(files=("ab" * 32,)),
    close_dispute(amount=usd(1), network="visa", network_reason_code="10.4"),
)
# The use case sets these fields.
DERIVED: Final = {
    *("payment_id", "client_id", "at", "reviewer", "senior", "refund_id", "responder", "author"),
    *("to_reviews", "to_senior", "customer_blocked"),
    *("mentions", "attachments"),  # from the text and from the files
}


@pytest.fixture(autouse=True)
def _key(settings: Any) -> None:
    settings.PSEUDONYM_KEY = "a key for tests"


def test_payment_id_follows_from_client_and_key() -> None:
    """If this value changed, repetitions of old commands would create new payments."""
    assert str(payment_id(CLIENT, "6c1f")) == "e06551df-2f49-5ed8-8ef3-ab322bab7b32"
    assert payment_id(CLIENT, "6c1f") != payment_id(CLIENT, "6c1e")
    assert payment_id(CLIENT, "6c1f") != payment_id(OTHER_CLIENT, "6c1f")


def test_command_key_never_changes() -> None:
    assert (
        command_key(ProcessPayment.name, actor=ACTOR, key="6c1f")
        == "2e7ebf736f15810fd3f73676466d7c85"
    )


def test_command_key_does_not_reveal_key() -> None:
    assert "6c1f" not in command_key(ProcessPayment.name, actor=ACTOR, key="6c1f" * 8)


def test_command_key_differs_by_command() -> None:
    keys = {
        command_key(build().name, actor=REVIEWER, key="1") for build in (process, approve, reject)
    }
    assert len(keys) == 3


def test_command_key_differs_by_actor() -> None:
    one = command_key(ApprovePayment.name, actor=REVIEWER, key="1")
    assert one != command_key(ApprovePayment.name, actor=OTHER_REVIEWER, key="1")


def test_field_digests_ignore_time() -> None:
    """The caller chooses neither the time nor the risk features."""
    again = process(at=LATER, features=UNKNOWN)
    check_same(field_digests(process(), None), field_digests(again, None))


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"amount": usd(100_01)}, ("amount",)),
        ({"amount": Money(100_00, "EUR")}, ("currency",)),
        ({"amount": Money(200_00, "EUR")}, ("amount", "currency")),
        ({"method": Method.WALLET}, ("method",)),
        ({"customer_id": PAYMENT}, ("customer_id",)),
        ({"reference": "order-2"}, ("reference",)),
        ({"reference": None}, ("reference",)),
    ],
)
def test_check_same_names_differing_fields(
    changes: dict[str, Any], fields: tuple[str, ...]
) -> None:
    first = field_digests(process(reference="order-1"), None)
    with pytest.raises(KeyReused) as caught:
        check_same(first, field_digests(process(**{"reference": "order-1", **changes}), None))

    assert caught.value.fields == fields
    assert ", ".join(fields) in str(caught.value)


def test_check_same_names_added_reference() -> None:
    with pytest.raises(KeyReused) as caught:
        check_same(field_digests(process(), None), field_digests(process(reference="r"), None))
    assert caught.value.fields == ("reference",)


def test_field_digests_of_decision_cover_reason_and_note() -> None:
    """A note's id and salt are new each time, so only its text is compared."""
    first = field_digests(approve(note=NOTE), "called her")
    check_same(first, field_digests(approve(note=None), "called her"))
    with pytest.raises(KeyReused) as caught:
        check_same(first, field_digests(approve(reason=ApprovalReason.OTHER), "called him"))
    assert caught.value.fields == ("note", "reason")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.name)
def test_field_digests_cover_each_chosen_field_of_command(command: PaymentCommand) -> None:
    """If a field were forgotten, a repetition with another value would get the first answer."""
    chosen = set(command.__struct_fields__) - DERIVED
    assert chosen <= field_digests(command, "called her").keys()


def test_commands_of_this_module_are_all_that_exist() -> None:
    kinds = {type(command) for command in COMMANDS}
    assert kinds >= set(get_args(PaymentCommand)) - {ProcessPayment}


def test_field_digests_do_not_reveal_values() -> None:
    """Without a key, trying all amounts would reveal the amount behind a digest."""
    digests = field_digests(process(reference="order-1"), None)
    assert len(set(digests.values())) == len(digests)
    assert all(len(digest) == 16 for digest in digests.values())


def test_field_digests_differ_by_field() -> None:
    same = process(reference="USD", amount=usd(1))
    digests = field_digests(same, None)
    assert digests["reference"] != digests["currency"]
