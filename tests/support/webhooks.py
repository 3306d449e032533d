"""Webhook endpoints of tests."""

from typing import Any

from payments import actors
from payments.clients.models import Client
from readmodels.webhooks import endpoints
from readmodels.webhooks.endpoints import Settings
from readmodels.webhooks.models import Endpoint
from tests.support.examples import NOON

# A public address, which needs no name server.
URL = "https://93.184.215.14/hook"


def endpoint(name: str = "Acme", url: str = URL, **settings: Any) -> Endpoint:
    """Return a new endpoint of the client with this name."""
    client, _ = Client.objects.get_or_create(name=name)
    made, _ = endpoints.create(
        client.pk, Settings(url=url, **settings), at=NOON, by=actors.client(client.pk)
    )
    return made
