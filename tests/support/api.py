"""A client of the API. Its requests pass every middleware."""

import json
from functools import cache
from typing import Any, Final
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.test import Client as Browser

from payments.clients import keys
from payments.clients.keyring import keyring
from payments.clients.models import OF_STAFF, Client, Scope
from readmodels.engine.runner import catch_up
from readmodels.projections import PROJECTIONS
from tests.support.examples import OPERATOR

PAYMENTS: Final = "/api/v1/payments"
BODY: Final[dict[str, Any]] = {
    "amount": 1999,
    "currency": "EUR",
    "method": "credit_card",
    "customer_id": "customer-123",
}
# Waits for review, because it is a large card payment of a new customer.
RISKY: Final = BODY | {"amount": 15_000_00, "currency": "USD", "reference": "order-981"}
# Needs the approval of two reviewers.
FOUR_EYES: Final = RISKY | {"amount": 22_000_00}
# The permissions that a staff member needs for a key with a policy scope.
_TESTING: Final = ("see_policies", "view_backtest", "run_backtest")


class ApiClient:
    """A merchant with an API key. Decisions with the key are those of the user `staff`."""

    def __init__(
        self,
        name: str = "Acme",
        *,
        scopes: list[str] | None = None,
        staff: str = "ada",
        senior: bool = False,
    ) -> None:
        self.client, _ = Client.objects.get_or_create(name=name)
        self.staff_id: int | None = None
        if scopes is None or OF_STAFF & set(scopes):
            user = reviewer(staff, senior=senior)
            user.user_permissions.add(*Permission.objects.filter(codename__in=_TESTING))
            self.staff_id = user.pk
        self.key, self.token = keys.create(
            self.client, scopes or list(Scope.values), staff_id=self.staff_id, by=OPERATOR
        )
        keyring.forget()
        # As on a real server, an exception in a view becomes an answer.
        self._browser = Browser(raise_request_exception=False)

    @property
    def client_id(self) -> UUID:
        return self.client.pk

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.send("GET", path, b"", **headers)

    def submit(self, key: str | None = None, **changes: Any) -> HttpResponse:
        """Submit BODY with `changes`, with a new idempotency key unless `key` is given."""
        return self.post(PAYMENTS, BODY | changes, key=key)

    def post(self, path: str, body: Any, key: str | None = None, **headers: str) -> HttpResponse:
        """Send a command with the required headers. It applies to any version of the payment."""
        headers = {"Idempotency-Key": key or str(uuid4()), "If-Match": "*"} | headers
        return self.send("POST", path, json.dumps(body).encode(), **headers)

    def send(
        self,
        method: str,
        path: str,
        data: bytes = b"",
        content_type: str = "application/json",
        **headers: str,
    ) -> HttpResponse:
        headers = {"Authorization": f"Bearer {self.token}"} | headers
        return self._browser.generic(  # type: ignore[return-value]
            method, path, data, content_type=content_type, headers=headers
        )


def reviewer(username: str = "ada", *, allowed: bool = True, senior: bool = False) -> Any:
    user, _ = get_user_model().objects.get_or_create(username=username, is_staff=True)
    if allowed:
        user.user_permissions.add(Permission.objects.get(codename="review_payment"))
    if senior:
        user.user_permissions.add(Permission.objects.get(codename="review_as_senior"))
    return user


def project() -> None:
    """Bring all read models up to date, as the workers would."""
    for projection in PROJECTIONS.values():
        catch_up(projection)


@cache
def document() -> Any:
    """Return the OpenAPI document. It is requested once."""
    answer = Browser().get("/api/schema/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    return json.loads(answer.content)


def body_of(answer: Any) -> Any:
    return json.loads(answer.content)


def ids(client: ApiClient, path: str = PAYMENTS) -> list[str]:
    """Return the ids of the payments in a list, in its order."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return [payment["id"] for payment in body_of(answer)["payments"]]
