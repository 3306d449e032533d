"""The metadata of an event: its actor, its command, and what identifies a repetition."""

from typing import Final

import msgspec
from msgspec import Struct


class Metadata(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The metadata of the events that one command appended.

    `key` and `digests` are keyed hashes of the idempotency key and of each field that was sent.
    `correlation_id` joins all commands with one purpose. `causation_id` is the request or message that led
    to this command; None if it equals the correlation id.
    """

    actor: str
    command: str
    key: str | None = None
    key_id: int | None = None
    digests: dict[str, str] = {}
    correlation_id: str | None = None
    causation_id: str | None = None
    # The lowest checkpoint of the read models behind the page on which a person decided.
    seen_position: int | None = None

    @property
    def cause(self) -> str | None:
        """Return the request or message that led to the command, None if unknown."""
        return self.causation_id or self.correlation_id


_decoder: Final = msgspec.json.Decoder(Metadata)


def decode(data: str | bytes) -> Metadata:
    return _decoder.decode(data)
