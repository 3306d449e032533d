"""UUIDs in upper case, as Swift and SQL Server print them, are accepted."""

from typing import Any

import pytest
from django.urls import reverse

from payments.clients.models import ApiKey
from payments.customers.models import Customer
from tests.support.api import PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.backoffice import browser, reveal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient()


@pytest.fixture
def payment(acme: ApiClient) -> str:
    payment: str = body_of(acme.submit(**RISKY))["id"]
    project()
    return payment


@pytest.mark.parametrize("address", ["", "/events", "/state?version=1"])
def test_reads_take_a_payment_id_in_any_case(acme: ApiClient, payment: str, address: str) -> None:
    answer = acme.get(f"{PAYMENTS}/{payment.upper()}{address}")

    assert answer.status_code == 200, answer.content
    assert body_of(answer) == body_of(acme.get(f"{PAYMENTS}/{payment}{address}"))
    assert payment.upper().encode() not in answer.content


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("claim", {}),
        ("release", {}),
        ("escalate", {"reason": "other", "note": "Look."}),
        ("approve", {"reason": "other"}),
        ("reject", {"reason": "other"}),
        ("cancel", {"reason": "other"}),
    ],
)
def test_commands_take_a_payment_id_in_any_case(
    acme: ApiClient, payment: str, command: str, body: dict[str, Any]
) -> None:
    if command == "release":
        acme.post(f"{PAYMENTS}/{payment}/claim", {})
    capitals = f"{PAYMENTS}/{payment[:9].upper()}{payment[9:]}"

    first = acme.post(f"{capitals}/{command}", body, key="key-1")
    again = acme.post(f"{PAYMENTS}/{payment}/{command}", body, key="key-1")

    assert first.status_code == again.status_code == 200, first.content
    assert body_of(first)["id"] == payment
    assert again["Idempotency-Replayed"] == "true"


def test_refund_takes_a_payment_id_in_any_case(acme: ApiClient) -> None:
    payment = body_of(acme.submit())["id"]
    answer = acme.post(f"{PAYMENTS}/{payment.upper()}/refunds", {"reason": "other"})
    assert answer.status_code == 200, answer.content


def test_back_office_takes_ids_in_any_case(acme: ApiClient, payment: str) -> None:
    staff = browser("risk manager", "mia")
    customer = Customer.objects.get().pk
    key = ApiKey.objects.get().pk
    reveal(staff, customer)
    for name, pk in (
        ("admin:readmodels_paymentsummary_change", payment),
        ("admin:customers_customer_change", customer),
        ("admin:customer_reveal", customer),
        ("admin:customer_rename", customer),
        ("admin:customer_block", customer),
        ("admin:key_revoke", key),
        ("admin:key_rotate", key),
    ):
        address = reverse(name, args=[pk]).replace(str(pk), str(pk).upper())
        assert staff.get(address).status_code == 200, address
    senior = browser("senior reviewer", "sam")
    address = reverse("admin:payment_approve", args=[payment]).replace(payment, payment.upper())
    assert senior.get(address).status_code == 200


def test_id_of_another_form_is_not_found(acme: ApiClient, payment: str) -> None:
    for other in (payment.replace("-", ""), f"{{{payment}}}", f"{payment}0", f"urn:uuid:{payment}"):
        assert acme.get(f"{PAYMENTS}/{other}").status_code == 404
