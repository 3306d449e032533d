"""The buttons that snooze, resume, assign and hand over a payment, and what others then see."""

from datetime import UTC, datetime, timedelta, timezone as tz
from io import StringIO
from typing import Final
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import timezone

from payments import actors
from payments.aggregates import PAYMENT_AGGREGATE
from payments.customers.models import Note
from payments.domain.payment.state import Payment
from payments.events import replay
from payments.events.models import Event
from readmodels.admin.review.routing_fields import presets
from readmodels.models import PaymentSummary
from tests.support.api import FOUR_EYES, ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.reviewing import at, buttons, do, form, payment_page, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOW: Final = datetime(2026, 12, 1, 10, 17, 42, tzinfo=UTC)  # a Tuesday


def in_hours(hours: float) -> str:
    return f"{timezone.now() + timedelta(hours=hours):%Y-%m-%dT%H:%MZ}"


def actor(username: str) -> str:
    return actors.staff(get_user_model().objects.get(username=username).pk)


def state(payment: str) -> Payment:
    loaded = replay.load(PAYMENT_AGGREGATE, UUID(payment)).state
    assert loaded is not None
    return loaded


def snooze(logged_in: Browser, payment: str, **given: str) -> str:
    wait = {"wait": in_hours(4), "reason": "waiting_for_customer"}
    return do(logged_in, payment, "snooze", **{**wait, **given})


def test_snooze_until_a_time_with_any_offset_is_stored_in_utc() -> None:
    """PostgreSQL refuses such an offset, so the projection would park the event."""
    (payment,) = waiting()
    until = timezone.now().replace(second=0, microsecond=0) + timedelta(hours=4)
    typed = until.astimezone(tz(timedelta(hours=20, minutes=30))).isoformat()

    snooze(browser("analyst", "ann"), payment, wait="other", until=typed)

    project()
    assert PaymentSummary.objects.get().snoozed_until == until
    assert "Write the time like" in snooze(
        browser("analyst", "ben"), payment, wait="other", until="0001-01-01T00:00+20:30"
    )


def test_snooze_shows_until_when_and_for_what_the_payment_waits() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    do(ann, payment, "claim")

    shown = snooze(ann, payment, note="Called, no answer.")

    assert "It returns to you first." in shown
    for page in (shown, text(ben.get(payment_page(payment)))):
        assert "Waiting for customer, until" in page
        assert "“Called, no answer.”" in page
    assert "Snoozed by ann until" in text(ben.get(payment_page(payment)))
    assert "resume" in buttons(ben, payment)
    assert state(payment).lease is None


def test_colleague_ends_a_snooze_and_decides() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    snooze(ann, payment)

    shown = do(ben, payment, "resume")

    assert "The snooze has ended." in shown
    assert "Returned" in shown
    assert "Approved." in do(ben, payment, "approve")


def test_snooze_until_another_time() -> None:
    (payment,) = waiting()
    until = timezone.now() + timedelta(days=2)

    snooze(browser(), payment, wait="other", until=f"{until:%Y-%m-%dT%H:%M}")

    snoozed = state(payment).snooze
    assert snoozed is not None
    assert snoozed.until == until.replace(second=0, microsecond=0)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "wait"),
        ({"wait": "soon"}, "wait"),
        ({"wait": "other"}, "until"),
        ({"wait": "other", "until": "tomorrow"}, "until"),
        ({"wait": "2030-01-01T09:00Z"}, "until"),
        ({"wait": "2020-01-01T09:00Z"}, "until"),
        ({"wait": "2030-01-01T09:00Z", "until": "2030-01-01T09:00"}, "until"),
    ],
)
def test_wrong_time_is_explained_at_its_field(given: dict[str, str], field: str) -> None:
    (payment,) = waiting()
    logged_in = browser()
    sent = form(logged_in, payment, "snooze", note="Typed.", **given)

    answer = logged_in.post(at(payment, "snooze"), sent)

    assert list(answer.context["form"].errors) == [field]
    assert "Typed." in text(answer)
    assert Event.objects.count() == 2


def test_offered_times_are_before_the_deadline() -> None:
    labels = [label for _, label in presets(NOW, NOW + timedelta(days=7))]
    assert labels == [
        "In 1 hour, 11:17 UTC",
        "In 2 hours, 12:17 UTC",
        "In 4 hours, 14:17 UTC",
        "Tomorrow, Wednesday, 09:00 UTC",
        "Monday, 09:00 UTC",
    ]
    assert len(list(presets(NOW, NOW + timedelta(hours=3)))) == 2
    assert not list(presets(NOW, NOW + timedelta(minutes=30)))
    sunday = NOW + timedelta(days=5)
    assert [label for _, label in presets(sunday, sunday + timedelta(days=7))][3:] == [
        "Tomorrow, Monday, 09:00 UTC"
    ]


