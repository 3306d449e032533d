"""Write many past payments quickly, to try the service with a large log."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from payments import actors, pseudonyms
from payments.application import dispatch, idempotency
from payments.customers import registry
from payments.domain.payment.commands import ProcessPayment
from payments.traffic import simulation

_BATCH: Final = 1_000
_YEARS: Final = timedelta(days=3 * 365)


def write(
    client_id: UUID, *, events: int, seed: int, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Append at least `events` events, two for each payment; return the number. Risk is not assessed."""
    pseudonyms.require_key()
    attempts = simulation.attempts(seed)
    moments = simulation.moments(seed, until=datetime.now(UTC), over=_YEARS)
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
        progress(min(written, events))
    return written
