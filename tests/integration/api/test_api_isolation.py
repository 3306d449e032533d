"""No endpoint shows a client any data of another client. Every URL is checked."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from msgspec import Struct

from payments.api.http.authentication import permitting
from payments.api.http.base import KeyView
from payments.clients.models import Scope
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.events.models import Event
from readmodels.backtests.models import Backtest
from readmodels.models import PaymentSummary
from readmodels.webhooks.models import Endpoint as WebhookEndpoint
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, document, project
from tests.support.backtests import ask as ask_backtest
from tests.support.webhooks import URL, attempt, endpoint as webhook_endpoint, hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOBODYS: Final = "00000000-0000-4000-8000-000000000000"
DISPUTE: Final = "dispute-of-nobody"
CUSTOMER: Final = "customer-of-acme"
SECRETS: Final = (CUSTOMER, "order-of-acme", "1234567", "hook-of-acme")
# Reads whose answers do not contain the payment of this test.
WITHOUT_PAYMENT: Final = {
    "backtest",
    "backtests",
    "disputes",
    "event-types",
    "key",
    "payment-refunds",
    "policies",
    "policy",
    "projections",
    "webhook-keys",
}
# The refusal's code for another client's id in the path.
NOT_FOUND: Final = {
    "payment_id": "payment_not_found",
    "endpoint_id": "webhook_endpoint_not_found",
}
# Endpoints that require a query.
QUERIES: Final = {
    "payment-state": "?version=1",
    "daily-statistics": f"?date={timezone.now().date()}",
}


class Endpoint(Struct, frozen=True):
    name: str
    method: str
    path: str  # as the OpenAPI document has it
    scopes: tuple[Scope, ...]

    def address(self, **values: str) -> str:
        """Return the URL. A new parameter raises KeyError until these tests have a value for it."""
        return self.path.format_map(values) + QUERIES.get(self.name, "")

    @property
    def not_found(self) -> str | None:
        found = [code for name, code in NOT_FOUND.items() if f"{{{name}}}" in self.path]
        return found[0] if found else None


def endpoints() -> list[Endpoint]:
    return [
        Endpoint(pattern.name or path, method, path, permitting(scopes))
        for path, pattern in patterns(get_resolver().url_patterns, "/")
        if issubclass(getattr(pattern.callback, "view_class", object), KeyView)
        for method, scopes in pattern.callback.view_class.scopes.items()  # type: ignore[attr-defined]
    ]


def patterns(
    found: list[URLPattern | URLResolver], prefix: str
) -> Iterator[tuple[str, URLPattern]]:
    for each in found:
        path = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(each.pattern))
        if isinstance(each, URLResolver):
            yield from patterns(each.url_patterns, path)
        else:
            yield path, each


ENDPOINTS: Final = endpoints()
COMMANDS: Final = [
    endpoint
    for endpoint in ENDPOINTS
    if endpoint.method == "POST"
    and "/webhook-" not in endpoint.path
    and endpoint.name != "backtest-cancel"
]
every_endpoint: Final = pytest.mark.parametrize(
    "endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.name}"
)


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient("Acme")


@pytest.fixture
def payment(acme: ApiClient) -> str:
    """Return a payment that waits for review and is in every read model.

    One id fits every URL, because a webhook endpoint that rejected the payment has the same id.
    """
    flagged = RISKY | {"reference": "order-of-acme", "customer_id": CUSTOMER, "amount": 1_234_567}
    answer = body_of(acme.submit(**flagged))
    assert answer["status"] == "pending_review"
    project()
    WebhookEndpoint.objects.filter(pk=webhook_endpoint("Acme", f"{URL}/hook-of-acme").pk).update(
        id=answer["id"]
    )
    rejecting = WebhookEndpoint.objects.get()
    attempt(rejecting, payment_id=answer["id"])
    hold(rejecting, payment_id=answer["id"])
    ask_backtest(DEFAULT_POLICY)
    return str(answer["id"])


def ask(client: ApiClient, endpoint: Endpoint, some_id: str) -> Any:
    address = endpoint.address(
        payment_id=some_id,
        endpoint_id=some_id,
        customer_id=CUSTOMER,
        dispute_id=DISPUTE,
        policy_id=DEFAULT_POLICY.policy_id,
        backtest_id=str(Backtest.objects.latest("created_at").pk),
    )
    if endpoint.method == "GET":
        return client.get(address)
    headers = {"Idempotency-Key": "key-1", "If-Match": "*"}
    return client.send(endpoint.method, address, json.dumps(example(endpoint)).encode(), **headers)


def example(endpoint: Endpoint) -> Any:
    """Return an example body from the document."""
    operation = document()["paths"][endpoint.path][endpoint.method.lower()]
    if "requestBody" not in operation:
        return {}
    shown = operation["requestBody"]["content"]["application/json"]["examples"]
    body = next(iter(shown.values()))["value"]
    if "policy_id" in body:
        return {"policy_id": DEFAULT_POLICY.policy_id}
    return body | {"url": URL} if "url" in body else body


def comparable(answer: Any, payment_id: str) -> Any:
    """Return the answer without the ids of the payment and the request."""
    headers = {
        name: value for name, value in answer.items() if name not in {"X-Request-ID", "RateLimit"}
    }
    body = {name: value for name, value in body_of(answer).items() if name != "request_id"}
    return answer.status_code, headers, json.dumps(body).replace(payment_id, "ID")


def test_isolation_tests_cover_every_endpoint() -> None:
    assert {(PAYMENTS, "GET"), (PAYMENTS, "POST")} <= {
        (each.path, each.method) for each in ENDPOINTS
    }
    assert len(ENDPOINTS) >= 10


@every_endpoint
@pytest.mark.parametrize("projected", [True, False])
def test_payment_of_another_client_is_not_found(
    acme: ApiClient, payment: str, endpoint: Endpoint, *, projected: bool
) -> None:
    """This test fails for an endpoint whose SQL ignores the client."""
    if not projected:
        PaymentSummary.objects.all().delete()
    bolt, before = ApiClient("Bolt"), Event.objects.count()
    answer = ask(bolt, endpoint, payment)
    if endpoint.not_found:
        assert (answer.status_code, body_of(answer)["code"]) == (404, endpoint.not_found)
        assert comparable(answer, payment) == comparable(ask(bolt, endpoint, NOBODYS), NOBODYS)
        assert Event.objects.count() == before
    else:
        assert answer.status_code in {200, 201, 202, 204}
        content = answer.content.decode()
        for secret in (payment, *SECRETS):
            assert secret not in content


@every_endpoint
def test_payment_is_visible_to_its_client(
    acme: ApiClient, payment: str, endpoint: Endpoint
) -> None:
    """The test above is only meaningful if the owner sees the payment."""
    answer = ask(acme, endpoint, payment)
    # A 409 passes too: it shows the payment's status, which does not allow the command.
    assert answer.status_code in {200, 201, 202, 204, 409}, answer.content
    if endpoint.method == "GET" and endpoint.name not in WITHOUT_PAYMENT:
        content = answer.content.decode()
        assert any(secret in content for secret in (payment, *SECRETS))


@pytest.mark.parametrize("endpoint", COMMANDS, ids=lambda endpoint: endpoint.name)
def test_idempotency_key_refuses_card_numbers_for_every_command(
    acme: ApiClient, payment: str, endpoint: Endpoint
) -> None:
    """Payment ids are unkeyed hashes of these keys, so trying all numbers would reveal a card."""
    before = Event.objects.count()
    address = endpoint.address(payment_id=payment, dispute_id=DISPUTE)

    answer = acme.post(address, example(endpoint), key="card-4111111111111111")

    problem = body_of(answer)
    assert (answer.status_code, problem["code"]) == (400, "idempotency_key_invalid")
    assert "4111111" not in answer.content.decode()
    assert Event.objects.count() == before


@every_endpoint
def test_every_endpoint_needs_a_key_with_its_scope(payment: str, endpoint: Endpoint) -> None:
    others = [scope for scope in Scope.values if scope not in endpoint.scopes]
    if others:
        answer = ask(ApiClient("Acme", scopes=others), endpoint, payment)
        assert (answer.status_code, body_of(answer)["code"]) == (403, "permission_denied")
        assert "RateLimit" in answer
    stranger = ApiClient("Acme")
    stranger.token = "pk_nobodys"
    answer = ask(stranger, endpoint, payment)
    assert (answer.status_code, body_of(answer)["code"]) == (401, "not_authenticated")
