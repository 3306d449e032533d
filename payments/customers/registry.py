"""Registering customers on first sight."""

from typing import Final
from uuid import UUID

from payments.events.database import cursor

# Two first payments at once are one customer, hence DO NOTHING.
_REGISTER: Final = """
INSERT INTO customers_customer (id, client_id, reference, name, email, created_at)
VALUES (%s, %s, %s, %s, '', clock_timestamp()) ON CONFLICT DO NOTHING
"""


def register(customer_id: UUID, *, client_id: UUID, reference: str, name: str = "") -> None:
    """Store the customer unless it is known. One statement, one round trip."""
    with cursor() as cur:
        cur.execute(_REGISTER, (customer_id, client_id, reference, name), prepare=True)
