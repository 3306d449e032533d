"""Events to stored JSON and back: one decoder per event type and schema version."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from payments.domain.events import EVENT_CLASSES, AnyPaymentEvent


class UnknownEventType(Exception):
    """The log holds an event that this code does not know: it is older than the log."""

    def __init__(self, event_type: str, schema_version: int) -> None:
        super().__init__(
            f"This code knows no event {event_type!r} with schema version {schema_version}."
            " Is it older than the log?"
        )


_encoder: Final = msgspec.json.Encoder()
_decoders: Final[dict[tuple[str, int], Callable[[str | bytes], AnyPaymentEvent]]] = {
    (cls.event_type, cls.schema_version): msgspec.json.Decoder(cls).decode for cls in EVENT_CLASSES
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
