"""Deliver a client's events to one endpoint, in order per payment and at least once.

A turn takes the endpoint's lease and works in rounds. A round reads a page of the feed and the held payments
that are due, sends them, and records the results in one statement. Payments are sent in parallel, the events
of one payment in sequence.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import zip_longest
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from payments.database import require_no_transaction
from readmodels.feed import reading
from readmodels.feed.events import EVENT_TYPES, FeedEvent
from readmodels.webhooks import keys, leases, rounds, signing, verdicts
from readmodels.webhooks.keys import UnreadableSecret
from readmodels.webhooks.leases import Changes, Due, Lease
from readmodels.webhooks.messages import Message
from readmodels.webhooks.models import Outcome
from readmodels.webhooks.rounds import Group, Round
from readmodels.webhooks.sending import Answer, Sender

logger = logging.getLogger(__name__)

# After its turn an endpoint goes to the end of the queue, so that other endpoints get theirs.
TURN_SECONDS: Final = 20.0
_PAGE: Final = 100
# The most due held payments in a round.
_MOST_DUE: Final = 20
# Seconds to record the results, between the end of the longest request and the end of the lease.
_TO_RECORD: Final = 1.0

# Set when the worker shuts down. Turns then end after the requests in progress.
stopping: Final = threading.Event()


class End(Enum):
    """Why a turn ended. `NOT_DUE`: another worker has the lease, or nothing may be sent now."""

    NOT_DUE = auto()
    DONE = auto()
    UNFINISHED = auto()


def deliver(
    endpoint_id: UUID,
    *,
    at: datetime,
    seconds: float = TURN_SECONDS,
    on_lease: Callable[[], None] = lambda: None,
    chance: Callable[[], float] = random.random,
) -> End:
    """Send the endpoint's next messages for one turn, which begins at `at`.

    `on_lease` is called after the lease is taken, before anything is read. Raises NotConfigured, and what
    `reading.read` raises.
    """
    require_no_transaction()
    pairs = keys.signing_keys()
    began = time.monotonic()

    def now() -> datetime:
        return at + timedelta(seconds=time.monotonic() - began)

    lease = leases.take(endpoint_id, at=at, until=_lease_end(at))
    if lease is None:
        return End.NOT_DUE
    on_lease()
    with Sender(
        lease.url, seconds=settings.WEBHOOK_SECONDS, debug=settings.WEBHOOK_DEBUG
    ) as sender:
        turn = _Turn(lease, pairs, sender, now, chance)
        return turn.run(until=at + timedelta(seconds=seconds))


class _Turn:
    """A turn, during which the worker holds the endpoint's lease."""

    def __init__(
        self,
        lease: Lease,
        pairs: Sequence[Ed25519PrivateKey],
        sender: Sender,
        now: Callable[[], datetime],
        chance: Callable[[], float],
    ) -> None:
        self._lease = lease
        self._pairs = pairs
        self._secrets = _secrets(lease)
        self._sender = sender
        self._now = now
        self._chance = chance

    def run(self, *, until: datetime) -> End:
        if self._lease.test_id is not None and not self._send_test(self._lease.test_id):
            return End.DONE
        while self._lease.due:
            if not self._take_round(until):
                return End.DONE
            if stopping.is_set() or self._now() >= until:
                return End.UNFINISHED
        return End.DONE

    def _send_test(self, test_id: UUID) -> bool:
        """Send a test message once. Its outcome changes nothing else.

        Return whether this turn still holds the lease.
        """
        lease, at = self._lease, self._now()
        message = Message.of_test(test_id, lease.endpoint_id, at=at)
        answer = self._send(message, at)
        attempt = rounds.tried(message, answer, verdicts.judge(answer), at=at, number=1)
        changes = Changes(
            position=lease.position,
            failures=lease.failures,
            failing_since=lease.failing_since,
            test=test_id,
            attempts=[attempt],
        )
        return self._record(changes, keep=lease.due)

    def _take_round(self, until: datetime) -> bool:
        """Send the next page and due held payments. Return whether there may be more to send now."""
        lease = self._lease
        page = reading.read(
            lease.client_id, after=lease.position, limit=_PAGE, types=lease.event_types or _ALL
        )
        due = leases.due(lease, at=self._now(), limit=_MOST_DUE) if lease.held else []
        groups = _interleave(self._of_page(page.events), self._of_held(due, page.next_after))
        last_start = min(until, lease.until - _longest())
        sending = Round(
            lease,
            self._send,
            now=self._now,
            may_start=lambda: not stopping.is_set() and self._now() < last_start,
        )
        sending.run(groups)
        changes = rounds.settle(
            lease,
            groups,
            upto=page.next_after,
            attempts=sending.attempts,
            failure=sending.failure,
            at=self._now(),
            chance=self._chance,
        )
        finished = page.caught_up and not due and changes.position == page.next_after
        more = sending.failure is None and not finished
        keep = more and not stopping.is_set() and self._now() < until
        return self._record(changes, keep=keep) and more

    def _of_page(self, events: Sequence[FeedEvent]) -> list[Group]:
        """Group the events by payment, without those of held payments."""
        held = set(self._lease.held)
        groups: dict[UUID, Group] = {}
        for event in events:
            payment_id = event.data.payment_id
            if payment_id not in held:
                groups.setdefault(payment_id, Group(payment_id, [])).events.append(event)
        return list(groups.values())

    def _of_held(self, due: Sequence[Due], upto: int) -> list[Group]:
        """Return the events of held payments, from the first undelivered one on.

        Events of the page are included, because the cursor moves past them.
        """
        if not due:
            return []
        groups = {row.payment_id: Group(row.payment_id, [], row) for row in due}
        events = reading.read_payments(
            self._lease.client_id,
            {row.payment_id: row.position - 1 for row in due},
            upto=upto,
            types=self._lease.event_types or _ALL,
            limit=rounds.MOST_OF_PAYMENT,
        )
        for event in events:
            groups[event.data.payment_id].events.append(event)
        return list(groups.values())

    def _send(self, message: Message, at: datetime) -> Answer:
        if not self._secrets:
            # The error is shown among the attempts, like an answer.
            return Answer(error=str(UnreadableSecret()), milliseconds=0)
        headers = signing.headers(
            message.id, at, message.body, secrets=self._secrets, pairs=self._pairs
        )
        return self._sender.send(message.body, headers)

    def _record(self, changes: Changes, *, keep: bool) -> bool:
        """Store the changes, and keep or release the lease. Return False if it was lost."""
        at = self._now()
        changes.until = _lease_end(at) if keep else None
        if not leases.record(self._lease, changes, at=at):
            logger.info("The lease of webhook endpoint %s was lost.", self._lease.endpoint_id)
            return False
        self._lease = self._lease.after(changes)
        _log(self._lease, changes)
        return True


