"""Events to stored JSON and back: one decoder per event type and schema version."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from payments.domain.payment.events import EVENT_CLASSES, AnyPaymentEvent
from payments.domain.payment.upcasts import UPCASTS, Upcasts, unreadable, upcast
from payments.domain.risk.register import POLICY_EVENT_CLASSES, AnyPolicyEvent

Decoder = Callable[[str | bytes], AnyPaymentEvent]


class UnknownEventType(Exception):
    """The log holds an event that this code does not know: it is older than the log."""

    def __init__(self, event_type: str, schema_version: int) -> None:
        super().__init__(
            f"This code knows no event {event_type!r} with schema version {schema_version}."
            " Is it older than the log?"
        )


def decoders(
    classes: Iterable[type[AnyPaymentEvent]], upcasts: Upcasts
) -> dict[tuple[str, int], Decoder]:
    """One for each event type and schema version that can be read.

    Only what older code stored takes the way through the upcasts.
    """
    found: dict[tuple[str, int], Decoder] = {}
    for cls in classes:
        lost = unreadable([cls], upcasts)
        for stored in range(1, cls.schema_version):
            if (cls.event_type, stored) not in lost:
                found[cls.event_type, stored] = partial(_decode_older, cls, stored, upcasts)
        found[cls.event_type, cls.schema_version] = msgspec.json.Decoder(cls).decode
    return found


def _decode_older(
    cls: type[AnyPaymentEvent], stored: int, upcasts: Upcasts, data: str | bytes
) -> AnyPaymentEvent:
    document = _read_object(data)
    try:
        document = upcast(
            document,
            cls.event_type,
            stored=stored,
            current=cls.schema_version,
            upcasts=upcasts,
        )
    except Exception as error:
        # It met data that is not what it says, as a decoder might.
        raise msgspec.ValidationError(
            f"What is stored as {cls.event_type}, schema version {stored}, cannot be upcast: {error!r}"
        ) from error
    return msgspec.convert(document, cls)


_encoder: Final = msgspec.json.Encoder()
_read_object: Final = msgspec.json.Decoder(dict[str, Any]).decode
_decoders: Final = decoders(EVENT_CLASSES, UPCASTS)
_policy_decoders: Final = {
    (cls.event_type, cls.schema_version): msgspec.json.Decoder(cls).decode
    for cls in POLICY_EVENT_CLASSES
}


def encode_rows(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows of the log as one JSON array, events and metadata included."""
    return _encoder.encode(list(rows)).decode()


def decode(event_type: str, schema_version: int, data: str | bytes) -> AnyPaymentEvent:
    """Return the event.

    Raises UnknownEventType, or msgspec.ValidationError if the data is not what it says.
    """
    try:
        decoder = _decoders[event_type, schema_version]
    except KeyError:
        raise UnknownEventType(event_type, schema_version) from None
    return decoder(data)


def decode_policy(event_type: str, schema_version: int, data: str | bytes) -> AnyPolicyEvent:
    """Return the event of the register of policies. Raises as `decode` does."""
    try:
        decoder = _policy_decoders[event_type, schema_version]
    except KeyError:
        raise UnknownEventType(event_type, schema_version) from None
    return decoder(data)
