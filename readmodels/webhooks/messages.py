"""The messages of webhooks: their ids, types and bodies."""

from datetime import datetime
from typing import Self
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from payments.domain.text import rfc3339
from readmodels.feed.events import TEST_TYPE, FeedEvent
from readmodels.webhooks import endpoints


class Message(Struct, frozen=True, kw_only=True):
    """A message to an endpoint. A test has no position and no payment."""

    id: str
    type: str
    body: bytes
    position: int | None = None
    payment_id: UUID | None = None

    @classmethod
    def of_event(cls, event: FeedEvent, *, thin: bool) -> Self:
        """Return the event as in the feed. If `thin`, its data is only the id of the payment."""
        payment_id = event.data.payment_id
        shown = asdict(event) | {"data": {"payment_id": payment_id}} if thin else event
        return cls(
            id=event.id,
            type=event.type,
            body=msgspec.json.encode(shown),
            position=event.position,
            payment_id=payment_id,
        )

    @classmethod
    def of_test(cls, test_id: UUID, endpoint_id: UUID, *, at: datetime) -> Self:
        message_id = endpoints.test_message_id(test_id)
        body = {
            "id": message_id,
            "type": TEST_TYPE,
            "timestamp": rfc3339(at),
            "data": {"endpoint_id": endpoint_id},
        }
        return cls(id=message_id, type=TEST_TYPE, body=msgspec.json.encode(body))