_ALL: Final = tuple(EVENT_TYPES)


def _secrets(lease: Lease) -> list[bytes]:
    """Return the secrets to sign with, none if the current one is not readable."""
    try:
        secrets = [keys.secret_bytes(keys.decrypt(lease.secret))]
    except UnreadableSecret:
        return []
    if lease.old_secret is not None:
        with suppress(UnreadableSecret):
            secrets.append(keys.secret_bytes(keys.decrypt(lease.old_secret)))
    return secrets


def _interleave(page: Sequence[Group], held: Sequence[Group]) -> list[Group]:
    """Return all groups in turns, so that a slow endpoint starves neither kind."""
    return [group for pair in zip_longest(page, held) for group in pair if group is not None]


def _log(lease: Lease, changes: Changes) -> None:
    if changes.disabled:
        logger.warning("Webhook endpoint %s was disabled: %s", lease.endpoint_id, changes.disabled)
    for attempt in changes.attempts:
        if attempt.outcome is Outcome.DROPPED:
            logger.warning(
                "%s was dropped for webhook endpoint %s: %s",
                attempt.message_id,
                lease.endpoint_id,
                attempt.error,
            )


def _longest() -> timedelta:
    """Return the time from the last possible start of a request to the end of the lease."""
    return timedelta(seconds=settings.WEBHOOK_SECONDS + _TO_RECORD)


def _lease_end(at: datetime) -> datetime:
    """Return the end of a lease: requests may begin for WEBHOOK_SECONDS, and the last may take as long."""
    return at + _longest() + timedelta(seconds=settings.WEBHOOK_SECONDS)
