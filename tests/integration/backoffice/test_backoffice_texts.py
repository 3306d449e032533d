"""How text in other scripts, amounts and label colors are displayed."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from payments import actors
from payments.clients.models import ApiKey
from payments.customers.models import Customer
from readmodels.admin.base.browsing import PAGE
from readmodels.admin.saved_views import storing
from tests.support import notes
from tests.support.api import RISKY, ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.reviewing import at, do, paid, payment_page, waiting
from tests.support.routing import staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HEBREW = "שלום, עולם!"
# What isolates the direction of the text that follows: an element, an attribute or a character.
ISOLATED = re.compile(
    r'<bdi[^>]*>“?$|\u2068“?$|dir="auto"[^>]*>“?(@grace )?$|(title|aria-label|value|data-copy)="[^"]*$'
)


def labels(logged_in: Browser, path: str) -> set[tuple[str, str]]:
    """Return the labels of the page as pairs of color and text."""
    html = logged_in.get(path).content.decode()
    found = re.findall(
        r'<span class="inline-block font-semibold([^"]*)"[^>]*>\s*([^<]+?)\s*<', html
    )
    return {
        (re.search(r"bg-(\w+)-100", classes)[1], says)  # type: ignore[index]
        for classes, says in found
        if "bg-" in classes and "-100" in classes
    }


@pytest.mark.parametrize("action", ["approve", "reject", "escalate", "cancel"])
def test_label_colors_do_not_depend_on_the_button(action: str) -> None:
    [payment] = waiting(amount=1_000_00, currency="CHF", method="wallet")
    logged_in = browser()
    shown = labels(logged_in, payment_page(payment))

    assert ("green", "low") in shown
    assert ("orange", "Pending review") in shown
    assert {("green", "low"), ("orange", "Pending review")} <= labels(
        logged_in, at(payment, action)
    )


def test_api_key_state_is_a_label() -> None:
    client = ApiClient()
    now = timezone.now()
    root = Browser()
    root.force_login(get_user_model().objects.create_superuser("root"))
    page = reverse("admin:clients_client_change", args=[client.client_id])
    for changes, says, color in (
        ({}, "live", "green"),
        ({"expires_at": now + timedelta(days=1)}, "live until", "green"),
        ({"expires_at": now}, "expired", "orange"),
        ({"revoked_at": now}, "revoked", "red"),
    ):
        ApiKey.objects.update(**changes)
        html = root.get(page).content.decode()
        assert "(&#x27;" not in html
        assert [found for found, label in labels(root, page) if label.startswith(says)] == [color]


def test_page_of_a_client_has_its_name_and_times_with_their_zone() -> None:
    client = ApiClient()

    page: Any = browser("risk manager").get(
        reverse("admin:clients_client_change", args=[client.client_id])
    )

    assert page.context["title"] == "Acme"
    shown = text(page)
    assert re.search(r"Created [\d-]{10} [\d:]{8} UTC", shown)
    assert "Last used (UTC)" in shown


def test_customers_are_listed_newest_first() -> None:
    client = ApiClient()
    for number in range(PAGE + 3):
        client.submit(customer_id=f"customer-{number}")
    logged_in, seen, url = browser(), [], "?"

    while url:
        listing: Any = logged_in.get(reverse("admin:customers_customer_changelist") + url).context[
            "cl"
        ]
        seen += [row.reference for row in listing.result_list]
        url = listing.next_url

    assert seen == [f"customer-{number}" for number in reversed(range(PAGE + 3))]


def test_foreign_text_keeps_its_direction() -> None:
    client = ApiClient(name="العميل")
    payment = body_of(client.submit(**RISKY | {"customer_id": HEBREW, "reference": "طلب-12/x"}))[
        "id"
    ]
    Customer.objects.update(name="(א) b")
    project()
    reviewer = browser()
    do(reviewer, payment, "assign", to=staff("ann"), note=HEBREW)
    get_user_model().objects.update(first_name=HEBREW)
    notes.add(reviewer, payment, f"@grace {HEBREW}")
    grace = get_user_model().objects.get(username="grace")
    view = storing.save(grace, "queue", name=HEBREW, query="currency=USD", shared=True)
    do(reviewer, payment, "escalate", note=HEBREW)
    customer = reverse("admin:customers_customer_change", args=[Customer.objects.get().pk])
    for path in (
        reverse("review_queue"),
        reverse("admin:readmodels_paymentsummary_changelist"),
        reverse("admin:customers_customer_changelist"),
        reverse("admin:clients_client_changelist"),
        reverse("admin:index"),
        payment_page(payment),
        customer,
        *(at(payment, action) for action in ("approve", "reject", "snooze", "assign", "note")),
        reverse("mentions"),
        f"{reverse('hand_over')}?reviewer={actors.staff(grace.pk)}",
        reverse("saved_views", args=["queue"]),
        reverse("saved_view_edit", args=[view.pk]),
        f"{reverse('search_all')}?q={quote(HEBREW)}",
    ):
        html = reviewer.get(path).content.decode()
        html = re.sub(r"<title>.*?</title>|<h1.*?</h1>", "", html, flags=re.DOTALL)
        for written in ("العميل", "(א) b", HEBREW, "طلب-12/x"):
            for found in re.finditer(re.escape(written), html):
                around = html[found.start() - 200 : found.start()]
                assert ISOLATED.search(around), (path, around)


def test_refund_error_formats_money_like_the_page() -> None:
    shown = do(browser(), paid(amount=1_999_00), "refund", amount="99999.00")
    assert "No more than €1,999.00 of this payment can be refunded." in shown
    assert "EUR" not in shown.partition("can be refunded")[0][-40:]


def test_amount_with_currency_code_has_a_no_break_space() -> None:
    [payment] = waiting(amount=1_234_567_890, currency="KWD")
    assert "KWD\u00a01,234,567.890" in browser().get(payment_page(payment)).content.decode()
