"""The event log in the back office: filters, which all use an index, and the page of an event."""

import json
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from payments.events.models import Event
from readmodels.admin.base.browsing import PAGE
from readmodels.models import EventIndex
from tests.support.api import RISKY, ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.concurrency import session
from tests.support.raw_appends import DATA, INSERT, insert

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LIST = "admin:readmodels_eventindex_changelist"
PAGE_OF_ONE = "admin:readmodels_eventindex_change"


@pytest.fixture
def approved() -> str:
    """Return a payment of Acme that Ada approved. A payment of Bolt exists, too."""
    client = ApiClient("Acme")
    answer = client.post("/api/v1/payments", RISKY, **{"X-Request-ID": "checkout-7"})
    payment: str = body_of(answer)["id"]
    client.post(f"/api/v1/payments/{payment}/approve", {"reason": "other"})
    ApiClient("Bolt").submit()
    project()
    return payment


def found(query: str) -> list[str]:
    """Return the types of the listed events, oldest first."""
    auditor = browser("auditor", str(uuid4()))
    listing: Any = auditor.get(f"{reverse(LIST)}?{query}").context["cl"]
    return [row.event_type.removeprefix("payment.") for row in listing.result_list][::-1]


def test_events_are_found_by_each_filter(approved: str) -> None:
    whole = ["initiated", "flagged_for_review", "approved", "processed"]
    position = EventIndex.objects.get(event_type="payment.approved").pk
    today = timezone.now().date()
    bolt = EventIndex.objects.exclude(aggregate_id=approved).first()
    assert bolt is not None
    for query, expected in {
        "": [*whole, "initiated", "processed"],
        f"payment={approved}": whole,
        f"payment={approved}&event_type=payment.approved": ["approved"],
        "event_type=payment.initiated": ["initiated"] * 2,
        "event_type=nonsense": [],
        "actor=ada": ["approved", "processed"],
        "actor=Acme": ["initiated", "flagged_for_review"],
        f"actor={bolt.actor}": ["initiated", "processed"],
        "actor=Acme&event_type=payment.approved": [],
        "actor=nobody": [],
        "correlation_id=checkout-7": ["initiated", "flagged_for_review"],
        "correlation_id=checkout": [],
        f"q={approved}": whole,
        f"q={position}": ["approved"],
        "payment=nonsense": [],
        f"recorded_at_from_0={today}": [*whole, "initiated", "processed"],
        f"recorded_at_to_0={today}": [*whole, "initiated", "processed"],
        f"recorded_at_to_0={today}&recorded_at_to_1=00:00": [],
        "recorded_at_from_0=2999-01-01": [],
        "recorded_at_to_0=2020-01-01&recorded_at_to_1=12:30:00": [],
    }.items():
        assert found(query) == expected, query


@pytest.mark.parametrize(
    "query",
    [
        "actor=a%00b",
        "correlation_id=%00",
        "payment=%00",
        "actor=" + "x" * 3_000,
        "recorded_at_from_0=0001-01-01",
        "recorded_at_to_0=9999-12-31",
        "recorded_at_to_0=yesterday&recorded_at_to_1=noon",
        "recorded_at_from_1=12:00",
        "event_type=%00",
    ],
)
def test_unusual_event_filter_is_answered(approved: str, query: str) -> None:
    assert browser().get(f"{reverse(LIST)}?{query}").status_code == 200


def test_keyset_pages_hold_every_event_once() -> None:
    with session() as writer:
        for _ in range(PAGE + 3):
            insert(writer)
    project()
    logged_in, seen, url = browser(), [], "?"

    while url:
        listing: Any = logged_in.get(reverse(LIST) + url).context["cl"]
        seen += [row.pk for row in listing.result_list]
        url = listing.next_url

    assert seen == sorted(seen, reverse=True)
    assert len(seen) == Event.objects.count() == PAGE + 3


def test_event_of_another_aggregate_has_no_link_to_a_payment() -> None:
    """Regression: such an event had a link to the page of a payment that does not exist."""
    card, now = uuid4(), timezone.now()
    EventIndex.objects.create(
        position=1,
        aggregate_id=card,
        version=1,
        event_type="gift_card.charged",
        actor="system:test",
        command="charge",
        occurred_at=now,
        recorded_at=now,
    )

    page = browser("auditor", "Ada").get(reverse(LIST)).content.decode()

    assert str(card) in page
    assert f"paymentsummary/{card}" not in page


def test_page_of_event_of_another_aggregate_has_no_link_to_a_payment() -> None:
    """Regression: the page took every unknown aggregate for a payment."""
    card = uuid4()
    charged = INSERT.replace("'payment'", "'gift_card'").replace("payment.", "gift_card.")
    with session() as writer:
        row = writer.execute(charged, {"stream": card, "data": DATA}).fetchone()
    assert row is not None

    page = browser("auditor").get(reverse(PAGE_OF_ONE, args=row)).content.decode()

    assert str(card) in page
    assert f"paymentsummary/{card}" not in page


