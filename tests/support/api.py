"""A client of the API as its tests use it: real requests through every middleware."""

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
from payments.clients.models import Client, Scope
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
# Over the review limit, by card, from somebody who never paid before.
RISKY: Final = BODY | {"amount": 15_000_00, "currency": "USD", "reference": "order-981"}
# Two people have to approve it.
FOUR_EYES: Final = RISKY | {"amount": 22_000_00}


class ApiClient:
    """A merchant with one key. `staff_id` is who decides with it, under the name `staff`."""

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
        if scopes is None or Scope.REVIEWS_WRITE in scopes:
            self.staff_id = reviewer(staff, senior=senior).pk
        self.key, self.token = keys.create(
            self.client, scopes or list(Scope.values), staff_id=self.staff_id, by=OPERATOR
        )
        keyring.forget()
        # What a view raises becomes an answer, as on a real server.
        self._browser = Browser(raise_request_exception=False)

    @property
    def client_id(self) -> UUID:
        return self.client.pk

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.send("GET", path, b"", **headers)

    def submit(self, key: str | None = None, **changes: Any) -> HttpResponse:
        """Submit BODY with `changes`, under a new key unless one is given."""
        return self.post(PAYMENTS, BODY | changes, key=key)

    def post(self, path: str, body: Any, key: str | None = None, **headers: str) -> HttpResponse:
        """With what every command needs; a decision is about whatever the payment is now."""
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
    """The OpenAPI document, read once."""
    answer = Browser().get("/api/schema/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    return json.loads(answer.content)


def body_of(answer: Any) -> Any:
    return json.loads(answer.content)
