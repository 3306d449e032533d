"""The lists of the back office: access, search, filters, keyset pages and their cost."""

import json
import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from axes.models import AccessLog
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from payments.clients.models import Client
from payments.customers import changes
from payments.customers.models import Customer
from readmodels.admin.base.browsing import PAGE
from readmodels.models import Checkpoint, DailyStatistics, EventIndex, PaymentSummary
from tests.support.api import ApiClient, project
from tests.support.backoffice import browser, text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LISTS = [
    "readmodels_paymentsummary",
    "readmodels_disputesummary",
    "readmodels_dailystatistics",
    "readmodels_checkpoint",
    "readmodels_parkedevent",
    "readmodels_discardedevent",
    "readmodels_eventindex",
    "customers_customer",
    "clients_client",
]


@pytest.mark.parametrize("name", LISTS)
def test_list_opens_empty_and_filled(name: str, request: pytest.FixtureRequest) -> None:
    url = reverse(f"admin:{name}_changelist")
    logged_in = browser("risk manager")
    assert logged_in.get(url).status_code == 200
    request.getfixturevalue("flagged")
    assert logged_in.get(url).status_code == 200
    assert logged_in.get(reverse("admin:index")).status_code == 200


@pytest.mark.parametrize(
    ("name", "next_step"),
    [
        ("readmodels_paymentsummary", "./manage.py import_payments reads them from files."),
        ("readmodels_eventindex", "Every payment, decision and policy is stored as events"),
        ("customers_customer", "A customer appears here with the first payment."),
        ("clients_client", "./manage.py create_api_key &#x27;Acme Ltd&#x27;"),
    ],
)
def test_empty_list_names_the_next_step(name: str, next_step: str) -> None:
    Client.objects.all().delete()

    shown = browser().get(reverse(f"admin:{name}_changelist")).content.decode()

    assert next_step in shown


def test_list_names_the_filters_that_are_on(flagged: str) -> None:
    url = reverse("admin:readmodels_paymentsummary_changelist")
    query = {"status__exact": "pending_review", "currency": "usd", "initiated_at_from": "yesterday"}

    shown = text(browser().get(url, query))

    assert "Filtered: Status Pending review Currency USD" in shown
    assert "Date submitted yesterday" not in shown


@pytest.mark.parametrize("name", LISTS)
def test_lists_require_a_role(name: str) -> None:
    url = reverse(f"admin:{name}_changelist")
    assert Browser().get(url).status_code == 302
    stranger = Browser()
    stranger.force_login(get_user_model().objects.create(username="eve", is_staff=True))
    assert stranger.get(url).status_code == 403
    assert "do not have access" in text(stranger.get(reverse("admin:index")))


@pytest.mark.parametrize("model", [DailyStatistics, Checkpoint, AccessLog])
def test_lists_without_detail_pages_answer_403(flagged: str, model: Any) -> None:
    """Django would show a form with every column."""
    root = Browser()
    root.force_login(get_user_model().objects.create_superuser("root"))
    name = f"admin:{model._meta.label_lower.replace('.', '_')}"
    url = reverse(f"{name}_change", args=[model.objects.first().pk])

    assert root.get(url).status_code == 403
    assert url not in root.get(reverse(f"{name}_changelist")).content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "status__regex=(",
        "reference__contains=%00",
        "customer_id__isnull=0",
        "initiated_at__year=99999999999",
    ],
)
def test_lookups_outside_the_filters_are_refused(query: str) -> None:
    """Django would allow any lookup on any column."""
    for address in ("/admin/readmodels/paymentsummary/", "/admin/reviews/"):
        assert browser(username=str(uuid4())).get(f"{address}?{query}").status_code == 400


def test_keyset_pages_hold_every_payment_once_and_lead_back() -> None:
    client = ApiClient()
    for _ in range(PAGE * 2 + 3):
        client.submit()
    project()
    logged_in, seen, pages = browser(), [], []
    url = "?"
    while url:
        answer = logged_in.get(reverse("admin:readmodels_paymentsummary_changelist") + url)
        listing: Any = answer.context["cl"]
        pages.append([row.pk for row in listing.result_list])
        seen += pages[-1]
        url, back = listing.next_url, listing.previous_url
    assert [len(rows) for rows in pages] == [PAGE, PAGE, 3]
    assert len(set(seen)) == len(seen) == PaymentSummary.objects.count()
    answer = logged_in.get(reverse("admin:readmodels_paymentsummary_changelist") + back)
    listing = answer.context["cl"]
    assert [row.pk for row in listing.result_list] == pages[1]
    assert listing.previous_url
    assert listing.next_url


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "begin",
    [
        "after=x",
        "before=1~2~3",
        "after=%00",
        "after=%00~",
        "p=9",
        "after=~",
        # PostgreSQL refuses these offsets.
        f"after=2026-01-01T12:00:00%2B20:30~{UUID(int=0)}",
        "before=2026-01-01T12:00:00-23:59~5",
    ],
)
def test_invalid_keyset_boundary_shows_the_first_page(name: str, begin: str, flagged: str) -> None:
    logged_in = browser("risk manager")
    answer = logged_in.get(reverse(f"admin:{name}_changelist") + f"?{begin}")
    assert answer.status_code == 200


