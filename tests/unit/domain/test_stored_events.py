"""Stored events: databases contain these documents, so they must stay readable permanently.

If a test fails here, your change would break every log. Rename the field back, or give the event
its next schema version and an upcast. Never change a sample.
"""

import json
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest
from msgspec.structs import replace

from payments.aggregates import PAYMENT_AGGREGATE
from payments.domain.payment.events import (
    EVENT_CLASSES,
    AnyPaymentEvent,
)
from payments.events import codec, metadata
from payments.events.metadata import Metadata
from tests.support.example_events import encoded, initiated
from tests.support.examples import LATER, NOON
from tests.support.stored_events import SAMPLES


@pytest.mark.parametrize(("event_type", "schema_version", "data", "event"), SAMPLES)
def test_stored_event_is_read(
    event_type: str, schema_version: int, data: str, event: AnyPaymentEvent
) -> None:
    assert PAYMENT_AGGREGATE.decode(event_type, schema_version, data) == event


@pytest.mark.parametrize(
    ("event_type", "schema_version", "data", "event"),
    [sample for sample in SAMPLES if sample[1] == sample[3].schema_version],
)
def test_event_is_stored_as_before(
    event_type: str, schema_version: int, data: str, event: AnyPaymentEvent
) -> None:
    assert event.event_type == event_type
    assert json.loads(encoded(event)) == json.loads(data)


def test_every_event_has_sample_of_every_schema_version() -> None:
    current = {(cls.event_type, cls.schema_version) for cls in EVENT_CLASSES}
    known = {(event_type, version) for event_type, version, _, _ in SAMPLES}
    assert current <= known
    for event_type, latest in current:
        assert {v for t, v in known if t == event_type} == set(range(1, latest + 1))


def test_event_types_are_unique() -> None:
    """Only the type distinguishes stored events."""
    types = [cls.event_type for cls in EVENT_CLASSES]
    assert len(set(types)) == len(types)
    assert all(event_type.startswith("payment.") for event_type in types)


def test_unknown_event_type_is_refused() -> None:
    with pytest.raises(codec.UnknownEventType, match="payment.teleported"):
        PAYMENT_AGGREGATE.decode("payment.teleported", 1, "{}")


def test_unknown_schema_version_is_refused() -> None:
    """The same fields may have another meaning in a newer version."""
    with pytest.raises(codec.UnknownEventType, match="schema version 2"):
        PAYMENT_AGGREGATE.decode("payment.initiated", 2, SAMPLES[0][2])


def _broken(**changes: Any) -> str:
    document = json.loads(SAMPLES[0][2])
    for name, value in changes.items():
        if value is ...:
            del document[name]
        else:
            document[name] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "null",
        "[]",
        "{}",
        _broken(amount=...),
        _broken(amount={"minor": 1.5, "currency": "USD"}),
        _broken(amount={"minor": "1", "currency": "USD"}),
        _broken(method="cheque"),
        _broken(at="yesterday"),
        _broken(client_id="acme"),
        _broken(initiated_at=None),
    ],
)
def test_invalid_data_is_refused(data: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        PAYMENT_AGGREGATE.decode("payment.initiated", 1, data)


def test_unknown_field_is_ignored() -> None:
    """Old code reads events of new code during a deployment and after a rollback."""
    assert PAYMENT_AGGREGATE.decode("payment.initiated", 1, _broken(added_later=1)) == initiated()


def test_times_keep_microseconds_and_are_read_in_utc() -> None:
    exact = NOON + timedelta(microseconds=1)
    event = initiated(at=exact)
    read = PAYMENT_AGGREGATE.decode(event.event_type, 1, encoded(event))

    assert read.at == exact
    assert read.at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(("_type", "_version", "_data", "event"), SAMPLES)
def test_events_are_immutable(
    _type: str, _version: int, _data: str, event: AnyPaymentEvent
) -> None:
    with pytest.raises(AttributeError):
        event.at = LATER  # type: ignore[misc]
    assert replace(event, at=LATER) is not event


METADATA_SAMPLES: Final = [
    (
        '{"actor":"staff:7","command":"approve_payment"}',
        Metadata(actor="staff:7", command="approve_payment"),
    ),
    (
        '{"actor":"client:1","command":"process_payment","key":"ab12","key_id":1'
        ',"digests":{"amount":"cd34"},"correlation_id":"r-1","causation_id":"m-1"}',
        Metadata(
            actor="client:1",
            command="process_payment",
            key="ab12",
            key_id=1,
            digests={"amount": "cd34"},
            correlation_id="r-1",
            causation_id="m-1",
        ),
    ),
]


@pytest.mark.parametrize(("stored", "read"), METADATA_SAMPLES)
def test_stored_metadata_is_read_and_written_unchanged(stored: str, read: Metadata) -> None:
    assert metadata.decode(stored) == read
    assert json.loads(codec.encode(read)) == json.loads(stored)
