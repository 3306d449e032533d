"""Decisions in the back office: permissions, concurrency and invalid input."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser
from django.urls import reverse

from payments.customers.models import Note
from payments.events.models import Event
from tests.support.api import PAYMENTS, ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.concurrency import at_once
from tests.support.reviewing import seen_by

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def page(payment: str, command: str) -> str:
    return reverse(f"admin:payment_{command}", args=[payment])


def form_of(logged_in: Browser, payment: str, command: str = "approve") -> dict[str, Any]:
    """Return the fields that the page's form would send, with a reason."""
    answer = logged_in.get(page(payment, command))
    html = answer.content.decode()
    hidden = dict(
        re.findall(r'<input type="hidden" name="(key|version|seen)" value="([^"]+)"', html)
    )
    assert hidden.keys() == {"key", "version", "seen"}
    reason = {"approve": "known_customer", "reject": "suspected_fraud"}[command]
    return hidden | {"reason": reason, "note": ""}


def test_payment_page_shows_its_history(flagged: str) -> None:
    logged_in = browser()
    form = form_of(logged_in, flagged) | {"reason": "known_customer", "note": "A regular."}
    answer = logged_in.post(page(flagged, "approve"), form, follow=True)
    shown = text(answer)
    for expected in (
        "Approved. Lists update within a few seconds.",
        "$15,000.00",
        "Flagged for review",
        "first card payment, and a large one",
        "Known customer",
        "“A regular.”",
        "by grace",
    ):
        assert expected in shown
    Note.objects.all().delete()
    url = reverse("admin:readmodels_paymentsummary_change", args=[flagged])
    assert "This note was erased." in text(logged_in.get(url))


def test_breadcrumb_of_a_payment_names_the_list_once(flagged: str) -> None:
    url = reverse("admin:readmodels_paymentsummary_change", args=[flagged])
    shown = browser().get(url).content.decode()

    [breadcrumb] = re.findall(r'aria-label="Breadcrumb">(.*?)</nav>', shown, flags=re.DOTALL)
    assert re.sub(r"<[^>]*>", " ", breadcrumb).split() == ["Dashboard", "All", "payments"]
    assert re.findall(r"<h1[^>]*>(.*?)</h1>", shown) == ["<bdi>Payment of $15,000.00</bdi>"]


def test_payment_page_shows_cancellations_and_refunds(flagged: str) -> None:
    """Regression: these pages failed with 500."""
    acme = ApiClient()
    because = {"reason": "duplicate"}
    acme.post(f"{PAYMENTS}/{flagged}/cancel", because)
    paid = body_of(acme.submit())["id"]
    acme.post(f"{PAYMENTS}/{paid}/refunds", because | {"amount": 500, "currency": "EUR"})
    acme.post(f"{PAYMENTS}/{paid}/refunds", because)
    project()
    logged_in = browser()
    for payment, shown in (
        (flagged, ["Cancelled", "Decide by"]),
        (paid, ["€5.00", "Refunded €19.99"]),
    ):
        url = reverse("admin:readmodels_paymentsummary_change", args=[payment])
        answer = logged_in.get(url)
        assert answer.status_code == 200
        assert all(expected in text(answer) for expected in shown)
    statistics = reverse("admin:readmodels_dailystatistics_changelist")
    (row,) = logged_in.get(statistics, {"currency": "EUR"}).context["cl"].result_list
    assert (row.refunded_count, row.refunded_volume) == (2, 1999)


@pytest.mark.parametrize(("role", "allowed"), [("viewer", 0), ("auditor", 0), ("analyst", 1)])
@pytest.mark.parametrize("command", ["approve", "reject"])
def test_only_reviewers_decide(flagged: str, role: str, allowed: int, command: str) -> None:
    logged_in = browser(role)
    url = reverse("admin:readmodels_paymentsummary_change", args=[flagged])
    assert (page(flagged, command) in logged_in.get(url).content.decode()) == bool(allowed)
    assert logged_in.get(page(flagged, command)).status_code == (200 if allowed else 403)
    reason = {"approve": "known_customer", "reject": "suspected_fraud"}[command]
    forged = {"reason": reason, "key": str(uuid4()), "version": "2", "note": ""}
    forged["seen"] = seen_by(logged_in, flagged)
    answer = logged_in.post(page(flagged, command), forged)
    assert answer.status_code == (302 if allowed else 403)
    assert Event.objects.count() == (2 if not allowed else 4 if command == "approve" else 3)


def test_decision_without_csrf_token_is_refused(flagged: str) -> None:
    strict = Browser(enforce_csrf_checks=True)
    user = get_user_model().objects.create(username="grace", is_staff=True)
    user.groups.add(Group.objects.get(name="analyst"))
    strict.force_login(user)
    forged = {"reason": "other", "key": str(uuid4()), "version": "2"}

    assert strict.post(page(flagged, "approve"), forged).status_code == 403
    assert Event.objects.count() == 2


def test_double_click_is_one_decision(flagged: str) -> None:
    logged_in = browser()
    form = form_of(logged_in, flagged) | {"note": "Once."}
    session = logged_in.cookies["sessionid"].value

    def click(_: int) -> str:
        clicking = Browser()
        clicking.cookies["sessionid"] = session
        return text(clicking.post(page(flagged, "approve"), form, follow=True))

    assert all("Approved. Lists update" in shown for shown in at_once(4, click))
    assert (Event.objects.count(), Note.objects.count()) == (4, 1)


def test_late_decision_is_refused_with_the_name_of_the_faster_reviewer(flagged: str) -> None:
    slow, fast = browser(username="slow"), browser(username="fast")
    form = form_of(slow, flagged, "reject")
    fast.post(page(flagged, "approve"), form_of(fast, flagged))
    shown = text(slow.post(page(flagged, "reject"), form, follow=True))
    assert "This payment changed while you had it open." in shown
    assert "by fast" in shown
    assert "was approved by fast at" in shown
    again = text(slow.get(page(flagged, "reject"), follow=True))
    assert "This payment was approved by fast at" in again
    assert Event.objects.count() == 4


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"reason": ""}, "This field is required."),
        ({"reason": "suspected_fraud"}, "not one of the available choices"),
        ({"note": "4111 1111 1111 1111"}, "card number"),
        ({"note": "a\0b"}, "Null characters are not allowed"),
        ({"note": "x" * 2001}, "at most 2000 characters"),
    ],
)
def test_invalid_decision_is_explained_and_stores_nothing(
    flagged: str, changes: dict[str, str], complaint: str
) -> None:
    logged_in = browser()
    answer = logged_in.post(page(flagged, "approve"), form_of(logged_in, flagged) | changes)

    assert answer.status_code == 200
    assert complaint in text(answer)
    assert (Event.objects.count(), Note.objects.count()) == (2, 0)


@pytest.mark.parametrize("path", ["", "approve/", "reject/"])
def test_unknown_payment_is_not_found(path: str) -> None:
    base = f"/admin/readmodels/paymentsummary/{uuid4()}/"
    assert browser().get(base + (path or "change/")).status_code == 404
