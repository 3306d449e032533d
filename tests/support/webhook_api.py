"""API requests for webhook endpoints."""

import json
from typing import Any

from readmodels.webhooks.models import Endpoint
from tests.support.api import ApiClient, body_of
from tests.support.webhooks import URL

ENDPOINTS = "/api/v1/webhook-endpoints"


def send(client: ApiClient, method: str, path: str, body: Any = None) -> Any:
    data = b"" if body is None else json.dumps(body).encode()
    return client.send(method, path, data)


def create(client: ApiClient, **changes: Any) -> Any:
    answer = send(client, "POST", ENDPOINTS, {"url": URL} | changes)
    assert answer.status_code == 201, answer.content
    return body_of(answer)


def at(made: Any) -> str:
    return f"{ENDPOINTS}/{made['id']}"


def stored(made: Any) -> Endpoint:
    return Endpoint.objects.get(pk=made["id"])


def errors(answer: Any) -> set[tuple[str, str]]:
    assert answer.status_code == 400, answer.content
    return {(error["field"], error["code"]) for error in body_of(answer)["errors"]}
