"""Searches accept pasted text with unusual spaces, case and Unicode forms."""

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.urls import reverse

from payments.customers.models import Customer
from tests.support.api import BODY, PAYMENTS, ApiClient, body_of, project
from tests.support.backoffice import browser

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

REFERENCE: Final = "R\u00e9f N-1"
NAME: Final = "Jos\u00e9 Nu\u0303nez"
CORRELATION: Final = "0c5a6f1e-93de-4d3e-a1b7-6f0a8e0f9d11"
PASTED: Final[list[Callable[[str], str]]] = [
    str,
    lambda text: f"  {text} ",
    lambda text: f"\u00a0{text}\u3000",
    lambda text: f"\u202a{text}\u202c",
    lambda text: f"\ufeff{text}\n",
    lambda text: text.replace(" ", "\u00a0"),
    lambda text: text.replace("\u00e9", "e\u0301"),
    lambda text: f"{text[:3]}\u200b{text[3:]}",
]


@pytest.fixture
def payment() -> str:
    acme = ApiClient()
    answer = acme.post(
        PAYMENTS,
        BODY | {"customer_id": REFERENCE, "reference": REFERENCE},
        **{"X-Correlation-ID": CORRELATION},
    )
    call_command("customer", "rename", "Acme", REFERENCE, "--name", NAME)
    project()
    payment: str = body_of(answer)["id"]
    return payment


def found(name: str, **query: str) -> list[Any]:
    staff = browser(username=str(uuid4()))
    answer = staff.get(reverse(f"admin:{name}_changelist"), query)
    assert answer.status_code == 200
    return [row.pk for row in answer.context["cl"].result_list]


@pytest.mark.parametrize("pasted", PASTED)
@pytest.mark.parametrize("name", ["readmodels_paymentsummary", "customers_customer"])
@pytest.mark.parametrize("text", [REFERENCE, "Jos\u00e9 N"])
def test_references_and_names_are_found_as_pasted(
    payment: str, name: str, text: str, pasted: Callable[[str], str]
) -> None:
    assert len(found(name, q=pasted(text))) == 1


@pytest.mark.parametrize("pasted", PASTED)
def test_ids_are_found_as_pasted_in_any_case(payment: str, pasted: Callable[[str], str]) -> None:
    for text in (payment, payment.upper(), f"{{{payment}}}"):
        assert len(found("readmodels_paymentsummary", q=pasted(text))) == 1
    assert found("readmodels_eventindex", payment=pasted(payment.upper()))


def test_event_filters_accept_pasted_text(payment: str) -> None:
    events = found("readmodels_eventindex", correlation_id=CORRELATION)
    assert events
    for pasted in (f" {CORRELATION}\u00a0", CORRELATION.upper()):
        assert found("readmodels_eventindex", correlation_id=pasted) == events
    assert found("readmodels_eventindex", actor=" Acme\u00a0") == events


@pytest.mark.parametrize("pasted", PASTED)
def test_commands_find_a_customer_as_pasted(
    payment: str, pasted: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("customer", "show", " Acme\u00a0", pasted(REFERENCE))
    assert str(Customer.objects.get().pk) in capsys.readouterr().out


def test_references_accepted_by_the_api_are_searchable() -> None:
    acme = ApiClient()
    for reference in ("4503604527000000018", "order4111111111111111"):
        acme.submit(reference=reference)
    project()

    assert len(found("readmodels_paymentsummary", q="4503604527000000018")) == 1
    assert len(found("readmodels_paymentsummary", q="order4111111111111111")) == 1
