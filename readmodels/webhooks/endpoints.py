"""The use cases of endpoints, for the API, the back office and the command line.

Each takes one short transaction, logs the change, and refuses actors who may not make it: `by` is
the endpoint's client, the service, an operator, or a staff member with the permission. Use cases
that move the cursor end the lease, so that a delivery in progress cannot move the cursor back.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import unquote
from uuid import UUID, uuid4

from django.conf import settings as configured
from django.db import transaction
from django.db.models import QuerySet
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace

from payments import actors, permissions
from payments.clients.models import Client
from payments.database import execute
from payments.domain.card_numbers import holds_card_number
from readmodels.feed import reading
from readmodels.projections import event_index
from readmodels.webhooks import addresses, keys, waking
from readmodels.webhooks.models import MOST_ENDPOINTS, Endpoint, State

logger: Final = logging.getLogger(__name__)

MANAGE: Final = "webhooks.manage_endpoint"
# The actor of changes that the service makes by itself.
SERVICE: Final = actors.system("webhooks")
# Both secrets sign for this long after a rotation.
OVERLAP: Final = timedelta(hours=24)
_WITHOUT_LEASE: Final[Mapping[str, object]] = {"lease": None, "leased_until": None}
_DELETED_AT_ONCE: Final = 10_000  # attempts of a deleted endpoint, in one transaction

_CHECKPOINT: Final = """
SELECT coalesce((SELECT position FROM readmodels_checkpoint WHERE name = %(index)s), 0)
"""
_DELETE_ATTEMPTS: Final = """
WITH deleted AS (
       DELETE FROM webhooks_attempt WHERE id = ANY(ARRAY(
              SELECT id FROM webhooks_attempt WHERE endpoint_id = %(endpoint)s LIMIT %(limit)s))
       RETURNING 1)
SELECT count(*) FROM deleted
"""
# The positions of events that were recorded at about the same time may be in another order. The
# lowest of many positions skips none of these events.
_BEFORE: Final = """
SELECT min(position) - 1
  FROM (SELECT position FROM readmodels_eventindex WHERE recorded_at >= %(since)s
         ORDER BY recorded_at, position LIMIT 10000) AS first
"""


class TooManyEndpoints(Exception):
    """The client has reached the limit of endpoints."""

    def __init__(self) -> None:
        super().__init__(f"A client can have {MOST_ENDPOINTS} endpoints. Delete one first.")


class UrlTaken(Exception):
    """Another endpoint of the client has the URL, which would receive each event twice."""

    def __init__(self, endpoint_id: UUID) -> None:
        super().__init__(f"The endpoint {endpoint_id} has this URL.")
        self.endpoint_id = endpoint_id


class EndpointGone(Exception):
    """The endpoint has been deleted."""


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of an endpoint. UNSET keeps the old value. An empty `event_types` means all.

    The caller has checked the description and the types.
    """

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    event_types: Sequence[str] | UnsetType = UNSET
    thin: bool | UnsetType = UNSET


def create(client_id: UUID, settings: Settings, *, at: datetime, by: str) -> tuple[Endpoint, str]:
    """Store an endpoint that receives later events; return it with its secret.

    Raises NotPermitted, NotConfigured, InvalidUrl, TooManyEndpoints and UrlTaken.
    """
    _require(client_id, by)
    settings = _with_checked_url(settings)
    secret = keys.new_secret()
    stored = keys.encrypt(secret)
    with transaction.atomic():
        endpoints = _lock(client_id)
        _refuse_taken(endpoints, settings)
        taken = set(endpoints.values_list("number", flat=True))
        free = [number for number in range(1, MOST_ENDPOINTS + 1) if number not in taken]
        if not free:
            raise TooManyEndpoints
        endpoint = Endpoint.objects.create(
            client_id=client_id,
            number=free[0],
            secret=stored,
            position=_checkpoint(),
            next_attempt_at=at,
            created_at=at,
            updated_at=at,
            **_given(settings),
        )
    _log(endpoint, "created", by)
    return endpoint, secret


