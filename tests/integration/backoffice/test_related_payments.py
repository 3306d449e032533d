"""Counts and sums of the payments of a customer or a card, with links to their lists."""

import json
import re
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from payments.customers.models import Customer
from readmodels.models import PaymentSummary
from readmodels.queries import related
from readmodels.queries.related import Sum
from tests.support.api import ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.reviewing import QUEUE, at, payment_page, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LIST: Final = "/admin/readmodels/paymentsummary/"
CARD: Final = {"token": "tok_1PqZ8k", "brand": "visa", "last4": "4242"}


def submitted(**changes: Any) -> UUID:
    return UUID(body_of(ApiClient().submit(**{"card": CARD} | changes))["id"])


def listed(logged_in: Browser, query: str) -> set[UUID]:
    answer: Any = logged_in.get(f"{LIST}?{query}")
    return {row.pk for row in answer.context["cl"].result_list}


def customer(reference: str) -> UUID:
    return Customer.objects.get(reference=reference).pk


def fingerprint(payment: UUID) -> str:
    found = PaymentSummary.objects.get(pk=payment).card_fingerprint
    assert found
    return found


def test_totals_of_customer_are_by_currency_and_status() -> None:
    for amount in (1_00, 2_00):
        submitted(customer_id="ada", amount=amount)
    submitted(customer_id="ada", amount=30_000_00, currency="USD")
    submitted(customer_id="ada", amount=500, currency="JPY")
    submitted(customer_id="ben", amount=7_00)
    project()

    totals = related.totals_of_customer(customer("ada"))

    assert totals.sums == (
        Sum(currency="EUR", status="completed", count=2, amount=3_00),
        Sum(currency="JPY", status="completed", count=1, amount=500),
        Sum(currency="USD", status="failed", count=1, amount=30_000_00),
    )
    assert (totals.count, totals.customers, totals.has_older) == (4, 1, False)


def test_totals_of_card_include_other_customers_but_not_other_cards() -> None:
    one = submitted(customer_id="ada", amount=1_00)
    submitted(customer_id="ben", amount=2_00)
    submitted(customer_id="ben", amount=4_00, card=CARD | {"token": "tok_2"})
    submitted(customer_id="ben", amount=8_00, card=None)
    project()

    totals = related.totals_of_card(fingerprint(one))

    assert totals.sums == (Sum(currency="EUR", status="completed", count=2, amount=3_00),)
    assert totals.customers == 2


def test_totals_stop_at_the_latest_payments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(related, "MOST", 2)
    for amount in (1_00, 2_00):
        submitted(customer_id="ada", amount=amount)
    project()
    assert not related.totals_of_customer(customer("ada")).has_older
    payment = submitted(customer_id="ada", amount=4_00)
    project()

    totals = related.totals_of_customer(customer("ada"))

    assert [(each.count, each.amount) for each in totals.sums] == [(2, 6_00)]
    assert totals.has_older
    page = text(browser().get(payment_page(str(payment))))
    assert "All 2+ payments" in page
    assert "The sums cover only the latest 2 payments." in page


def test_unknown_customer_and_card_have_no_totals() -> None:
    for totals in (related.totals_of_customer(uuid4()), related.totals_of_card("ab" * 16)):
        assert (totals.sums, totals.count, totals.customers) == ((), 0, 0)


def test_pages_of_payment_decision_and_customer_show_totals_and_link_to_lists() -> None:
    (payment,) = waiting(card=CARD)
    reference = Customer.objects.get().reference
    submitted(customer_id=reference, amount=7_00)
    submitted(customer_id="another", amount=9_00)
    project()
    logged_in, one = browser(), Customer.objects.get(reference=reference)
    by_customer, by_card = f"{LIST}?customer={one.pk}", f"{LIST}?card={fingerprint(UUID(payment))}"

    for path in (payment_page(payment), at(payment, "approve")):
        answer = logged_in.get(path)

        page, html = text(answer), answer.content.decode()
        assert f'href="{by_customer}">All 2 payments</a>' in html
        assert f'href="{by_card}">All 3 payments</a>' in html
        assert "All 3 payments by 2 customers" in page
        assert "Completed 2 €16.00" in page
        assert "Pending review 1 $15,000.00" in page
        assert "an***" in page

    answer = logged_in.get(reverse("admin:customers_customer_change", args=[one.pk]))
    assert f'href="{by_customer}">All 2 payments</a>' in answer.content.decode()


