"""What an open page learns from its polls, and what each poll costs."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from readmodels.models import PaymentSummary, SavedView
from tests.support.api import project
from tests.support.backoffice import browser
from tests.support.reviewing import QUEUE, do, payment_page, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

POLL = "/admin/reviews/poll/"


def opened(person: Browser, query: str = "", *, page: str = QUEUE) -> str:
    """Open the queue, or another `page`. Return the URL that the page polls."""
    page = person.get(page + query).content.decode()
    found = re.search(r'data-poll="([^"]+)"', page)
    assert found is not None
    return unescape(found[1])


def polled(person: Browser, url: str, **headers: str) -> Any:
    answer = person.get(url, headers=headers)
    assert answer.status_code == 200
    return json.loads(answer.content)


def cells(answer: Any, payment: str) -> Any:
    return answer["rows"][payment.replace("-", "")]


def test_poll_reports_new_decided_and_claimed_payments() -> None:
    decided, claimed, kept = waiting(3)
    grace, ann = browser(), browser("analyst", "ann")
    url = opened(ann)
    do(grace, decided, "reject")
    do(grace, claimed, "claim")
    waiting(2)

    answer = polled(ann, url)

    assert answer["news"] == "2 new payments, 1 decided."
    assert answer["counts"][""] == "4"
    assert answer["counts"]["standing=free"] == "3"
    assert answer["counts"]["decidable=me"] == "3"
    assert cells(answer, decided) == {"gone": "Rejected"}
    assert "grace" in cells(answer, claimed)["claim"]
    assert "unclaimed" in cells(answer, kept)["claim"]


def test_poll_reports_rows_that_left_the_view() -> None:
    (payment,) = waiting()
    grace, ann = browser(), browser("analyst", "ann")
    url = opened(ann, "?standing=free")
    do(grace, payment, "claim")
    project()

    answer = polled(ann, url)

    assert answer["news"] == "1 no longer in this view."
    assert cells(answer, payment) == {"gone": "No longer in this view"}


def test_open_payment_learns_that_a_colleague_has_changed_it() -> None:
    """Regression: the page showed "Unclaimed" with all buttons until it was reloaded."""
    payment, other = waiting(2)
    grace, ann = browser(), browser("analyst", "ann")
    url = opened(ann, page=payment_page(payment))
    do(grace, other, "claim")
    project()
    assert polled(ann, url)["news"] == ""

    do(grace, payment, "claim")
    project()

    assert polled(ann, url)["news"] == "This payment has changed since you opened it."
    assert polled(ann, opened(ann, page=payment_page(payment)))["news"] == ""
    do(grace, payment, "reject")
    assert "data-poll" not in ann.get(payment_page(payment)).content.decode()


@pytest.mark.parametrize("role", ["viewer", "auditor"])
def test_roles_that_decide_nothing_see_the_counts_of_others(role: str) -> None:
    """Regression: all counts were 0, because no payment meets the condition "I may decide"."""
    waiting(2)
    person = browser(role)

    counts = polled(person, POLL)["counts"]

    assert (counts[""], counts["standing=free"], counts["decidable=me"]) == ("2", "2", "0")
    assert re.search(r"data-count=\W*>2<", person.get(QUEUE).content.decode())


def test_poll_counts_new_payments_of_the_view_only() -> None:
    waiting()
    ann = browser("analyst", "ann")
    urls = [opened(ann, query) for query in ("?currency=USD", "?currency=EUR", "?currency=x")]

    waiting(3)

    news = [polled(ann, url)["news"] for url in urls]
    assert news == ["3 new payments.", "", ""]


def test_unchanged_queue_answers_not_modified() -> None:
    (payment,) = waiting()
    grace, ann = browser(), browser("analyst", "ann")
    url = opened(ann)
    etag = ann.get(url).headers["ETag"]

    assert ann.get(url, headers={"If-None-Match": etag}).status_code == 304
    # A colleague's claim changes the page.
    do(grace, payment, "claim")
    project()
    changed = ann.get(url, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    etag = changed.headers["ETag"]
    assert ann.get(url, headers={"If-None-Match": etag}).status_code == 304
    # A claim ends without an event.
    past = timezone.now() - timedelta(seconds=1)
    PaymentSummary.objects.update(claimed_until=past)
    ended = ann.get(url, headers={"If-None-Match": etag})
    assert ended.status_code == 200
    assert "unclaimed" in cells(json.loads(ended.content), payment)["claim"]
    # Two people never share an answer, because "mine" means different payments.
    assert grace.get(url, headers={"If-None-Match": ended.headers["ETag"]}).status_code == 200


def test_poll_reports_a_level_of_the_deadline_that_was_reached() -> None:
    """No event says that a level was reached."""
    (payment,) = waiting()
    ann = browser("analyst", "ann")
    url = opened(ann)
    etag = ann.get(url).headers["ETag"]

    now = timezone.now()
    PaymentSummary.objects.update(
        flagged_at=now - timedelta(hours=9), review_deadline=now + timedelta(hours=1)
    )

    answer = ann.get(url, headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert "80 % of time used" in cells(json.loads(answer.content), payment)["unusual"]


def test_poll_of_other_pages_has_counts_only() -> None:
    waiting(2)
    ann = browser("analyst", "ann")

    page = ann.get("/admin/").content.decode()
    answer = polled(ann, POLL)

    assert re.search(rf'data-waiting="{POLL}"[^>]*>2<', page)
    assert (answer["counts"][""], answer["rows"], answer["news"]) == ("2", {}, "")


@pytest.mark.parametrize(
    "query",
    [
        "shown=x,%00,1&since=%00",
        "shown=" + ",".join(["0" * 32] * 60),
        "since=-1",
        "since=" + "9" * 40,
        "since=²",
        "currency=%00&since=1",
        "nonsense=1&after=x&_to_field=y",
        "view=1",
    ],
)
def test_hostile_poll_is_answered(query: str) -> None:
    waiting()

    answer = browser().get(f"{POLL}?{query}")

    assert answer.status_code == 200
    assert json.loads(answer.content)["rows"] == {}


def test_poll_needs_a_role() -> None:
    stranger = Browser()
    stranger.force_login(get_user_model().objects.create(username="eve", is_staff=True))

    assert Browser().get(POLL).status_code == 302
    assert stranger.get(POLL).status_code == 403
    assert browser("viewer", "vic").get(POLL).status_code == 200
    assert browser().post(POLL).status_code == 405


def test_unchanged_poll_looks_up_no_names() -> None:
    """Names, clients and markup are needed only if the answer is not a 304."""
    payments = waiting(12)
    grace, ann = browser(), browser("analyst", "ann")
    for payment in payments[:3]:
        do(grace, payment, "claim")
    project()
    url = opened(ann)
    etag = ann.get(url).headers["ETag"]

    with CaptureQueriesContext(connection) as queries:
        assert ann.get(url, headers={"If-None-Match": etag}).status_code == 304

    statements = [each["sql"] for each in queries if "readmodels_" in each["sql"]]
    # The statements read saved views, the counts of all tabs, the rows, and the number of new rows.
    assert len(statements) <= 5
    assert not [sql for sql in statements if "COUNT(" in sql and "LIMIT" not in sql]
    assert not [each for each in queries if "customers_customer" in each["sql"]]


def test_poll_reads_the_clients_once_for_all_saved_views() -> None:
    waiting()
    ann = browser("analyst", "ann")
    client = PaymentSummary.objects.get().client_id
    for number in range(3):
        SavedView.objects.create(
            owner=get_user_model().objects.get(username="ann"),
            screen="queue",
            name=f"View {number}",
            query=f"client={client}",
            position=number,
        )

    with CaptureQueriesContext(connection) as queries:
        counts = polled(ann, POLL)["counts"]

    assert [number for key, number in counts.items() if key.startswith("view-")] == ["1"] * 3
    assert sum("clients_client" in each["sql"] for each in queries) == 1


def test_counts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readmodels.admin.review.queue.COUNTED_TO", 3)
    waiting(5)

    counts = polled(browser(), POLL)["counts"]

    assert (counts[""], counts["standing=free"], counts["standing=mine"]) == ("3+", "3+", "0+")
