"""Encode events as stored JSON, and decode them: one decoder per event type and schema version."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from payments.events.metadata import Metadata
from payments.events.upcasting import Upcasts, Versioned, unreadable, upcast

E = TypeVar("E", bound=Versioned)
Decoder = Callable[[str | bytes], E]


class UnknownEventType(Exception):
    """The log holds an event that this code does not know: the code is older than the log."""

    def __init__(self, event_type: str, schema_version: int) -> None:
        super().__init__(
            f"This code knows no event {event_type!r} with schema version {schema_version}."
            " Is it older than the log?"
        )


def decoders(classes: Iterable[type[E]], upcasts: Upcasts) -> dict[tuple[str, int], Decoder[E]]:
    """Return a decoder for each event type and schema version that can be read.

    The current version is decoded in one step; only older ones pass through the upcasts.
    """
    found: dict[tuple[str, int], Decoder[E]] = {}
    for cls in classes:
        lost = unreadable([cls], upcasts)
        for stored in range(1, cls.schema_version):
            if (cls.event_type, stored) not in lost:
                found[cls.event_type, stored] = partial(_decode_older, cls, stored, upcasts)
        found[cls.event_type, cls.schema_version] = msgspec.json.Decoder(cls).decode
    return found


def encode(metadata: Metadata) -> str:
    """Return the metadata as JSON."""
    return _encoder.encode(metadata).decode()


def encode_rows(rows: Iterable[Mapping[str, object]]) -> str:
    """Return rows of the log as one JSON array, events and metadata included."""
    return _encoder.encode(list(rows)).decode()


_encoder: Final = msgspec.json.Encoder()
_read_object: Final = msgspec.json.Decoder(dict[str, Any]).decode


def _decode_older(cls: type[E], stored: int, upcasts: Upcasts, data: str | bytes) -> E:
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
        # The data does not match its schema version. Decoders raise the same exception in this
        # case.
        raise msgspec.ValidationError(
            f"What is stored as {cls.event_type}, schema version {stored}, cannot be upcast: {error!r}"
        ) from error
    return msgspec.convert(document, cls)