def test_pages_of_payment_and_decision_show_masked_contacts() -> None:
    (payment,) = waiting()
    Customer.objects.update(name="Ada Ng", email="ada@example.com", phone="+49 30 901820")
    logged_in = browser()

    for path in (payment_page(payment), at(payment, "reject")):
        page = text(logged_in.get(path))

        assert "Name A** N* E-mail a**@example.com Telephone ***20 Masked Reveal… " in page


def test_lists_link_names_of_customers_and_clients_to_their_payments() -> None:
    (payment,) = waiting()
    row = PaymentSummary.objects.get(pk=payment)

    for path in (LIST, QUEUE):
        html = browser(username=path).get(path).content.decode()

        assert re.search(rf'href="{re.escape(LIST)}\?customer={row.customer_id}"', html)
        assert re.search(rf'href="{re.escape(LIST)}\?client={row.client_id}"', html)


def test_list_of_payments_filters_by_client_customer_and_card() -> None:
    one = submitted(customer_id="ada")
    two = submitted(customer_id="ben")
    three = submitted(customer_id="ada", card=None)
    four = UUID(body_of(ApiClient("Bolt").submit(customer_id="ada", card=CARD))["id"])
    project()
    logged_in = browser()
    ada = PaymentSummary.objects.get(pk=one)

    assert listed(logged_in, f"customer={ada.customer_id}") == {one, three}
    assert listed(logged_in, f"card={ada.card_fingerprint}") == {one, two}
    assert listed(logged_in, f"card={ada.card_fingerprint}&customer={ada.customer_id}") == {one}
    assert listed(logged_in, f"client={ada.client_id}") == {one, two, three}
    assert listed(logged_in, "") == {one, two, three, four}


def test_filtered_list_says_whose_payments_it_shows() -> None:
    payment = submitted(customer_id="ada")
    project()
    logged_in, row = browser(), PaymentSummary.objects.get(pk=payment)

    by_customer = logged_in.get(f"{LIST}?customer={row.customer_id}&currency=EUR")
    by_card = text(logged_in.get(f"{LIST}?card={row.card_fingerprint}"))

    assert "Payments of a*** Show all payments" in text(by_customer)
    assert 'href="?currency=EUR">Show all payments</a>' in by_customer.content.decode()
    assert "Payments of all customers with the card Visa ending in 4242" in by_card


@pytest.mark.parametrize(
    "query",
    [
        "customer=nobody",
        "customer=00000000-0000-4000-8000-000000000000",
        "customer=%00",
        "card=%00",
        "card=4242",
        f"card={'ab' * 16}",
    ],
)
def test_unknown_customer_or_card_finds_nothing_and_says_so(query: str) -> None:
    submitted()
    project()

    answer: Any = browser().get(f"{LIST}?{query}")

    assert not answer.context["cl"].result_list
    assert "This is not one of the choices." in text(answer)


@pytest.mark.parametrize("column", ["customer_id", "card_fingerprint"])
def test_totals_read_the_latest_payments_from_an_index(column: str) -> None:
    for amount in (1_00, 2_00):
        payment = submitted(customer_id="ada", amount=amount)
    project()
    value = PaymentSummary.objects.values_list(column, flat=True).get(pk=payment)
    statement = related._TOTALS.format(column=column, most=related.MOST)

    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN (FORMAT JSON) " + statement, {"value": value})
        plan = json.dumps(cursor.fetchone())
        cursor.execute("RESET enable_seqscan")

    assert '"Index Name": "payment_by_c' in plan
    assert 'Sort Key": ["readmodels' not in plan


def test_evidence_takes_a_constant_number_of_queries() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            logged_in.get(payment_page(payment))
        return len(captured)

    (payment,) = waiting(card=CARD)
    logged_in = browser()
    logged_in.get(payment_page(payment))
    before = queries()
    for number in range(4):
        submitted(customer_id=f"another-{number}")
    project()

    assert queries() <= before + 1  # one more for other customers' names
