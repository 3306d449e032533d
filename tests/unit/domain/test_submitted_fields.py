"""A field that a client submits reaches the digests, the first event and the state.

If you add a field to ProcessPayment, add it here: to `CHOSEN` if the client chooses it, or else
to `DERIVED`.
"""

from typing import Any, Final

import pytest
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.application.idempotency import KeyReused, check_same, field_digests
from payments.domain.cards import Brand, Card
from payments.domain.methods import Method
from payments.domain.payment.commands import ProcessPayment
from payments.domain.payment.deciding import decide
from payments.domain.signals import Signals
from payments.events import replay
from tests.support.example_commands import process
from tests.support.examples import OTHER_CLIENT, PAYMENT, usd

COMMAND: Final = process(
    reference="order-1",
    card=Card(fingerprint="ab" * 16, brand=Brand.VISA, last4="4242"),
    signals=Signals(ip_address="cd" * 16),
)
# A second value for each field that the client chooses.
CHOSEN: Final[dict[str, Any]] = {
    "customer_id": OTHER_CLIENT,
    "amount": usd(100_01),
    "method": Method.WALLET,
    "reference": "order-2",
    "card": Card(fingerprint="ab" * 16, brand=Brand.VISA, last4="4343"),
    "signals": Signals(ip_address="ef" * 16),
}
# The use case sets these fields. Of the features, the client chooses only the country.
DERIVED: Final = {"payment_id", "client_id", "at", "features", "policy", "policy_author"}
# No decision and no screen needs these, so the state does not have them.
ONLY_IN_EVENT: Final = {"signals"}


def test_every_field_of_command_is_chosen_or_derived() -> None:
    assert set(ProcessPayment.__struct_fields__) == CHOSEN.keys() | DERIVED


@pytest.mark.parametrize("field", CHOSEN)
def test_field_digests_cover_chosen_field(field: str, settings: Any) -> None:
    settings.PSEUDONYM_KEY = "a key for tests"
    other = replace(COMMAND, **{field: CHOSEN[field]})

    with pytest.raises(KeyReused):
        check_same(field_digests(COMMAND, None), field_digests(other, None))


@pytest.mark.parametrize("field", CHOSEN)
def test_first_event_has_chosen_field(field: str) -> None:
    first, *_ = decide(None, COMMAND)

    assert getattr(first, field) == getattr(COMMAND, field)


@pytest.mark.parametrize("field", sorted(CHOSEN.keys() - ONLY_IN_EVENT))
def test_state_has_chosen_field(field: str) -> None:
    payment = replay.fold(PAYMENT_AGGREGATE, PAYMENT, decide(None, COMMAND))

    assert getattr(payment, field) == getattr(COMMAND, field)
