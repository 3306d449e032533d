"""The pages of failed requests show the next step and the request id, and no internals."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from django.urls import reverse

from payments.customers.models import Customer
from readmodels.admin.review.payments import PaymentAdmin
from tests.support.backoffice import browser, text
from tests.support.reviewing import at, do, payment_page, waiting

pytestmark = pytest.mark.django_db(transaction=True)

PAYMENTS = "/admin/readmodels/paymentsummary/"


def _fails(*_: Any, **__: Any) -> None:
    raise RuntimeError("an internal secret")


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        (PAYMENTS + "?nonsense=1", 400, "Open the list without filters"),
        ("/admin/auth/user/", 403, "Your role does not include this"),
        (PAYMENTS + "00000000-0000-0000-0000-000000000000/change/", 404, "Page not found"),
        ("/nowhere", 404, "Page not found"),
        (PAYMENTS, 500, "The error was recorded."),
    ],
)
def test_failure_page_shows_request_id_and_link_to_dashboard(
    path: str, status: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if status == 500:
        monkeypatch.setattr(PaymentAdmin, "details", _fails)
    viewer = browser("viewer")
    viewer.raise_request_exception = False
    answer: Any = viewer.get(path)
    assert answer.status_code == status
    shown = text(answer)
    assert says in shown
    assert f"Request id {answer.headers['X-Request-ID']}" in shown
    assert 'href="/admin/"' in answer.content.decode()
    for inside in ("secret", "RuntimeError", "Traceback", "nonsense"):
        assert inside not in shown


def test_page_of_a_csrf_failure_shows_request_id_and_link_to_dashboard() -> None:
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.create(username="grace", is_staff=True))

    answer: Any = strict.post(reverse("claim_next"), {"key": "1"})

    shown = text(answer)
    assert answer.status_code == 403
    assert "Nothing was sent" in shown
    assert f"Request id {answer.headers['X-Request-ID']}" in shown
    assert 'href="/admin/"' in answer.content.decode()


def test_payment_has_no_page_of_django_s_own_history() -> None:
    """Regression: Django's history page said that the payment had no history."""
    (payment,) = waiting()
    history = reverse("admin:readmodels_paymentsummary_history", args=[payment])

    assert browser().get(history).status_code == 404


def test_decision_page_names_the_decision() -> None:
    (payment,) = waiting()
    Customer.objects.update(name="Ada Ng")
    grace = browser()
    shown = grace.get(at(payment, "approve")).content.decode()
    assert shown.count(">Approve $15,000.00 from A** N*<") == 1
    assert "data-focus" in shown
    assert " autofocus" not in shown.partition("<form")[2].partition("</form>")[0]


def test_cancelled_payment_shows_actor_and_reason() -> None:
    (payment,) = waiting()
    grace = browser()
    do(grace, payment, "cancel", note="The Shop called.")
    expected = "Cancelled by grace. Reason: requested by customer. “The Shop called.”"
    assert expected in text(grace.get(payment_page(payment)))


def test_empty_queue_has_no_red_badge() -> None:
    page = browser().get(reverse("admin:index"))
    assert "Failed today: 0 · Rejected today: 0" in text(page)
    assert "bg-red-100 text-red-700" not in page.content.decode()
