"""All roles see parked events in the back office. Risk managers retry and discard them."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from msgspec.structs import replace

from payments.aggregates import RecordedPaymentEvent
from payments.domain.payment.events import PaymentApproved
from readmodels.models import DailyStatistics, DiscardedEvent, ParkedEvent
from readmodels.projections import PROJECTIONS, daily_statistics
from tests.support.api import RISKY, ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.concurrency import at_once, session

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LIST = "admin:readmodels_parkedevent_changelist"
NAME = daily_statistics.PROJECTION.name


@pytest.fixture
def payment(monkeypatch: pytest.MonkeyPatch) -> str:
    """An approved payment whose approval the daily statistics cannot apply until `repaired`."""
    delta = daily_statistics.delta

    def broken(record: RecordedPaymentEvent) -> Any:
        if isinstance(record.event, PaymentApproved):
            raise ZeroDivisionError("no such <rate>")
        return delta(record)

    monkeypatch.setitem(PROJECTIONS, NAME, replace(daily_statistics.PROJECTION, delta=broken))
    client = ApiClient()
    payment: str = body_of(client.submit(**RISKY))["id"]
    client.post(f"/api/v1/payments/{payment}/approve", {"reason": "other"})
    project()
    return payment


@pytest.fixture
def repaired(payment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROJECTIONS, NAME, daily_statistics.PROJECTION)


def failed() -> ParkedEvent:
    return ParkedEvent.objects.exclude(error="").get()


def url(name: str, row: ParkedEvent | None = None) -> str:
    return reverse(f"admin:{name}", args=[(row or failed()).pk])


def test_risk_manager_sees_parked_events_with_their_errors(payment: str) -> None:
    logged_in = browser("risk manager")
    listed = text(logged_in.get(reverse(LIST)))
    assert "ZeroDivisionError: no such &lt;rate&gt;" in listed
    assert "Waits for an earlier event of its payment" in listed
    page = logged_in.get(url("readmodels_parkedevent_change"))
    assert "no such &lt;rate&gt;" in text(page)
    assert "Traceback (most recent call last)" in text(page)
    assert f"/admin/readmodels/paymentsummary/{payment}/" in page.content.decode()
    waiting = ParkedEvent.objects.get(error="")
    assert f"payment.processed at {waiting.position}" in text(page)  # waits for the parked one
    behind = text(logged_in.get(url("readmodels_parkedevent_change", waiting)))
    assert f"waits for payment.approved at {failed().position}" in behind
    projections = logged_in.get(reverse("admin:readmodels_checkpoint_changelist"))
    assert f"?projection={NAME}" in projections.content.decode()


@pytest.mark.parametrize(("role", "is_shown"), [("viewer", False), ("risk manager", True)])
def test_dashboard_shows_parked_events_to_those_who_repair(
    payment: str, role: str, *, is_shown: bool
) -> None:
    dashboard = browser(role).get(reverse("admin:index")).content.decode()

    assert (f"?projection={NAME}" in dashboard) is is_shown


def test_parked_list_filters_by_projection_type_and_payment(payment: str) -> None:
    logged_in = browser("risk manager")
    for query, found in {
        "": 2,
        f"projection={NAME}": 2,
        "projection=payment_summary": 0,
        "projection=a%00b": 0,
        "event_type=payment.approved": 1,
        "event_type=nonsense": 0,
        f"q={payment}": 2,
        "q=00000000-0000-0000-0000-000000000000": 0,
    }.items():
        listing: Any = logged_in.get(f"{reverse(LIST)}?{query}").context["cl"]
        assert len(listing.result_list) == found, query


@pytest.mark.parametrize("role", ["viewer", "senior reviewer", "auditor"])
def test_repair_is_for_risk_managers_only(payment: str, role: str) -> None:
    logged_in = browser(role)
    assert logged_in.get(url("readmodels_parkedevent_change")).status_code == 403
    for name in ("parked_retry", "parked_discard"):
        assert logged_in.post(url(name), {"reason": "Why not"}).status_code == 403
    assert logged_in.get(url("parked_discard")).status_code == 403
    assert ParkedEvent.objects.count() == 2


def test_repair_needs_the_token_of_its_page(payment: str) -> None:
    strict = Browser(enforce_csrf_checks=True)
    strict.cookies["sessionid"] = browser("risk manager").cookies["sessionid"].value
    for name in ("parked_retry", "parked_discard"):
        assert strict.post(url(name), {"reason": "Why not"}).status_code == 403
    assert browser("risk manager", "other").get(url("parked_retry")).status_code == 405
    assert ParkedEvent.objects.count() == 2


def test_retry_before_the_fix_reports_that_nothing_changed(payment: str) -> None:
    answer = browser("risk manager").post(url("parked_retry"), follow=True)
    assert "2 events of this payment are still parked" in text(answer)
    assert answer.redirect_chain[-1][0] == url("readmodels_parkedevent_change")
    assert failed().attempts == 2


@pytest.mark.usefixtures("repaired")
def test_retry_after_the_fix_applies_all_events() -> None:
    answer = browser("risk manager").post(url("parked_retry"), follow=True)
    assert "Applied" in text(answer)
    assert not ParkedEvent.objects.exists()
    row = DailyStatistics.objects.get()
    assert (row.completed_count, row.open_reviews) == (1, 0)


@pytest.mark.usefixtures("repaired")
def test_concurrent_retries_apply_events_once() -> None:
    """A retry removes the parked events under the checkpoint's lock, so the second finds none."""
    address = url("parked_retry")
    cookie = browser("risk manager").cookies["sessionid"].value

    def click(_: int) -> int:
        clicking = Browser()
        clicking.cookies["sessionid"] = cookie
        return clicking.post(address).status_code

    assert at_once(4, click) == [302] * 4
    assert DailyStatistics.objects.get().completed_count == 1


