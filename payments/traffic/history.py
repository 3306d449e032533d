"""Write many past payments quickly, to try the service with a large log."""

import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from payments import actors, pseudonyms
from payments.application import bulk, dispatch, idempotency
from payments.customers import registry
from payments.domain.payment.commands import ProcessPayment
from payments.traffic import dispute_stories, simulation
from payments.traffic.dispute_stories import Paid

_BATCH: Final = 1_000
_YEARS: Final = timedelta(days=3 * 365)


def write(
    client_id: UUID,
    *,
    events: int,
    seed: int,
    disputes: float = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Append at least `events` events, two for each payment; return the number. Risk is not assessed.

    The share `disputes` (0 to 1) of the payments is disputed, which adds one to three events to
    each.
    """
    pseudonyms.require_key()
    now = datetime.now(UTC)
    attempts = simulation.attempts(seed)
    moments = simulation.moments(seed, until=now, over=_YEARS)
    written = 0
    while written < events:
        batch = {}
        for attempt, at in itertools.islice(zip(attempts, moments, strict=False), _BATCH):
            customer_id = pseudonyms.customer_id(client_id, attempt.customer_reference)
            batch[attempt.key] = (attempt.customer_reference, customer_id, attempt, at)
        registry.register_all(
            {customer_id: (client_id, reference) for reference, customer_id, _, _ in batch.values()}
        )
        commands = [
            (
                ProcessPayment(
                    payment_id=idempotency.payment_id(client_id, key),
                    client_id=client_id,
                    customer_id=customer_id,
                    amount=attempt.amount,
                    method=attempt.method,
                    at=at,
                ),
                dispatch.CommandContext(actor=actors.system("simulation"), key=key),
            )
            for key, (_, customer_id, attempt, at) in batch.items()
        ]
        written += 2 * dispatch.dispatch_new(commands)
        if disputes:
            paid = [
                Paid(idempotency.payment_id(client_id, key), client_id, attempt, at)
                for key, (_, _, attempt, at) in batch.items()
            ]
            written += _dispute(paid, disputes, until=now)
        progress(min(written, events))
    return written


def _dispute(payments: Iterable[Paid], share: float, *, until: datetime) -> int:
    """Dispute a share of the payments, up to the time `until`. Return the number of events."""
    due = [
        notice
        for paid in payments
        for notice in dispute_stories.notices(paid, share)
        if notice.at <= until
    ]
    context = dispatch.CommandContext(actor=actors.system("simulation"))
    decisions = bulk.dispatch_all(due, context) if due else []
    # Other decisions are refusals: a payment over its method's limit has failed and is not
    # disputable.
    return sum(len(each) for each in decisions if isinstance(each, tuple))
