"""Webhook endpoints and deliveries for tests."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils import timezone

from payments import actors
from payments.clients.models import Client
from readmodels.feed import reading
from readmodels.webhooks import delivery, endpoints, keys
from readmodels.webhooks.endpoints import Settings
from readmodels.webhooks.models import Attempt, Endpoint, HeldPayment, Outcome
from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.examples import NOON, PAYMENT
from tests.support.sinks import Received, Reply, Sink

# A public IP address, so that no name server is needed.
URL = "https://93.184.215.14/hook"


def endpoint(name: str = "Acme", url: str = URL, **settings: Any) -> Endpoint:
    """Return a new endpoint of the client with this name."""
    client, _ = Client.objects.get_or_create(name=name)
    made, _ = endpoints.create(
        client.pk, Settings(url=url, **settings), at=NOON, by=actors.client(client.pk)
    )
    return made


def receiver(sink: Sink, path: str = "/hook", name: str = "Acme", **settings: Any) -> Endpoint:
    """Return a new endpoint of the client at the sink. The sink verifies the messages."""
    made = endpoint(name, sink.url + path, **settings)
    sink.secrets[path] = keys.decrypt(made.secret)
    return made


def deliver(to: Endpoint, at: datetime | None = None, **options: Any) -> Endpoint:
    """Deliver for one turn, with retries exactly on schedule. Return the endpoint afterwards."""
    delivery.deliver(to.pk, at=at or timezone.now(), **{"chance": lambda: 0.5} | options)
    return Endpoint.objects.get(pk=to.pk)


def attempt(made: Endpoint, **changes: Any) -> Attempt:
    """Store an attempt that delivered an event to the endpoint."""
    values: dict[str, Any] = {
        "message_id": "evt_7",
        "event_type": "payment.processed",
        "position": 7,
        "payment_id": PAYMENT,
        "number": 1,
        "at": NOON,
        "milliseconds": 12,
        "outcome": Outcome.DELIVERED,
        "status": 204,
    }
    return Attempt.objects.create(endpoint=made, **values | changes)


def hold(made: Endpoint, **changes: Any) -> HeldPayment:
    """Store a held payment that the endpoint has rejected."""
    values: dict[str, Any] = {
        "payment_id": PAYMENT,
        "position": 7,
        "since": NOON,
        "tries": 3,
        "next_attempt_at": NOON,
        "error": "The endpoint answered 422.",
    }
    return HeldPayment.objects.create(endpoint=made, **values | changes)


def submit(acme: ApiClient, count: int = 1) -> list[str]:
    """Submit payments of one event each. Return their ids."""
    payments = [body_of(acme.submit())["id"] for _ in range(count)]
    project()
    return payments


def refund(acme: ApiClient, payment: str, times: int = 1) -> None:
    """Refund the payment `times` times, which appends an event each time."""
    for _ in range(times):
        body = {"amount": 1, "currency": "EUR", "reason": "requested_by_customer"}
        assert acme.post(f"{PAYMENTS}/{payment}/refunds", body).status_code < 300
    project()


def rejecting(*payments: str, status: int = 422) -> Callable[[Received], Reply]:
    return lambda message: Reply(status if message.payment_id in payments else 204)


def feed(acme: ApiClient) -> list[str]:
    """Return the ids of the client's events, in order."""
    page = reading.read(acme.client_id, after=0, limit=1_000)
    return [event.id for event in page.events]


def outcomes() -> list[tuple[str, int | None]]:
    """Return the outcome and the status of all attempts, in order."""
    return list(Attempt.objects.order_by("id").values_list("outcome", "status"))
