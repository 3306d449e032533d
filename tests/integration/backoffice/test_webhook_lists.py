"""The webhook lists: filters, pages and their cost."""

import json
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext

from readmodels.admin.base.browsing import PAGE
from readmodels.admin.webhooks.endpoints import EndpointAdmin
from readmodels.feed.events import EVENT_TYPES
from readmodels.webhooks import lag
from readmodels.webhooks.models import Attempt, Endpoint, Outcome, State
from tests.support.api import ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.examples import NOON, PAYMENT
from tests.support.webhook_pages import LISTS, address, page, rows
from tests.support.webhooks import URL, attempt, endpoint, hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.mark.parametrize("name", LISTS)
def test_empty_list_shows_the_next_step(name: str) -> None:
    shown = text(browser("auditor").get(address(name)))

    expected = {
        "endpoint": "Clients create endpoints over the API",
        "attempt": "Attempts appear here when",
        "heldpayment": "No payment is held",
    }
    assert expected[name] in shown


def test_endpoint_list_shows_the_state_and_the_lag_of_each(acme: ApiClient) -> None:
    endpoint()
    failing = endpoint(url=f"{URL}/failing", event_types=["payment.failed"])
    disabled = endpoint(url=f"{URL}/disabled")
    Endpoint.objects.filter(pk=failing.pk).update(failures=4, failing_since=NOON)
    Endpoint.objects.filter(pk=disabled.pk).update(
        state=State.DISABLED, disabled_reason="It answered 410."
    )
    hold(disabled)
    acme.submit()
    project()

    answer = browser("auditor").get(address("endpoint"))

    shown = {
        row.url: [row.details.events, row.details.held, row.details.seconds > 0]
        for row in rows(answer)
    }
    assert shown == {
        URL: [1, 0, True],
        f"{URL}/failing": [0, 0, False],
        f"{URL}/disabled": [1, 1, True],
    }
    for expected in (
        "Active",
        "Failing 4 times, next attempt at 2026-01-05 12:00 UTC",
        "Disabled It answered 410.",
        f"1 of {len(EVENT_TYPES)} types",
        "All",
    ):
        assert expected in text(answer)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state__exact=paused", {"/paused"}),
        ("state__exact=active", {"/active", "/failing", "/other"}),
        ("failing=yes", {"/failing"}),
        ("failing=no&state__exact=active", {"/active", "/other"}),
        ("client={other}", {"/other"}),
        ("failing=perhaps", set()),
        ("state__exact=%00", set()),
    ],
)
def test_filters_narrow_the_list_of_endpoints(query: str, found: set[str]) -> None:
    for each in ("active", "failing", "paused"):
        endpoint(url=f"{URL}/{each}")
    other = endpoint("Bolt", url=f"{URL}/other")
    Endpoint.objects.filter(url__endswith="failing").update(failures=1, failing_since=NOON)
    Endpoint.objects.filter(url__endswith="paused").update(state=State.PAUSED)

    answer = browser("auditor").get(f"{address('endpoint')}?{query.format(other=other.client_id)}")

    assert {row.url.removeprefix(URL) for row in rows(answer)} == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {1, 2, 3, 4}),
        ("outcome__exact=failed", {2}),
        ("outcome__exact=delivered", {1, 4}),
        ("endpoint={other}", {4}),
        ("endpoint={other}&outcome__exact=failed", set()),
        ("event_type=webhook.test", {3}),
        ("payment=" + str(PAYMENT), {1, 2}),
        ("payment=" + str(PAYMENT).upper(), {1, 2}),
        ("at_from_0=2026-01-05&at_from_1=12:30", {3, 4}),
        ("at_to_0=2026-01-05&at_to_1=12:30", {1, 2}),
        ("at_from_0=2026-01-06", set()),
        ("endpoint=nonsense", set()),
        ("endpoint=00000000-0000-0000-0000-000000000000", set()),
        ("payment=nonsense", set()),
        ("outcome__exact=nonsense", set()),
        ("q=" + str(PAYMENT), {1, 2}),
        ("q=nonsense", set()),
    ],
)
def test_filters_narrow_the_list_of_attempts(query: str, found: set[int]) -> None:
    one, other = endpoint(), endpoint("Bolt")
    later = NOON + timedelta(hours=1)
    attempt(one, number=1)
    attempt(one, number=2, outcome=Outcome.FAILED, status=None, error="timed out")
    attempt(one, number=3, event_type="webhook.test", payment_id=None, position=None, at=later)
    attempt(other, number=4, payment_id=uuid4(), at=later)
    Attempt.objects.filter(number=3).update(outcome=Outcome.REJECTED)

    answer = browser("auditor").get(f"{address('attempt')}?{query.format(other=other.pk)}")

    assert answer.status_code == 200
    assert {row.number for row in rows(answer)} == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {1, 2}),
        ("endpoint={other}", {2}),
        ("payment=" + str(PAYMENT), {1}),
        ("since_from_0=2026-01-06", set()),
        ("q=" + str(PAYMENT), {1}),
    ],
)
def test_filters_narrow_the_list_of_held_payments(query: str, found: set[int]) -> None:
    other = endpoint("Bolt")
    hold(endpoint(), tries=1)
    hold(other, tries=2, payment_id=uuid4())

    answer = browser("auditor").get(f"{address('heldpayment')}?{query.format(other=other.pk)}")

    assert {row.tries for row in rows(answer)} == found


