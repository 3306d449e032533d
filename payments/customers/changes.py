"""What staff do to a customer: rename it, note how to reach it, block and unblock it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from payments import permissions
from payments.customers import contacts
from payments.customers.models import Blocking, Customer
from payments.customers.registry import CustomerError
from payments.domain.text import checked_text
from payments.events.database import cursor

CHANGE: Final = "customers.change_customer"
BLOCK: Final = "customers.block_customer"
LONGEST_REASON: Final = 500

# The flag and who set it why, or neither: and nothing if somebody was faster.
_BLOCK: Final = """
WITH changed AS (
  UPDATE customers_customer SET blocked = %(blocked)s
   WHERE id = %(customer)s AND blocked <> %(blocked)s RETURNING id)
INSERT INTO customers_blocking (customer_id, blocked, reason, actor, at)
SELECT id, %(blocked)s, %(reason)s, %(by)s, %(at)s FROM changed
"""


def rename(customer_id: UUID, given: Mapping[str, str], *, by: str) -> None:
    """Replace those of name, email and phone that are `given`; an empty one is taken away.

    `by` is an actor id. Raises NotPermitted, ContactError, CustomerError.
    """
    permissions.require(by, CHANGE, operators=True)
    checked = {field: contacts.checked(field, value) for field, value in given.items()}
    # In one statement, so that nothing is noted of a customer who is being erased.
    if Customer.objects.filter(pk=customer_id, erased_at=None).update(**checked):
        return
    if Customer.objects.filter(pk=customer_id).exists():
        raise CustomerError("The customer was erased: nothing personal is noted again.")
    raise CustomerError("There is no such customer.")


def block(customer_id: UUID, *, reason: str, by: str, at: datetime) -> None:
    """Have the risk rules told of it from the customer's next payment on.

    Raises NotPermitted, TextError, CustomerError.
    """
    _set_blocked(customer_id, blocked=True, reason=reason, by=by, at=at)


def unblock(customer_id: UUID, *, reason: str, by: str, at: datetime) -> None:
    """Take the block away. Raises as `block` does."""
    _set_blocked(customer_id, blocked=False, reason=reason, by=by, at=at)


def _set_blocked(customer_id: UUID, *, blocked: bool, reason: str, by: str, at: datetime) -> None:
    permissions.require(by, BLOCK, operators=True)
    checked_text(reason, max_length=LONGEST_REASON)
    decision = {"customer": customer_id, "blocked": blocked, "reason": reason, "by": by, "at": at}
    with cursor() as cur:
        if cur.execute(_BLOCK, decision).rowcount:
            return
    if not Customer.objects.filter(pk=customer_id).exists():
        raise CustomerError("There is no such customer.")
    last = Blocking.objects.filter(customer=customer_id).order_by("-at", "-pk").first()
    if last is None:
        raise CustomerError("The customer is not blocked.")
    raise CustomerError(
        f"The customer was {last} by {last.actor} at {last.at:%Y-%m-%d %H:%M} UTC already."
    )
