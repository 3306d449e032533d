"""Add endpoints and payments to another service's database.

Usage: `python -m tests.support.webhook_traffic URLS PAYMENTS REFUNDS`. URLS is a JSON document
{client: {endpoint: URL}}. Prints the endpoints' secrets as JSON.
"""

import json
import sys
from datetime import UTC, datetime
from uuid import UUID, uuid4

import django


def main(urls: dict[str, dict[str, str]], payments: int, refunds: int) -> None:
    """Make endpoints for clients, then append the events of `payments` payments for each client.

    Each payment is completed and then refunded `refunds` times. The refunds of all payments
    alternate.
    """
    from payments.aggregates import PAYMENT_AGGREGATE
    from payments.clients.models import Client
    from payments.domain.payment.events import AnyPaymentEvent
    from payments.events import store
    from payments.events.metadata import Metadata
    from readmodels.webhooks import keys
    from tests.support.example_events import initiated, processed, refunded
    from tests.support.webhooks import endpoint

    secrets = {}
    for client, endpoints in urls.items():
        for name, url in endpoints.items():
            secrets[name] = keys.decrypt(endpoint(client, url).secret)
    print(json.dumps(secrets), flush=True)
    metadata = Metadata(actor="system:test", command="process_payment")
    now = datetime.now(UTC)
    streams: list[tuple[UUID, UUID]] = [
        (uuid4(), client.pk)
        for client in Client.objects.filter(name__in=urls)
        for _ in range(payments)
    ]
    for stream, client_id in streams:
        changes = {"client_id": client_id, "at": now}
        begun: list[AnyPaymentEvent] = [initiated(**changes), processed(**changes)]
        store.append(PAYMENT_AGGREGATE, stream, begun, expected=0, metadata=metadata)
    for number in range(refunds):
        for stream, client_id in streams:
            event = refunded(1, number + 1, client_id=client_id, at=now, refund_id=uuid4())
            store.append(PAYMENT_AGGREGATE, stream, [event], expected=2 + number, metadata=metadata)


if __name__ == "__main__":
    django.setup()
    main(json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
