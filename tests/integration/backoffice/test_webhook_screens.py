"""The screens of webhooks: who sees them, their filters, their cost, and hostile answers."""

import json
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from readmodels import roles
from readmodels.admin.base.browsing import PAGE
from readmodels.models import EventIndex
from readmodels.webhooks.models import Attempt, Endpoint, HeldPayment, Outcome, State
from tests.support.api import ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.examples import NOON, PAYMENT
from tests.support.webhooks import URL, attempt, endpoint, hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LISTS = ("endpoint", "attempt", "heldpayment")
SEES = {"risk manager", "auditor"}
HOSTILE = "<script>alert(1)</script>'\"><img src=x onerror=alert(2)>{{ 7 }}"


def address(name: str) -> str:
    return reverse(f"admin:webhooks_{name}_changelist")


def page(made: Endpoint) -> str:
    return reverse("admin:webhooks_endpoint_change", args=[made.pk])


def rows(answer: Any) -> list[Any]:
    return list(answer.context["cl"].result_list)


@pytest.mark.parametrize("role", roles.ROLES)
def test_role_sees_the_screens_and_the_menu_of_webhooks_if_it_may(role: str) -> None:
    made = endpoint()
    sent, _ = attempt(made), hold(made)
    logged_in = browser(role)

    pages = [*map(address, LISTS), page(made)]
    pages.append(reverse("admin:webhooks_attempt_change", args=[sent.pk]))
    answers = {logged_in.get(each).status_code for each in pages}
    menu = logged_in.get(reverse("admin:index")).content.decode()

    assert answers == ({200} if role in SEES else {403})
    assert {address(name) in menu for name in LISTS} == {role in SEES}