def test_chosen_time_stays_chosen_after_a_refusal() -> None:
    (payment,) = waiting()
    logged_in = browser()
    chosen = in_hours(5)
    sent = form(logged_in, payment, "snooze", wait=chosen, version="1")

    answer = logged_in.post(at(payment, "snooze"), sent)

    assert answer.status_code == 409
    assert f'value="{chosen}"' in answer.content.decode()
    assert Event.objects.count() == 2


def test_holder_hands_over_with_a_note() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    do(ann, payment, "claim")
    assert "Hand over" in text(ann.get(payment_page(payment)))

    shown = do(ann, payment, "assign", to=actor("ben"), note="You know this customer.")

    assert "Assigned to ben." in shown
    assert "assigned to ben" in shown
    shown = text(ben.get(payment_page(payment)))
    assert "Unclaimed, assigned to you" in shown
    assert "“You know this customer.”" in shown
    assert "Not claimed: senior reviewers can decide too." in text(ben.get(at(payment, "approve")))
    assert buttons(ann, payment) == []
    assert Note.objects.get().text == "You know this customer."


def test_assignee_gives_a_payment_back() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    do(ann, payment, "claim")
    do(ann, payment, "assign", to=actor("ben"))

    assert "No longer assigned." in do(ben, payment, "assign", to="nobody")

    assert state(payment).assigned_to is None
    assert "claim" in buttons(ann, payment)


def test_form_offers_those_who_may_decide() -> None:
    (payment,) = waiting(**FOUR_EYES)
    grace, hal = browser(), browser(username="hal")
    for role in ("viewer", "auditor", "analyst", "risk manager"):
        browser(role, role.split()[0])
    gone = browser("analyst", "gone")
    get_user_model().objects.filter(username="gone").update(is_active=False)
    assert gone is not None

    def offered(logged_in: Browser) -> list[str]:
        answer = logged_in.get(at(payment, "assign"))
        return [label for value, label in answer.context["form"].fields["to"].choices if value]

    assert offered(grace) == ["ada", "analyst", "grace", "hal", "risk"]
    do(hal, payment, "approve")
    assert offered(grace) == ["grace"]


def test_choice_of_somebody_who_may_not_decide_is_refused() -> None:
    (payment,) = waiting()
    grace = browser()
    browser("viewer", "vic")
    sent = form(grace, payment, "assign", to=actor("vic"))

    answer = grace.post(at(payment, "assign"), sent)

    assert "This person may not decide the payment." in text(answer)
    assert Event.objects.count() == 2


def test_senior_reviewer_decides_on_what_is_assigned_to_another() -> None:
    (payment,) = waiting()
    ann, grace = browser("analyst", "ann"), browser()
    do(grace, payment, "assign", to=actor("ann"))

    assert "Rejected." in do(grace, payment, "reject")

    assert "rejected by grace" in text(ann.get(at(payment, "approve"), follow=True))


def test_command_shows_snooze_and_assignee() -> None:
    (payment,) = waiting()
    grace = browser()
    browser("analyst", "ann")
    do(grace, payment, "assign", to=actor("ann"))
    snooze(grace, payment)
    out = StringIO()

    call_command("payment", payment, stdout=out)

    shown = out.getvalue()
    assert f"Assigned: to ann ({actor('ann')})" in shown
    assert f" Assigned     to ann ({actor('ann')})" in shown
    assert f" Snoozed      Waiting for customer, by grace ({actor('grace')}) until" in shown


def test_clients_do_not_see_assignees_and_reasons_of_snoozes() -> None:
    """The history still lists these events, because versions have no gaps."""
    (payment,) = waiting()
    grace = browser()
    browser("analyst", "ann")
    snooze(grace, payment)
    do(grace, payment, "assign", to=actor("ann"))
    project()
    merchant = ApiClient()

    history = merchant.get(f"/api/v1/payments/{payment}/events").content.decode()
    body = merchant.get(f"/api/v1/payments/{payment}").content.decode()
    feed = merchant.get("/api/v1/events").content.decode()

    assert "payment.review_assigned" in history
    for answer in (history, body, feed):
        assert actor("ann") not in answer
        assert "waiting_for_customer" not in answer
        assert "snoozed_until" not in answer
    assert "review_assigned" not in feed
    assert "review_snoozed" not in feed