def test_event_page_shows_the_stored_event(approved: str) -> None:
    event = Event.objects.get(event_type="payment.flagged_for_review")
    answer = browser().get(reverse(PAGE_OF_ONE, args=[event.pk]))
    shown, html = text(answer), answer.content.decode()
    assert "payment.flagged_for_review" in shown
    assert '"first_card_payment_large"'.replace('"', "&quot;") in html
    assert event.metadata["digests"]["amount"] in shown
    assert "Acme" in shown
    for link in (
        reverse("admin:readmodels_paymentsummary_change", args=[approved]),
        f"?payment={approved}",
        "?correlation_id=checkout-7",
        f"?actor=client%3A{event.data['client_id']}",
    ):
        assert link in html


def test_event_page_exists_before_the_event_is_indexed() -> None:
    payment = body_of(ApiClient().submit())["id"]
    event = Event.objects.filter(aggregate_id=payment).first()
    assert event is not None
    assert not EventIndex.objects.exists()
    logged_in = browser()
    assert logged_in.get(reverse(PAGE_OF_ONE, args=[event.pk])).status_code == 200
    for nothing in ("0", "9" * 30, "x", str(uuid4())):
        assert logged_in.get(reverse(PAGE_OF_ONE, args=[nothing])).status_code == 404


def test_event_page_requires_permission_to_view_the_log(approved: str) -> None:
    from django.contrib.auth.models import Permission

    logged_in = browser()
    user = get_user_model().objects.get(username="grace")
    user.groups.clear()
    url = reverse(PAGE_OF_ONE, args=[EventIndex.objects.latest("position").pk])
    user.user_permissions.add(Permission.objects.get(codename="view_eventindex"))
    assert logged_in.get(reverse(LIST)).status_code == 200
    assert logged_in.get(url).status_code == 403


FILTERS = [
    "",
    "event_type=payment.initiated",
    "actor=staff:1",
    "payment=00000000-0000-0000-0000-000000000001",
    "correlation_id=checkout-7",
]
DAYS = ["", "recorded_at_from_0=2026-01-01&recorded_at_to_0=2026-01-02"]
BEGINNINGS = ["", "after=2026-01-01T12:00:00%2B00:00~7", "before=2026-01-01T12:00:00%2B00:00~7"]


@pytest.mark.slow
def test_every_event_filter_uses_an_index_without_sorting() -> None:
    """Regression: a range of days needed a sort."""
    logged_in = browser()
    for query in map("&".join, product(FILTERS, DAYS, BEGINNINGS)):
        with CaptureQueriesContext(connection) as captured:
            logged_in.get(f"{reverse(LIST)}?{query}")
        (statement,) = (
            each["sql"] for each in captured if 'FROM "readmodels_eventindex"' in each["sql"]
        )
        plan = plan_without_choice(statement)
        assert "Index Scan" in plan, query
        for unwanted in ("Seq Scan", "Bitmap", "Sort"):
            assert unwanted not in plan, query


def plan_without_choice(statement: str) -> str:
    """Return the plan with other scans switched off, because the tables are small."""
    with transaction.atomic(), connection.cursor() as cursor:
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}")
        return json.dumps(cursor.fetchone())


def test_events_are_found_by_the_name_of_a_person_as_shown(approved: str) -> None:
    user = get_user_model().objects.get(username="ada")
    user.first_name, user.last_name = "Ada", "Ng"
    user.save()

    for name in ("Ada Ng", "ada  ng", "Ada\u00a0Ng"):
        assert found(f"actor={name}") == ["approved", "processed"]

    other = get_user_model().objects.create(username="ada2", first_name="Ada", last_name="Ng")
    page = text(browser("auditor").get(reverse(LIST), {"actor": "Ada Ng"}))
    assert f"Several people have this name. Enter one of staff:{user.pk}, staff:{other.pk}." in page


def test_page_of_an_event_links_to_its_neighbors_in_the_stream(approved: str) -> None:
    first, second, third, _ = EventIndex.objects.filter(aggregate_id=approved).order_by("version")
    logged_in = browser("auditor")

    page = logged_in.get(reverse(PAGE_OF_ONE, args=[second.pk])).content.decode()

    assert f'rel="prev" href="{reverse(PAGE_OF_ONE, args=[first.pk])}"' in page
    assert f'rel="next" href="{reverse(PAGE_OF_ONE, args=[third.pk])}"' in page
    oldest = logged_in.get(reverse(PAGE_OF_ONE, args=[first.pk])).content.decode()
    assert 'rel="prev"' not in oldest