def change(endpoint: Endpoint, settings: Settings, *, at: datetime, by: str) -> None:
    """Change the settings. A new URL is tried at once. Raises NotPermitted, InvalidUrl and UrlTaken."""
    _require(endpoint.client_id, by)
    settings = _with_checked_url(settings)
    values = _given(settings)
    with transaction.atomic():
        if values.get("url", endpoint.url) != endpoint.url:
            _refuse_taken(_lock(endpoint.client_id).exclude(pk=endpoint.pk), settings)
            _begin(endpoint, at, **values)
        elif "event_types" in values:
            # End the lease, because its holder would skip events of a type that it does not know.
            _update(endpoint, at, **values, **_WITHOUT_LEASE)
            _wake(endpoint)
        else:
            _update(endpoint, at, **values)
    _log(endpoint, f"changed ({', '.join(_given(settings))})", by)


def delete(endpoint: Endpoint, *, at: datetime, by: str) -> None:
    """Delete the endpoint with its attempts and held payments. Raises NotPermitted."""
    pause(endpoint, at=at, by=by)
    parameters = {"endpoint": endpoint.pk, "limit": _DELETED_AT_ONCE}
    while execute(_DELETE_ATTEMPTS, parameters) == [(_DELETED_AT_ONCE,)]:
        pass
    with transaction.atomic():
        # Without the lock, a test that is being recorded could add an attempt in between.
        _row(endpoint).select_for_update().first()
        _row(endpoint).delete()
    _log(endpoint, "deleted", by)


def rotate_secret(endpoint: Endpoint, *, at: datetime, by: str) -> str:
    """Replace the secret, and return the new one. The old one signs for 24 more hours.

    Another rotation in that time keeps the old secret and drops the one in between. So a client
    that did not get the answer can rotate again. Raises NotPermitted and NotConfigured.
    """
    _require(endpoint.client_id, by)
    secret = keys.new_secret()
    stored = keys.encrypt(secret)
    with transaction.atomic():
        row = _row(endpoint).select_for_update(no_key=True).first()
        if row is None:
            raise EndpointGone
        overlaps = row.old_secret_until is not None and at < row.old_secret_until
        old = row.old_secret if overlaps else row.secret
        _update(endpoint, at, secret=stored, old_secret=old, old_secret_until=at + OVERLAP)
    _log(endpoint, "secret rotated", by)
    return secret


def pause(endpoint: Endpoint, *, at: datetime, by: str) -> None:
    """Stop deliveries until `resume`. Events are kept. Raises NotPermitted."""
    _require(endpoint.client_id, by)
    _stop(endpoint, State.PAUSED, "", at)
    _log(endpoint, "paused", by)


def disable(endpoint: Endpoint, *, reason: str, at: datetime, by: str) -> None:
    """Stop deliveries, and show why. Raises NotPermitted."""
    _require(endpoint.client_id, by)
    _stop(endpoint, State.DISABLED, reason, at)
    _log(endpoint, f"disabled ({reason})", by)


def resume(endpoint: Endpoint, *, at: datetime, by: str) -> None:
    """Deliver from the cursor on, and try held payments again, both at once.

    Raises NotPermitted.
    """
    _require(endpoint.client_id, by)
    with transaction.atomic():
        _begin(endpoint, at, state=State.ACTIVE, disabled_reason="")
    _log(endpoint, "resumed", by)


def replay(endpoint: Endpoint, *, after: int, at: datetime, by: str) -> None:
    """Deliver the events after a position again. Raises NotPermitted and PositionAhead.

    Held payments after the position are delivered in their order again. A position after the cursor
    skips events.
    """
    _require(endpoint.client_id, by)
    reading.check_in_log(after)
    with transaction.atomic():
        _update(endpoint, at, position=after, next_attempt_at=at, **_WITHOUT_LEASE)
        endpoint.held.filter(position__gt=after).delete()
        _wake(endpoint)
    _log(endpoint, f"replayed after {after}", by)