def test_list_page_runs_a_constant_number_of_queries_and_counts_nothing() -> None:
    client = ApiClient()
    client.submit()
    project()
    logged_in = browser("risk manager")
    for name in LISTS:
        url = reverse(f"admin:{name}_changelist")
        logged_in.get(url)
        with CaptureQueriesContext(connection) as one:
            logged_in.get(url)
        for number in range(12):
            client.submit(customer_id=f"customer-{number}")
        project()
        with CaptureQueriesContext(connection) as many:
            logged_in.get(url)
        statements = [query["sql"] for query in many.captured_queries]
        assert len(statements) == len(one), name
        # The badge of the review queue counts up to a thousand rows.
        unbounded = [sql for sql in statements if "COUNT(" in sql and "LIMIT" not in sql]
        assert unbounded == []
        assert not [sql for sql in statements if "OFFSET" in sql]


# Newer copies of the newest payment.
_MANY = """
INSERT INTO readmodels_paymentsummary
SELECT copy.* FROM generate_series(1, 20000) AS n,
       (SELECT * FROM readmodels_paymentsummary ORDER BY initiated_at DESC LIMIT 1) AS newest,
       LATERAL jsonb_populate_record(NULL::readmodels_paymentsummary, to_jsonb(newest) ||
         jsonb_build_object('payment_id', gen_random_uuid(),
                            'initiated_at', initiated_at + n * interval '1 second')) AS copy
"""


def test_rare_and_old_payments_are_found_by_index(flagged: str) -> None:
    client = ApiClient(name="Bolt")
    client.submit(method="wallet")
    project()
    with connection.cursor() as cursor:
        cursor.execute(_MANY)
        cursor.execute("ANALYZE readmodels_paymentsummary")
    logged_in = browser()
    for query in (
        "currency=KWD",
        "risk_band__exact=high",
        "risk_band__exact=high&method__exact=wallet",
        "requires_review__exact=1",
        "requires_review__exact=1&status__exact=completed",
        "status__exact=failed",
    ):
        with CaptureQueriesContext(connection) as captured:
            logged_in.get(f"{reverse('admin:readmodels_paymentsummary_changelist')}?{query}")
        (listing,) = (
            each["sql"]
            for each in captured
            if '"risk_reasons"' in each["sql"] and "LIMIT 51" in each["sql"]
        )
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + listing)
            plan = json.dumps(cursor.fetchone())
        passed_by = sum(map(int, re.findall(r'"Rows Removed by Filter": (\d+)', plan)))
        assert passed_by < 100, (query, plan)


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("order-981", 1),
        ("customer-123", 1),
        ("Grace", 1),
        ("grace", 1),
        ("nobody", 0),
        ("4111111111111111", 0),
        ("%", 0),
        ("x" * 3_000, 0),
    ],
)
def test_payments_are_found_by_reference_customer_and_name(
    flagged: str, term: str, found: int
) -> None:
    changes.store(Customer.objects.get(), {"name": "Grace Hopper"})
    url = reverse("admin:readmodels_paymentsummary_changelist")
    answer = browser().get(url, {"q": term})
    assert len(answer.context["cl"].result_list) == found
    by_id = browser(username="other").get(url, {"q": flagged})
    assert len(by_id.context["cl"].result_list) == 1


@pytest.mark.parametrize("name", LISTS)
def test_no_search_text_causes_a_server_error(name: str, flagged: str) -> None:
    url = reverse(f"admin:{name}_changelist")
    logged_in = browser("risk manager")
    for term in ("a\0b", "\ud7ff", "'; DROP TABLE x; --", "9" * 30, "%_\\", str(uuid4())):
        assert logged_in.get(url, {"q": term}).status_code == 200


def test_filters_narrow_the_payment_list(flagged: str) -> None:
    ApiClient().submit()
    project()
    logged_in = browser()
    url = reverse("admin:readmodels_paymentsummary_changelist")
    for query, found in {
        "status__exact=pending_review": 1,
        "currency=eur": 1,
        "currency=nonsense": 0,
        "requires_review__exact=1": 1,
        "method__exact=wallet": 0,
        "initiated_at_from=2020-01-01": 2,
        "initiated_at_to=2020-01-01": 0,
    }.items():
        listing = logged_in.get(f"{url}?{query}").context["cl"]
        assert len(listing.result_list) == found, query


def test_list_that_exceeds_its_time_limit_asks_to_narrow_it(
    monkeypatch: pytest.MonkeyPatch, flagged: str
) -> None:
    from readmodels.admin.review.payments import PaymentAdmin
    from readmodels.queries import bounded

    def slowly(*_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    monkeypatch.setattr(bounded, "_SECONDS", 1)
    monkeypatch.setattr(PaymentAdmin, "details", slowly)
    answer = browser().get(reverse("admin:readmodels_paymentsummary_changelist"))
    assert answer.status_code == 503
    assert "Use a narrower filter" in text(answer)


@pytest.mark.parametrize("name", LISTS)
def test_rows_cannot_be_added_or_deleted(name: str, flagged: str) -> None:
    root = Browser()
    root.force_login(get_user_model().objects.create_superuser("root"))
    assert root.get(reverse(f"admin:{name}_add")).status_code == 403
    row = {
        "readmodels_eventindex": EventIndex.objects.first(),
        "customers_customer": Customer.objects.first(),
        "clients_client": Client.objects.first(),
        "readmodels_paymentsummary": PaymentSummary.objects.first(),
    }.get(name)
    if row is not None:
        assert root.post(reverse(f"admin:{name}_delete", args=[row.pk])).status_code == 403
        assert type(row).objects.count() > 0
