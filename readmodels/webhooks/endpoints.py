"""The use cases of endpoints, for the API, the back office and the command line.

Each takes one short transaction. Those that move the cursor end the lease, so that a delivery in progress
cannot move it back.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import QuerySet
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from payments.clients.models import Client
from payments.database import execute
from payments.events.reading import horizon
from readmodels.projections import event_index
from readmodels.webhooks import keys
from readmodels.webhooks.models import MOST_ENDPOINTS, Endpoint, State

# Both secrets sign for so long after a rotation.
OVERLAP: Final = timedelta(hours=24)

_CHECKPOINT: Final = """
SELECT coalesce((SELECT position FROM readmodels_checkpoint WHERE name = %(index)s), 0)
"""
# Events that were recorded at about the same time may have positions in another order. The lowest position of
# many leaves none of them out.
_BEFORE: Final = """
SELECT min(position) - 1
  FROM (SELECT position FROM readmodels_eventindex WHERE recorded_at >= %(since)s
         ORDER BY recorded_at, position LIMIT 10000) AS first
"""


class TooManyEndpoints(Exception):
    """The client has as many endpoints as it may have."""

    def __init__(self) -> None:
        super().__init__(f"A client can have {MOST_ENDPOINTS} endpoints. Delete one first.")


class PositionAhead(Exception):
    """A replay would begin after the end of the log."""

    def __init__(self, last: int) -> None:
        super().__init__(f"The log ends at {last}.")


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of an endpoint. UNSET keeps the old value. No event types stand for all."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    event_types: Sequence[str] | UnsetType = UNSET
    thin: bool | UnsetType = UNSET


def create(client_id: UUID, settings: Settings, *, at: datetime) -> tuple[Endpoint, str]:
    """Store an endpoint that receives later events; return it with its secret.

    The caller has checked the settings. Raises NotConfigured and TooManyEndpoints.
    """
    secret = keys.new_secret()
    stored = keys.encrypt(secret)
    with transaction.atomic():
        # Locks the client, so that two calls do not take the same number.
        client = Client.objects.select_for_update(no_key=True).get(pk=client_id)
        taken = set(Endpoint.objects.filter(client=client).values_list("number", flat=True))
        free = [number for number in range(1, MOST_ENDPOINTS + 1) if number not in taken]
        if not free:
            raise TooManyEndpoints
        endpoint = Endpoint.objects.create(
            client=client,
            number=free[0],
            secret=stored,
            position=_checkpoint(),
            next_attempt_at=at,
            created_at=at,
            updated_at=at,
            **_given(settings),
        )
    return endpoint, secret


def change(endpoint: Endpoint, settings: Settings, *, at: datetime) -> None:
    _update(endpoint, at, **_given(settings))


def rotate_secret(endpoint: Endpoint, *, at: datetime) -> str:
    """Replace the secret, and return the new one. The old one signs for 24 more hours.

    Raises NotConfigured.
    """
    secret = keys.new_secret()
    stored = keys.encrypt(secret)
    with transaction.atomic():
        (current,) = _row(endpoint).select_for_update().values_list("secret", flat=True)
        _update(
            endpoint, at, secret=stored, old_secret=bytes(current), old_secret_until=at + OVERLAP
        )
    return secret


def pause(endpoint: Endpoint, *, at: datetime) -> None:
    """Stop deliveries until `resume`. Events are kept."""
    _update(endpoint, at, state=State.PAUSED, lease=None, leased_until=None)


def disable(endpoint: Endpoint, *, reason: str, at: datetime) -> None:
    """Stop deliveries, and show why."""
    _update(
        endpoint,
        at,
        state=State.DISABLED,
        disabled_reason=reason,
        lease=None,
        leased_until=None,
    )


def resume(endpoint: Endpoint, *, at: datetime) -> None:
    """Deliver from the cursor on, and try held payments again, without waiting for the next step."""
    with transaction.atomic():
        _update(
            endpoint,
            at,
            state=State.ACTIVE,
            disabled_reason="",
            failures=0,
            failing_since=None,
            next_attempt_at=at,
        )
        endpoint.held.update(next_attempt_at=at)


def replay(endpoint: Endpoint, *, after: int, at: datetime) -> None:
    """Deliver the events after a position again. Raises PositionAhead.

    Held payments after it are delivered in their order again.
    """
    if after > (last := horizon.last_position()):
        raise PositionAhead(last)
    with transaction.atomic():
        _update(endpoint, at, position=after, next_attempt_at=at, lease=None, leased_until=None)
        endpoint.held.filter(position__gt=after).delete()


def position_before(since: datetime) -> int:
    """Return a position with no event after `since` at or below it, for `replay`."""
    ((before,),) = execute(_BEFORE, {"since": since})
    return _checkpoint() if before is None else int(before)


def request_test(endpoint: Endpoint, *, at: datetime) -> str:
    """Send a test message next, also to a paused endpoint; return its id. It replaces a waiting one."""
    test_id = uuid4()
    _update(endpoint, at, test_id=test_id)
    return test_message_id(test_id)


def test_message_id(test_id: UUID) -> str:
    return f"evt_test_{test_id.hex}"


def _given(settings: Settings) -> dict[str, object]:
    found = {name: value for name, value in asdict(settings).items() if value is not UNSET}
    if "event_types" in found:
        found["event_types"] = sorted(set(found["event_types"]))
    return found


def _update(endpoint: Endpoint, at: datetime, **values: object) -> None:
    """Change these columns only, of the row and of the object. A delivery may change others meanwhile."""
    _row(endpoint).update(updated_at=at, **values)
    for name, value in values.items():
        setattr(endpoint, name, value)


def _row(endpoint: Endpoint) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(pk=endpoint.pk)


def _checkpoint() -> int:
    ((position,),) = execute(_CHECKPOINT, {"index": event_index.PROJECTION.name})
    return int(position)
