"""What is stored beside an event: who, by which command, and how to know a repetition."""

from typing import Final

import msgspec
from msgspec import Struct


class Metadata(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`key` and `digests` are keyed hashes: of the idempotency key, and of each field sent.

    `correlation_id` binds all that was done for one purpose, `causation_id` is the request or
    message that led to this command. Where they are one it is stored once.
    """

    actor: str
    command: str
    key: str | None = None
    key_id: int | None = None
    digests: dict[str, str] = {}
    correlation_id: str | None = None
    causation_id: str | None = None
    # The lowest checkpoint of the read models on the page that a person decided on.
    seen_position: int | None = None

    @property
    def cause(self) -> str | None:
        return self.causation_id or self.correlation_id


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Metadata)


def encode(metadata: Metadata) -> str:
    return _encoder.encode(metadata).decode()


def decode(data: str | bytes) -> Metadata:
    return _decoder.decode(data)