def test_screens_require_a_sign_in_and_a_role() -> None:
    made = endpoint()
    stranger = Browser()
    stranger.force_login(get_user_model().objects.create(username="eve", is_staff=True))

    for each in (*map(address, LISTS), page(made)):
        assert Browser().get(each).status_code == 302
        assert stranger.get(each).status_code == 403


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
    Endpoint.objects.filter(pk=failing.pk).update(failures=4)
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
        "1 of 8 types",
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
    Endpoint.objects.filter(url__endswith="failing").update(failures=1)
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
    for number in range(PAGE * 2 + 3):
        attempt(made, number=number, at=NOON + timedelta(seconds=number // 7))
    logged_in, seen = browser("auditor"), []

    url = "?"
    while url:
        answer = logged_in.get(address("attempt") + url)
        seen += [row.number for row in rows(answer)]
        url = answer.context["cl"].next_url

    assert seen == list(reversed(range(PAGE * 2 + 3)))


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
    assert not [sql for sql in statements if "COUNT(" in sql and "LIMIT 1000" not in sql]
    assert not [sql for sql in statements if "OFFSET" in sql]
    assert not [sql for sql in statements if re.search(r'"(old_)?secret"', sql)]


def test_page_of_an_endpoint_runs_a_constant_number_of_queries() -> None:
    made = endpoint()
    logged_in = browser("risk manager")
    logged_in.get(page(made))
    with CaptureQueriesContext(connection) as one:
        logged_in.get(page(made))
    for number in range(15):
        attempt(made, number=number)
        hold(made, payment_id=uuid4())
    with CaptureQueriesContext(connection) as many:
        logged_in.get(page(made))

    assert len(many) == len(one)


# 60,000 attempts of two endpoints: few failures, few tests, few of the second endpoint.
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
        (listing,) = (
            each["sql"]
            for each in captured
            if "webhooks_attempt" in each["sql"] and "LIMIT 51" in each["sql"][-12:]
        )
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + listing)
            plan = json.dumps(cursor.fetchone())
        passed_by = sum(map(int, re.findall(r'"Rows Removed by Filter": (\d+)', plan)))
        assert passed_by < 100, (query, plan)
        assert "Seq Scan on webhooks_attempt" not in plan


def test_attempt_shows_a_hostile_answer_as_text() -> None:
    made = endpoint()
    bidi = "\u202egnp.exe \x1b[31mred\x00".replace("\x00", "")
    sent = attempt(
        made, outcome=Outcome.REJECTED, status=422, error=HOSTILE, response=HOSTILE + bidi
    )
    logged_in = browser("auditor")

    shown = [
        logged_in.get(reverse("admin:webhooks_attempt_change", args=[sent.pk])),
        logged_in.get(address("attempt")),
        logged_in.get(page(made)),
    ]

    for answer in shown:
        body = answer.content.decode()
        assert answer.status_code == 200
        assert "<script>alert" not in body
        assert "<img src=x" not in body
        assert not set("\u202e\x1b") & set(body)
    assert "&lt;script&gt;alert(1)" in shown[0].content.decode()
    assert "\\u{202e}gnp.exe \\u{1b}[31mred" in shown[0].content.decode()


def test_screens_escape_hostile_settings_errors_and_names() -> None:
    made = endpoint(f"Evil {HOSTILE}", description=HOSTILE)
    Endpoint.objects.update(url=HOSTILE, state=State.DISABLED, disabled_reason=HOSTILE)
    hold(made, error=HOSTILE)
    logged_in = browser("risk manager")

    pages = [*map(address, LISTS), page(made), reverse("admin:index")]
    pages += [
        reverse(f"admin:webhooks_{name}", args=[made.pk])
        for name in ("edit", "replay", "rotate", "disable")
    ]
    for each in pages:
        body = logged_in.get(each).content.decode()
        assert "<script>alert" not in body, each
        assert "<img src=x" not in body, each


@pytest.mark.parametrize(
    "object_id", ["0", "x", "9" * 30, "%00", "00000000-0000-0000-0000-000000000000", "1e3", "-1"]
)
def test_unknown_endpoint_and_attempt_are_not_found(object_id: str) -> None:
    logged_in = browser("auditor")

    for name in ("endpoint", "attempt"):
        assert logged_in.get(f"/admin/webhooks/{name}/{object_id}/change/").status_code == 404


def test_no_screen_shows_a_secret() -> None:
    made = endpoint()
    secret, stored = Endpoint.objects.get().secret, "whsec_"
    logged_in = browser("risk manager")

    for each in (address("endpoint"), page(made), reverse("admin:webhooks_edit", args=[made.pk])):
        body = logged_in.get(each).content.decode()
        assert stored not in body
        assert bytes(secret).decode() not in body


@pytest.mark.parametrize("name", LISTS)
def test_rows_cannot_be_changed_or_deleted_by_the_forms_of_django(name: str) -> None:
    made = endpoint()
    attempt(made)
    hold(made)
    root = Browser()
    root.force_login(get_user_model().objects.create_superuser("root"))
    models: dict[str, Any] = {
        "endpoint": Endpoint,
        "attempt": Attempt,
        "heldpayment": HeldPayment,
    }
    model = models[name]
    row = model.objects.get()
    address_of = f"/admin/webhooks/{name}/{row.pk}"

    assert root.post(f"{address_of}/delete/", {"post": "yes"}).status_code == 403
    root.post(f"{address_of}/change/", {"url": "https://evil.example/", "tries": 0})
    assert model.objects.get() == row
    assert Endpoint.objects.get().url == URL


def test_dashboard_shows_endpoints_in_trouble_to_those_who_manage_them() -> None:
    endpoint(url=f"{URL}/sound")
    endpoint(url=f"{URL}/failing")
    endpoint(url=f"{URL}/dead")
    endpoint(url=f"{URL}/paused")
    Endpoint.objects.filter(url=f"{URL}/failing").update(failures=2, failing_since=NOON)
    Endpoint.objects.filter(url=f"{URL}/paused").update(failures=2, state=State.PAUSED)
    Endpoint.objects.filter(url=f"{URL}/dead").update(
        state=State.DISABLED, disabled_reason="It answered 410."
    )

    manager = browser("risk manager").get(reverse("admin:index"))
    auditor = browser("auditor", "gus").get(reverse("admin:index"))

    shown = [each["endpoint"].url.removeprefix(URL) for each in manager.context["endpoints"]]
    assert shown == ["/failing", "/dead"]
    assert "It answered 410." in text(manager)
    assert "since 2026-01-05 12:00 UTC" in text(manager)
    assert URL not in auditor.content.decode()


def test_event_page_links_to_its_attempts_for_those_who_may_see_them(acme: ApiClient) -> None:
    acme.submit()
    project()
    link = f"{address('attempt')}?payment="

    shown = {}
    for role in ("auditor", "viewer"):
        logged_in = browser(role, role)
        for event in EventIndex.objects.all():
            url = reverse("admin:readmodels_eventindex_change", args=[event.pk])
            shown[role, event.event_type] = link in logged_in.get(url).content.decode()

    assert shown == {
        ("auditor", "payment.initiated"): False,  # it is not public
        ("auditor", "payment.processed"): True,
        ("viewer", "payment.initiated"): False,
        ("viewer", "payment.processed"): False,
    }
