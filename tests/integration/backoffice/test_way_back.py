"""A payment's page leads back to the list it was opened from, with filters, page and row."""

import re
from html import unescape
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from django.test import Client as Browser

from tests.support.backoffice import browser
from tests.support.reviewing import NEXT, QUEUE, at, form, next_key, payment_page, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LIST: Final = "/admin/readmodels/paymentsummary/"


def html(logged_in: Browser, path: str) -> str:
    answer: Any = logged_in.get(path, follow=True)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def breadcrumb(page: str) -> str:
    """Return the URL of the breadcrumb's second part."""
    found = re.search(r'Dashboard</a></li>\s*<li><a href="([^"]*)"', page)
    assert found
    return found[1]


def active(page: str) -> str:
    """Return the active entry of the menu."""
    found = re.search(r'<a href="([^"]*)" class="flex h-\[38px\][^"]* active', page)
    assert found
    return found[1]


def row_url(page: str, payment: str) -> str:
    found = re.search(rf'href="({re.escape(payment_page(payment))}[^"]*)"', page)
    assert found
    return found[1]


@pytest.mark.parametrize(
    "path", [QUEUE, f"{QUEUE}?currency=USD&standing=free", LIST, f"{LIST}?q=order"]
)
def test_payment_leads_back_to_the_row_of_the_list(path: str) -> None:
    (payment,) = waiting()
    logged_in = browser()
    listed = html(logged_in, path.replace("?q=order", "?status__exact=pending_review"))

    page = html(logged_in, row_url(listed, payment))

    back, _, row = breadcrumb(page).partition("#")
    assert back == path.replace("?q=order", "?status__exact=pending_review")
    assert f'id="{row}"' in html(logged_in, back)
    assert active(page) == path.partition("?")[0]


def test_way_back_survives_a_decision() -> None:
    (payment,) = waiting()
    logged_in = browser()
    came_from = "?" + urlencode({"from": "queue?standing=free"})
    page = html(logged_in, payment_page(payment) + came_from)
    approve = at(payment, "approve") + came_from
    assert f'href="{approve}"' in page
    assert f'action="{at(payment, "claim")}{came_from}"' in page
    assert f'href="{payment_page(payment)}{came_from}"' in html(logged_in, approve)

    answer = logged_in.post(approve, form(logged_in, payment, "approve"))

    assert answer["Location"] == payment_page(payment) + came_from
    assert breadcrumb(html(logged_in, answer["Location"])).startswith(f"{QUEUE}?standing=free#row-")


def test_claimed_payment_leads_back_to_the_view_of_the_queue() -> None:
    waiting()
    logged_in = browser()

    answer = logged_in.post(f"{NEXT}?currency=USD", next_key(logged_in))

    assert answer.status_code == 302
    assert breadcrumb(html(logged_in, answer["Location"])).startswith(f"{QUEUE}?currency=USD#row-")


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "nowhere",
        "https://evil.example/",
        "//evil.example",
        f"queue?q={'x' * 2000}",
        "queue/../x",
    ],
)
def test_unknown_way_back_is_ignored(origin: str) -> None:
    (payment,) = waiting()

    page = html(browser(), f"{payment_page(payment)}?{urlencode({'from': origin})}")

    assert breadcrumb(page) == LIST
    assert active(page) == LIST
    assert not re.search(r'href="(https:)?//evil', page)


def test_way_back_stays_on_the_list_whatever_its_query_holds() -> None:
    (payment,) = waiting()
    origin = 'queue?next=//evil.example&x="><script>&y=%00#//z'

    page: Any = browser().get(f"{payment_page(payment)}?{urlencode({'from': origin})}")

    assert breadcrumb(unescape(page.content.decode())).startswith(
        f"{QUEUE}?next=%2F%2Fevil.example&x="
    )
    assert "<script>&" not in page.content.decode()
