"""With upcasts, an event whose struct has changed twice is read from any stored version.

No event of the service has a second version yet, so these tests define one.
"""

import json
from typing import Any, ClassVar, Final

import msgspec
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.payment.events import PaymentApproved, PaymentInitiated
from payments.domain.payment.upcasts import UPCASTS as PAYMENT_UPCASTS
from payments.events import codec
from payments.events.upcasting import Document, Upcasts, needless, unreadable
from tests.support.example_events import encoded, initiated
from tests.support.examples import CLIENT, CUSTOMER, NOON, SMALL


class Submitted(PaymentInitiated, frozen=True, kw_only=True):
    """PaymentInitiated as if version 2 had renamed `reference` and version 3 added an entrance."""

    schema_version: ClassVar[int] = 3

    order: str | None = None
    entrance: str


def _reference_is_order(document: Document) -> Document:
    return {("order" if name == "reference" else name): document[name] for name in document}


def _all_came_by_api(document: Document) -> Document:
    return document | {"entrance": "api"}


UPCASTS: Final[Upcasts] = {
    ("payment.initiated", 1): _reference_is_order,
    ("payment.initiated", 2): _all_came_by_api,
}
DECODERS: Final = codec.decoders([Submitted], UPCASTS)
FIRST: Final = encoded(initiated(reference="order-981"))
NOW: Final = Submitted(
    **{name: getattr(initiated(), name) for name in initiated().__struct_fields__},
    order="order-981",
    entrance="api",
)

# (schema version, stored data): one golden sample of each version
SAMPLES: Final = [
    (1, FIRST),
    (2, FIRST.replace('"reference"', '"order"')),
    (3, FIRST.replace('"reference"', '"entrance": "api", "order"')),
]


@pytest.mark.parametrize(("stored", "data"), SAMPLES)
def test_every_stored_version_is_read_as_current_event(stored: int, data: str) -> None:
    event = DECODERS["payment.initiated", stored](data)
    assert event == NOW
    assert (event.amount, event.at, event.client_id) == (SMALL, NOON, CLIENT)
    assert event.customer_id == CUSTOMER


def test_current_version_is_not_upcast() -> None:
    """Even with upcasts, a single C function decodes the current version."""
    for decoder in (
        DECODERS["payment.initiated", 3],
        PAYMENT_AGGREGATE._decoders["payment.initiated", 1],
    ):
        assert isinstance(getattr(decoder, "__self__", None), msgspec.json.Decoder)


def test_version_without_upcast_is_unknown_like_future_version() -> None:
    """Without an upcast from version 2, version 1 is unreadable too, though it has one."""
    gap = {("payment.initiated", 1): _reference_is_order}

    assert unreadable([Submitted], gap) == [
        ("payment.initiated", 1),
        ("payment.initiated", 2),
    ]
    assert codec.decoders([Submitted], gap).keys() == {("payment.initiated", 3)}
    assert unreadable([Submitted], UPCASTS) == []


@pytest.mark.parametrize(
    "key", [("payment.initiated", 3), ("payment.initiated", 0), ("payment.teleported", 1)]
)
def test_needless_finds_upcast_without_event(key: tuple[str, int]) -> None:
    assert needless([Submitted], UPCASTS) == []
    assert needless([Submitted], {**UPCASTS, key: _all_came_by_api}) == [key]


def _needs_amount(document: Document) -> Document:
    return document | {"amount": document["sum"]}


@pytest.mark.parametrize("data", ["[]", "null", "{}", json.dumps({"sum": "1"}), FIRST])
def test_invalid_data_of_old_version_is_refused(data: str) -> None:
    """A KeyError would not name the position of the event."""
    decoders = codec.decoders([Submitted], {**UPCASTS, ("payment.initiated", 2): _needs_amount})
    with pytest.raises(msgspec.ValidationError):
        decoders["payment.initiated", 2](data)


def test_check_names_unreadable_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("check")
    monkeypatch.setattr(PaymentApproved, "schema_version", 2)
    with pytest.raises(SystemCheckError, match=r"E001.*payment\.approved with schema version 1"):
        call_command("check")


def test_check_names_needless_upcast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry: Any = PAYMENT_UPCASTS
    monkeypatch.setitem(registry, ("payment.approved", 1), _all_came_by_api)
    with pytest.raises(SystemCheckError, match=r"E002.*payment\.approved with schema version 1"):
        call_command("check")
