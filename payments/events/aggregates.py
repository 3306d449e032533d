"""Define aggregates. A domain uses the log only through its aggregate."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from uuid import UUID

import msgspec

from payments.events import codec
from payments.events.upcasting import Upcasts


class DomainEvent(Protocol):
    """A msgspec struct with a permanent name, a schema version, and the time when it occurred."""

    event_type: ClassVar[str]
    schema_version: ClassVar[int]

    @property
    def at(self) -> datetime: ...


S = TypeVar("S")
E = TypeVar("E", bound=DomainEvent)


@dataclass(frozen=True, kw_only=True, eq=False)
class Aggregate(Generic[S, E]):
    """A kind of stream: its event classes, and how they are folded into a state.

    `name` and the names of the events are stored and permanent. `evolve` gets None before the first event.
    """

    name: str
    event_classes: tuple[type[E], ...]
    evolve: Callable[[S | None, UUID, E], S]
    state_class: type[S]
    # Must change whenever `evolve` or the fields of the state change: this invalidates all
    # snapshots. With None, no snapshots are kept.
    state_version: int | None = None
    # Returns the aggregate id and the version that a state contains. They reveal a damaged
    # snapshot.
    identity: Callable[[S], tuple[UUID, int]] | None = None
    upcasts: Upcasts = field(default_factory=dict)

    def decode(self, event_type: str, schema_version: int, data: str | bytes) -> E:
        """Return the event, upcast if it has an older schema version.

        Raises UnknownEventType, or msgspec.ValidationError if the data does not match the event.
        """
        try:
            decoder = self._decoders[event_type, schema_version]
        except KeyError:
            raise codec.UnknownEventType(event_type, schema_version) from None
        return decoder(data)

    @property
    def fold_id(self) -> str | None:
        """The id of the code that folds states. A snapshot with another id is ignored."""
        return None if self.state_version is None else f"{self.name} {self.state_version}"

    def decode_state(self, data: str) -> S:
        """Return the state of a snapshot. Raises msgspec.DecodeError."""
        return self._state_decoder.decode(data)

    @cached_property
    def _decoders(self) -> dict[tuple[str, int], codec.Decoder[E]]:
        return codec.decoders(self.event_classes, self.upcasts)

    @cached_property
    def _state_decoder(self) -> msgspec.json.Decoder[S]:
        return msgspec.json.Decoder(self.state_class)


AnyAggregate = Aggregate[Any, Any]
