"""Take an endpoint's lease, and record what its holder did.

Taking and recording are one statement each. In between, the holder sends requests without a
transaction or a lock. A holder whose lease was taken over or ended (by a pause, a replay or a
deletion) records nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Self
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from payments.database import execute
from readmodels.webhooks.models import Outcome

# The most slow endpoints of one client at a time, so that they leave threads to other clients. An
# endpoint counts as slow a few seconds after its lease was taken or prolonged, so fast endpoints do
# not wait for each other.
MOST_SLOW: Final = 4
_SLOW_AFTER: Final = timedelta(seconds=3)

_TAKE: Final = """
UPDATE webhooks_endpoint AS endpoint
   SET lease = %(token)s, leased_until = %(until)s
 WHERE id = %(endpoint)s AND (leased_until IS NULL OR leased_until <= %(at)s)
   AND (state = 'active' AND next_attempt_at <= %(at)s OR test_id IS NOT NULL)
   AND (SELECT count(*) FROM webhooks_endpoint AS other
         WHERE other.client_id = endpoint.client_id
           AND other.leased_until > %(at)s AND other.leased_until <= %(slow)s) < %(most_slow)s
RETURNING client_id, url, event_types, thin, position, secret,
          CASE WHEN old_secret_until > %(at)s THEN old_secret END, test_id,
          state = 'active' AND next_attempt_at <= %(at)s, failures, failing_since,
          ARRAY(SELECT payment_id FROM webhooks_heldpayment WHERE endpoint_id = endpoint.id)
"""
_DUE: Final = """
SELECT payment_id, position, since, tries
  FROM webhooks_heldpayment
 WHERE endpoint_id = %(endpoint)s AND next_attempt_at <= %(at)s AND position <= %(cursor)s
 ORDER BY next_attempt_at, id LIMIT %(limit)s
"""
_RECORD: Final = """
WITH holder AS (
       UPDATE webhooks_endpoint
          SET position = %(position)s, failures = %(failures)s, failing_since = %(failing_since)s,
              next_attempt_at = coalesce(%(next_attempt_at)s, next_attempt_at),
              state = CASE WHEN %(disabled)s = '' THEN state ELSE 'disabled' END,
              disabled_reason = CASE WHEN %(disabled)s = '' THEN disabled_reason ELSE %(disabled)s END,
              updated_at = CASE WHEN %(disabled)s = '' THEN updated_at ELSE %(at)s END,
              test_id = nullif(test_id, %(test)s::uuid),
              lease = CASE WHEN %(until)s::timestamptz IS NULL THEN NULL ELSE lease END,
              leased_until = %(until)s
        WHERE id = %(endpoint)s AND lease = %(token)s RETURNING id),
     attempted AS (
       INSERT INTO webhooks_attempt (endpoint_id, message_id, event_type, position, payment_id, number, at,
                                     milliseconds, outcome, status, error, response)
       SELECT holder.id, each.* FROM holder, json_to_recordset(%(attempts)s::json) AS each(
              message_id text, event_type text, position bigint, payment_id uuid, number int,
              at timestamptz, milliseconds int, outcome text, status smallint, error text, response text)),
     held AS (
       INSERT INTO webhooks_heldpayment (endpoint_id, payment_id, position, since, tries, next_attempt_at,
                                         error)
       SELECT holder.id, each.* FROM holder, json_to_recordset(%(held)s::json) AS each(
              payment_id uuid, position bigint, since timestamptz, tries int, next_attempt_at timestamptz,
              error text)
           ON CONFLICT (endpoint_id, payment_id) DO UPDATE
          SET position = excluded.position, since = excluded.since, tries = excluded.tries,
              next_attempt_at = excluded.next_attempt_at, error = excluded.error),
     freed AS (
       DELETE FROM webhooks_heldpayment USING holder
        WHERE endpoint_id = holder.id AND payment_id = ANY(%(freed)s))
