"""The events of a customer: staff blocked or unblocked them. Nothing personal is stored."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, assert_never, get_args
from uuid import UUID

from msgspec import Struct

from payments.domain.payment.events import NoteRef


class BlockReason(StrEnum):
    SUSPECTED_FRAUD = "suspected_fraud"
    CHARGEBACKS = "chargebacks"
    STOLEN_IDENTITY = "stolen_identity"
    REQUESTED_BY_CLIENT = "requested_by_client"
    OTHER = "other"


class UnblockReason(StrEnum):
    CLEARED = "cleared"
    BLOCKED_BY_MISTAKE = "blocked_by_mistake"
    REQUESTED_BY_CLIENT = "requested_by_client"
    OTHER = "other"


class CustomerEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of every event of a customer. `by` is the actor id of a member of staff."""

    event_type: ClassVar[str]
    schema_version: ClassVar[int] = 1

    at: datetime
    client_id: UUID
    customer_id: UUID
    by: str
    note: NoteRef


class BlockPlaced(CustomerEvent, frozen=True, kw_only=True):
    event_type: ClassVar[str] = "customer.blocked"

    reason: BlockReason


class BlockLifted(CustomerEvent, frozen=True, kw_only=True):
    event_type: ClassVar[str] = "customer.unblocked"

    reason: UnblockReason


AnyCustomerEvent = BlockPlaced | BlockLifted

CUSTOMER_EVENT_CLASSES: Final[tuple[type[AnyCustomerEvent], ...]] = get_args(AnyCustomerEvent)


def is_blocked_after(event: AnyCustomerEvent) -> bool:
    """Return whether the customer is blocked after `event`."""
    match event:
        case BlockPlaced():
            return True
        case BlockLifted():
            return False
        case _:
            assert_never(event)