def test_discard_needs_a_reason_and_stores_the_actor(payment: str) -> None:
    logged_in = browser("risk manager")
    page, position = url("parked_discard"), failed().position
    assert "This cannot be undone" in text(logged_in.get(page))
    for reason, complaint in {
        "": "This field is required",
        "4111 1111 1111 1111": "card number",
        "x" * 501: "at most 500 characters",
    }.items():
        assert complaint in text(logged_in.post(page, {"reason": reason}))
    assert ParkedEvent.objects.count() == 2
    answer = logged_in.post(page, {"reason": "Entered twice"}, follow=True)
    assert "No event of this payment is parked" in text(answer)
    decided = DiscardedEvent.objects.get()
    assert (decided.position, decided.reason) == (position, "Entered twice")
    assert DailyStatistics.objects.get().completed_count == 1
    listed = text(logged_in.get(reverse("admin:readmodels_discardedevent_changelist")))
    assert re.search(r"Entered twice.*grace", listed)
    assert "is no longer parked" in text(logged_in.post(page, {"reason": "Again"}, follow=True))


def test_discard_refuses_an_event_that_only_waits(payment: str) -> None:
    logged_in = browser("risk manager")
    waiting = ParkedEvent.objects.get(error="")
    assert "Discard…" not in text(logged_in.get(url("readmodels_parkedevent_change", waiting)))
    answer = logged_in.post(url("parked_discard", waiting), {"reason": "Why not"}, follow=True)
    assert "waits for an earlier one" in text(answer)
    assert not DiscardedEvent.objects.exists()


def test_repair_of_an_event_that_is_no_longer_parked_says_so(payment: str) -> None:
    logged_in = browser("risk manager")
    pages = [url("readmodels_parkedevent_change"), url("parked_discard")]
    ParkedEvent.objects.all().delete()
    for page in pages:
        assert "is no longer parked" in text(logged_in.get(page, follow=True))


def test_page_does_not_wait_for_another_repair(
    payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readmodels.admin.operations.repairs._LOCK_SECONDS", 0.1)
    logged_in = browser("risk manager")

    with session() as other, other.transaction():
        other.execute("SELECT FROM readmodels_checkpoint WHERE name = %s FOR UPDATE", (NAME,))
        answer = logged_in.post(url("parked_retry"), follow=True)

    assert "Try again in a moment" in text(answer)
    assert ParkedEvent.objects.count() == 2


def test_repair_is_refused_while_the_projection_needs_a_rebuild(
    payment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROJECTIONS, NAME, replace(PROJECTIONS[NAME], version=99))
    answer = browser("risk manager").post(url("parked_retry"), follow=True)
    assert "manage.py rebuild_projections daily_statistics" in text(answer)
    assert ParkedEvent.objects.count() == 2


def test_repair_has_its_own_transaction(payment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the change form's transaction, the checkpoint would stay locked until the page is sent."""
    seen = []

    def retry(*_: Any, by: str) -> int:
        seen.append(len(connection.atomic_blocks))
        return 0

    monkeypatch.setattr("readmodels.engine.parking.retry", retry)
    browser("risk manager").post(url("parked_retry"))
    assert seen == [1]


def test_api_and_health_check_report_parked_events(payment: str) -> None:
    listed = body_of(ApiClient().get("/api/v1/projections"))["projections"]
    states = {each["name"]: (each["state"], each["parked"]) for each in listed}
    assert states[NAME] == ("parked", 2)
    assert states["payment_summary"] == ("current", 0)
    ready = body_of(Browser().get("/readyz"))
    assert (ready["ready"], ready["degraded"], ready["projections"][NAME]) == (True, True, "parked")