SELECT EXISTS (SELECT FROM holder)
"""


class Lease(Struct, kw_only=True):
    """The right to send to one endpoint, and the endpoint as it was when the lease was taken.

    If `due` is False, only a test can be sent. `held` has the ids of the endpoint's held payments.
    """

    endpoint_id: UUID
    token: UUID
    until: datetime
    client_id: UUID
    url: str
    event_types: list[str]
    thin: bool
    position: int
    secret: bytes
    old_secret: bytes | None
    test_id: UUID | None
    due: bool
    failures: int
    failing_since: datetime | None
    held: list[UUID]

    def after(self, changes: "Changes") -> Self:
        """Return the lease after its holder has recorded the changes."""
        return replace(
            self,
            until=changes.until or self.until,
            position=changes.position,
            failures=changes.failures,
            failing_since=changes.failing_since,
            held=list({*self.held, *(row.payment_id for row in changes.held)} - set(changes.freed)),
        )


class Due(Struct, frozen=True):
    """A held payment whose first undelivered event has to be sent again."""

    payment_id: UUID
    position: int
    since: datetime
    tries: int


class Tried(Struct, frozen=True, kw_only=True):
    """A row of Attempt."""

    message_id: str
    event_type: str
    position: int | None
    payment_id: UUID | None
    number: int
    at: datetime
    milliseconds: int
    outcome: Outcome
    status: int | None
    error: str
    response: str


class Held(Struct, frozen=True, kw_only=True):
    """A row of HeldPayment."""

    payment_id: UUID
    position: int
    since: datetime
    tries: int
    next_attempt_at: datetime
    error: str


class Changes(Struct, kw_only=True):
    """The results of a round.

    `until` None releases the lease. `next_attempt_at` None keeps the old time.
    """

    position: int
    failures: int
    failing_since: datetime | None
    next_attempt_at: datetime | None = None
    disabled: str = ""
    test: UUID | None = None
    until: datetime | None = None
    attempts: Sequence[Tried] = ()
    held: Sequence[Held] = ()
    freed: Sequence[UUID] = ()


def take(endpoint_id: UUID, *, at: datetime, until: datetime) -> Lease | None:
    """Take the lease, or return None if nothing may be sent now or another holder has it.

    Return None also while MOST_SLOW other endpoints of the client are slow.
    """
    token = uuid4()
    parameters = {
        "endpoint": endpoint_id,
        "token": token,
        "at": at,
        "until": until,
        "slow": until - _SLOW_AFTER,
        "most_slow": MOST_SLOW,
    }
    rows = execute(_TAKE, parameters)
    if not rows:
        return None
    fields = Lease.__struct_fields__[3:]
    return Lease(
        endpoint_id=endpoint_id,
        token=token,
        until=until,
        **dict(zip(fields, rows[0], strict=True)),
    )


def due(lease: Lease, *, at: datetime, limit: int) -> list[Due]:
    """Return held payments that have to be sent again, the longest waiting first."""
    parameters = {
        "endpoint": lease.endpoint_id,
        "at": at,
        "cursor": lease.position,
        "limit": limit,
    }
    return [Due(*row) for row in execute(_DUE, parameters)]


def record(lease: Lease, changes: Changes, *, at: datetime) -> bool:
    """Store the changes, and prolong or release the lease. Return False if the lease was lost."""
    ((recorded,),) = execute(
        _RECORD,
        {
            "endpoint": lease.endpoint_id,
            "token": lease.token,
            "at": at,
            "position": changes.position,
            "failures": changes.failures,
            "failing_since": changes.failing_since,
            "next_attempt_at": changes.next_attempt_at,
            "disabled": changes.disabled,
            "test": changes.test,
            "until": changes.until,
            "attempts": _json(changes.attempts),
            "held": _json(changes.held),
            "freed": list(changes.freed),
        },
    )
    return bool(recorded)


def _json(rows: Sequence[Struct]) -> str:
    return msgspec.json.encode(rows).decode()
