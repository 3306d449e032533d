"""Block and unblock customers: append an event and set the flag that the risk features read."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from payments import permissions
from payments.aggregates import CUSTOMER_AGGREGATE
from payments.customers import notes
from payments.customers.models import Blocking, Customer
from payments.customers.registry import BlockUnchanged, CustomerError
from payments.database import execute as execute_statement
from payments.domain.customer import (
    AnyCustomerEvent,
    BlockLifted,
    BlockPlaced,
    BlockReason,
    UnblockReason,
)
from payments.domain.payment.events import NoteRef
from payments.events.metadata import Metadata
from payments.events.replay import execute

BLOCK: Final = "customers.block_customer"
LONGEST_NOTE: Final = 500

# Read from the log, because read models lag.
_PAYER_BLOCKED: Final = """
SELECT 1 FROM customers_customer
 WHERE blocked AND id = (SELECT (data ->> 'customer_id')::uuid FROM events_event
                          WHERE aggregate_id = %(payment_id)s AND version = 1)
"""


def change(
    customer_id: UUID,
    *,
    reason: BlockReason | UnblockReason,
    note: str,
    by: str,
    at: datetime,
    correlation_id: str | None = None,
) -> None:
    """Block the customer if `reason` is a BlockReason, unblock it if it is an UnblockReason.

    The change takes effect with the customer's next payment. `by` is an actor id.
    Raises NotPermitted, TextError for the note, CustomerError.
    """
    permissions.require(by, BLOCK, operators=True)
    written = notes.write(None, note, author=by, at=at, longest=LONGEST_NOTE)
    blocked = isinstance(reason, BlockReason)
    with transaction.atomic():
        # The row lock serializes concurrent calls.
        changed = Customer.objects.filter(pk=customer_id, blocked=not blocked)
        if not changed.update(blocked=blocked):
            raise _refusal(customer_id)
        written.save()
        Blocking.objects.create(
            customer_id=customer_id,
            blocked=blocked,
            reason=reason,
            note_id=written.pk,
            actor=by,
            at=at,
        )
        event = _event(customer_id, reason, NoteRef(written.pk, written.digest), by=by, at=at)
        execute(
            CUSTOMER_AGGREGATE,
            customer_id,
            lambda _: [event],
            metadata=Metadata(
                actor=by,
                command="block_customer" if blocked else "unblock_customer",
                correlation_id=correlation_id,
            ),
        )


def is_payer_blocked(payment_id: UUID) -> bool:
    """Return whether the customer of the payment is blocked now, in one round trip."""
    return bool(execute_statement(_PAYER_BLOCKED, {"payment_id": payment_id}))


def standing(customer_id: UUID, *, at: datetime | None = None) -> Blocking | None:
    """Return the decision that blocks the customer now, or at `at`.

    Return None if the customer is not blocked.
    """
    made = Blocking.objects.filter(customer=customer_id)
    if at is not None:
        made = made.filter(at__lte=at)
    last = made.order_by("-at", "-pk").first()
    return last if last is not None and last.blocked else None


def _event(
    customer_id: UUID, reason: BlockReason | UnblockReason, note: NoteRef, *, by: str, at: datetime
) -> AnyCustomerEvent:
    client_id = Customer.objects.values_list("client_id", flat=True).get(pk=customer_id)
    if isinstance(reason, BlockReason):
        return BlockPlaced(
            at=at, client_id=client_id, customer_id=customer_id, by=by, note=note, reason=reason
        )
    return BlockLifted(
        at=at, client_id=client_id, customer_id=customer_id, by=by, note=note, reason=reason
    )


def _refusal(customer_id: UUID) -> CustomerError:
    if not Customer.objects.filter(pk=customer_id).exists():
        return CustomerError("There is no such customer.")
    last = Blocking.objects.filter(customer=customer_id).order_by("-at", "-pk").first()
    if last is None:
        return CustomerError("The customer is not blocked.")
    return BlockUnchanged(state=str(last), actor=last.actor, at=last.at)