def test_keyset_pages_hold_every_attempt_once() -> None:
    made = endpoint()
    for number in range(1, PAGE * 2 + 3):
        attempt(made, number=number, at=NOON + timedelta(seconds=number // 7))
    logged_in, seen = browser("auditor"), []

    url = "?"
    while url:
        answer = logged_in.get(address("attempt") + url)
        seen += [row.number for row in rows(answer)]
        url = answer.context["cl"].next_url

    assert seen == list(reversed(range(1, PAGE * 2 + 3)))


@pytest.mark.parametrize("name", LISTS)
def test_list_runs_a_constant_number_of_queries_and_counts_nothing(name: str) -> None:
    logged_in = browser("risk manager")

    def add(number: int) -> None:
        made = endpoint(f"Client {number}", url=f"{URL}/{number}")
        attempt(made)
        hold(made)

    add(0)
    logged_in.get(address(name))
    with CaptureQueriesContext(connection) as one:
        logged_in.get(address(name))
    for number in range(1, 20):
        add(number)
    with CaptureQueriesContext(connection) as many:
        logged_in.get(address(name))

    statements = [query["sql"] for query in many.captured_queries]
    assert len(statements) == len(one)
    # The badge of the review queue counts up to a thousand rows.
    assert not [sql for sql in statements if "COUNT(" in sql and "LIMIT" not in sql]
    assert not [sql for sql in statements if "OFFSET" in sql]
    assert not [sql for sql in statements if re.search(r'"(old_)?secret"', sql)]


def test_page_of_an_endpoint_runs_a_constant_number_of_queries() -> None:
    made = endpoint()
    logged_in = browser("risk manager")
    logged_in.get(page(made))
    with CaptureQueriesContext(connection) as one:
        logged_in.get(page(made))
    for number in range(1, 16):
        attempt(made, number=number)
        hold(made, payment_id=uuid4())
    with CaptureQueriesContext(connection) as many:
        logged_in.get(page(made))

    assert len(many) == len(one)


# 60,000 attempts, few of which failed, were tests, or belong to the second endpoint.
_MANY = """
INSERT INTO webhooks_attempt (endpoint_id, message_id, event_type, position, payment_id, number, at,
                              milliseconds, outcome, status, error, response)
SELECT CASE WHEN n %% 5000 = 7 THEN %(rare)s ELSE %(busy)s END::uuid, 'evt_' || n,
       CASE WHEN n %% 5000 = 3 THEN 'webhook.test' ELSE 'payment.processed' END, n,
       md5((n / 3)::text)::uuid, 1, '2026-01-05 12:00+00'::timestamptz + n * interval '1 second', 5,
       CASE WHEN n %% 5000 = 1 THEN 'failed' ELSE 'delivered' END, 200, '', ''
  FROM generate_series(1, 60000) AS n
"""


def test_rare_and_old_attempts_are_found_by_index() -> None:
    busy, rare = endpoint(), endpoint("Bolt")
    with connection.cursor() as cursor:
        cursor.execute(_MANY, {"busy": busy.pk, "rare": rare.pk})
        cursor.execute("ANALYZE webhooks_attempt")
    payment = Attempt.objects.earliest("at").payment_id
    logged_in = browser("auditor")
    for query in (
        "",
        "outcome__exact=failed",
        f"endpoint={busy.pk}&outcome__exact=failed",
        f"endpoint={rare.pk}",
        "event_type=webhook.test",
        f"payment={payment}",
        f"q={payment}",
        "at_to_0=2026-01-05&at_to_1=12:05",
        "at_from_0=2026-01-05&at_from_1=12:01&at_to_0=2026-01-05&at_to_1=12:02",
        f"endpoint={busy.pk}&at_to_0=2026-01-05&at_to_1=12:05",
    ):
        with CaptureQueriesContext(connection) as captured:
            answer = logged_in.get(f"{address('attempt')}?{query}")
        assert rows(answer), query
        listings = [
            each["sql"]
            for each in captured
            if "webhooks_attempt" in each["sql"] and "LIMIT 51" in each["sql"][-12:]
        ]
        assert len(listings) == (2 if query.startswith("q=") else 1)
        for listing in listings:
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + listing)
                plan = json.dumps(cursor.fetchone())
            passed_by = sum(map(int, re.findall(r'"Rows Removed by Filter": (\d+)', plan)))
            assert passed_by < 100, (query, plan)
            assert "Seq Scan on webhooks_attempt" not in plan


def test_list_shows_an_endpoint_that_is_deleted_while_the_page_is_made() -> None:
    made = endpoint()
    Endpoint.objects.all().delete()

    found = EndpointAdmin(Endpoint, admin.site).details([made])

    assert found == {made.pk: lag.NONE}