def replay_since(endpoint: Endpoint, *, since: datetime, at: datetime, by: str) -> None:
    """Deliver the events recorded since a time again. Skips no undelivered event.

    Raises NotPermitted.
    """
    after = min(position_before(since), endpoint.position)
    replay(endpoint, after=after, at=at, by=by)


def position_before(since: datetime) -> int:
    """Return a position for `replay`: no event recorded since then is at or below it."""
    ((before,),) = execute(_BEFORE, {"since": since})
    return _checkpoint() if before is None else int(before)


def request_test(endpoint: Endpoint, *, at: datetime, by: str) -> str:
    """Send a test message next, also to a paused endpoint, and return its id.

    It replaces a test that still waits. Raises NotPermitted.
    """
    _require(endpoint.client_id, by)
    test_id = uuid4()
    _update(endpoint, at, test_id=test_id)
    _wake(endpoint)
    _log(endpoint, "test requested", by)
    return test_message_id(test_id)


def test_message_id(test_id: UUID) -> str:
    return f"evt_test_{test_id.hex}"


def _require(client_id: UUID, by: str) -> None:
    if by not in {actors.client(client_id), SERVICE}:
        permissions.require(by, MANAGE, operators=True)


def _with_checked_url(settings: Settings) -> Settings:
    """Return the settings with the URL in its normal form. Looks up its host. Raises InvalidUrl."""
    if settings.url is UNSET:
        return settings
    if holds_card_number(unquote(settings.url)):
        raise addresses.InvalidUrl("The URL seems to contain a card number, which is never stored.")
    return replace(settings, url=addresses.check_url(settings.url, debug=configured.WEBHOOK_DEBUG))


def _lock(client_id: UUID) -> QuerySet[Endpoint]:
    """Lock the client, so that two calls take neither the same number nor the same URL."""
    Client.objects.select_for_update(no_key=True).get(pk=client_id)
    return Endpoint.objects.filter(client_id=client_id)


def _refuse_taken(others: QuerySet[Endpoint], settings: Settings) -> None:
    if same := others.filter(url=settings.url).first():
        raise UrlTaken(same.pk)


def _begin(endpoint: Endpoint, at: datetime, **values: object) -> None:
    """Forget failures, and try everything now, held payments too.

    The lease ends, so that a delivery in progress cannot record a failure.
    """
    _update(
        endpoint,
        at,
        failures=0,
        failing_since=None,
        next_attempt_at=at,
        **_WITHOUT_LEASE,
        **values,
    )
    # After the endpoint's row, because a delivery locks the rows in this order too.
    endpoint.held.update(next_attempt_at=at)
    _wake(endpoint)


def _stop(endpoint: Endpoint, state: State, reason: str, at: datetime) -> None:
    _update(endpoint, at, state=state, disabled_reason=reason, **_WITHOUT_LEASE)


def _wake(endpoint: Endpoint) -> None:
    """Deliver at once instead of at beat's next turn."""
    transaction.on_commit(lambda: waking.wake(endpoint.pk))


def _given(settings: Settings) -> dict[str, object]:
    found = {name: value for name, value in asdict(settings).items() if value is not UNSET}
    if "event_types" in found:
        found["event_types"] = sorted(set(found["event_types"]))
    return found


def _update(endpoint: Endpoint, at: datetime, **values: object) -> None:
    """Change only these columns, in the row and in the object. A delivery may be changing others.

    Raises EndpointGone.
    """
    values["updated_at"] = at
    if not _row(endpoint).update(**values):
        raise EndpointGone
    for name, value in values.items():
        setattr(endpoint, name, value)


def _row(endpoint: Endpoint) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(pk=endpoint.pk)


def _checkpoint() -> int:
    ((position,),) = execute(_CHECKPOINT, {"index": event_index.PROJECTION.name})
    return int(position)


def _log(endpoint: Endpoint, change: str, by: str) -> None:
    logger.info("Webhook endpoint %s: %s by %s.", endpoint.pk, change, by)
