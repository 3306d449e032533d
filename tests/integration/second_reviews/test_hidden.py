"""Reviewers do not learn that their decision was chosen. The second reviewer sees no decision."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
from django.test import Client as Browser
from django.urls import reverse

from payments.domain.payment.codes import EscalationReason
from payments.domain.payment.commands import EscalateReview
from payments.events.models import Event
from payments.permissions import CONCLUDE_SECOND_REVIEW
from readmodels import roles
from readmodels.exports.models import Kind
from readmodels.models import EventIndex
from tests.support import webhooks
from tests.support.api import FOUR_EYES, PAYMENTS, ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.exports import export, table
from tests.support.reviewing import payment_page, waiting
from tests.support.routing import act, staff
from tests.support.second_reviews import (
    APPROVAL_NOTE,
    actor_of,
    approve,
    approved,
    conclude,
    events,
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("all_chosen"),
]

EVENTS: Final = "/admin/readmodels/eventindex/"


def _pages(payment: str) -> list[str]:
    """Return the pages on which a person could look for what happened to the payment."""
    customer = Event.objects.get(event_type="payment.approved").data["customer_id"]
    page = payment_page(payment)
    return [
        "/admin/",
        page,
        *(f"{page}?version={version}" for version in range(1, 5)),
        "/admin/reviews/",
        "/admin/readmodels/paymentsummary/",
        f"/admin/readmodels/paymentsummary/?q={payment}",
        f"/admin/find/?q={payment}",
        "/admin/second-reviews/",
        "/admin/readmodels/secondreview/",
        "/admin/mentions/",
        "/admin/analytics/",
        "/admin/readmodels/dailystatistics/",
        f"/admin/customers/customer/{customer}/change/",
        EVENTS,
        f"{EVENTS}?q={payment}",
        f"{EVENTS}?payment={payment}",
        f"{EVENTS}?event_type=second_review.requested",
        f"{EVENTS}?actor=system:second_reviews",
        "/admin/readmodels/checkpoint/",
        "/admin/readmodels/parkedevent/",
    ]


def _traces(logged_in: Browser, pages: list[str]) -> list[str]:
    """Return the pages that show the second review: its id, or a link to one of its events."""
    (requested,) = events()
    signs = (str(requested.aggregate_id), f"{EVENTS}{requested.position}/")
    found = []
    for page in pages:
        answer = logged_in.get(page)
        assert answer.status_code in {200, 403}, page
        html = answer.content.decode()
        found += [page for sign in signs if sign in html]
    return found


@pytest.mark.parametrize("role", ["analyst", "senior reviewer", "risk manager"])
def test_reviewer_finds_no_trace_of_the_second_review_of_their_decision(role: str) -> None:
    grace = browser(role)
    payment, review = approved(actor_of(grace))
    (requested,) = events()

    traces = _traces(grace, _pages(payment))

    assert traces == []
    hidden = (
        f"{EVENTS}{requested.position}/change/",
        reverse("admin:readmodels_secondreview_change", args=[review]),
        reverse("admin:second_review_conclude", args=[review]),
    )
    for page in hidden:
        assert grace.get(page).status_code in {403, 404}, page
    assert grace.post(hidden[-1], {"verdict": "approve-other"}).status_code in {403, 404}
    own = grace.get("/admin/analytics/").context
    assert own.get("second_reviews_open", []) == []
    assert own.get("chosen_days", []) == []


def test_superuser_finds_no_trace_of_the_second_review_of_their_decision() -> None:
    grace = browser()
    _promote(grace)
    payment, _ = approved(actor_of(grace))

    assert _traces(grace, _pages(payment)) == []


@pytest.mark.parametrize(("role", "hidden"), [("senior reviewer", True), ("auditor", False)])
def test_export_of_the_event_log_hides_the_request(
    role: str, settings: Any, tmp_path: Path, *, hidden: bool
) -> None:
    settings.EXPORT_FOLDER = str(tmp_path / "exports")
    grace = browser(role)
    approved(actor_of(grace) if hidden else staff("ben"))

    found = [row["event_type"] for row in table(export(grace, Kind.EVENTS))]

    assert "payment.approved" in found
    assert ("second_review.requested" not in found) is hidden


def _promote(logged_in: Browser) -> None:
    from django.contrib.auth import get_user_model

    user = get_user_model().objects.get()
    user.is_superuser = True
    user.save()


def test_first_of_two_approvers_finds_no_trace() -> None:
    grace = browser()
    (payment,) = waiting(**FOUR_EYES)
    approve(payment, actor_of(grace))
    approve(payment, staff("sue", "senior reviewer"))
    project()

    assert _traces(grace, _pages(payment)) == []


def test_auditor_sees_the_request_in_the_event_log_and_a_viewer_does_not() -> None:
    payment, _ = approved(staff("ben"))
    (requested,) = events()
    page = f"{EVENTS}{requested.position}/change/"

    auditor, viewer = browser("auditor", "audrey"), browser("viewer", "vera")

    assert auditor.get(page).status_code == 200
    assert page in auditor.get(EVENTS).content.decode()
    assert viewer.get(page).status_code == 403
    assert viewer.get(EVENTS).status_code == 403
    assert _traces(viewer, _pages(payment)) == []


def test_client_sees_the_same_answers_with_and_without_a_second_review(settings: Any) -> None:
    acme = ApiClient()
    endpoint = webhooks.endpoint()
    ben = staff("ben")
    approved(ben)
    assert events()
    settings.SECOND_REVIEW_PERCENT = 0
    approved(ben)
    (with_review, without) = EventIndex.objects.filter(event_type="payment.approved").order_by(
        "position"
    )

    shapes = [_shape(acme, str(row.aggregate_id)) for row in (with_review, without)]

    assert shapes[0] == shapes[1]
    assert endpoint.client_id == acme.client_id
    stored = EventIndex.objects.filter(client_id=acme.client_id)
    assert not stored.filter(event_type__startswith="second_review").exists()
    assert "second_review" not in acme.get("/api/v1/event-types").content.decode()


def _shape(acme: ApiClient, payment: str) -> list[str]:
    """Return the answers about a payment, without ids, times and positions."""
    answers = [
        acme.get(f"{PAYMENTS}/{payment}{part}").content.decode()
        for part in ("", "/events", "/refunds")
    ]
    feed = acme.get("/api/v1/events?limit=100").content.decode()
    assert "second_review" not in feed
    kinds = re.findall(rf'"type":"([a-z_.]+)"[^}}]*"{payment}"', feed)
    varies = r'"[0-9a-f]{8}-[0-9a-f-]{27}"|"\d{4}-\d\d-\d\dT[^"]+"|"(?:newcomer|order)-\d+"|:\d+'
    return [*(re.sub(varies, "_", answer) for answer in answers), *kinds]


def test_second_reviewer_sees_the_evidence_without_decision_reason_note_and_outcome() -> None:
    ada = browser("senior reviewer", "ada")
    ben = staff("benedict")
    _, review = approved(ben)

    shown = text(ada.get(reverse("admin:second_review_conclude", args=[review])))
    listed = text(ada.get(reverse("second_reviews")))

    assert "$15,000.00" in shown
    assert "first card payment" in shown
    for secret in (APPROVAL_NOTE, "benedict", "Completed", "Approved", "Pending review"):
        assert secret not in shown
        assert secret not in listed
    assert "newcomer-" not in listed


def test_evidence_before_two_approvals_shows_neither_and_nothing_in_between() -> None:
    ada = browser("senior reviewer", "ada")
    (payment,) = waiting(**FOUR_EYES)
    dan = staff("daniel", "senior reviewer")
    approve(payment, staff("benedict"), note="First note.")
    act(EscalateReview, payment, dan, reason=EscalationReason.SECOND_OPINION, note="Third note.")
    approve(payment, staff("clementine", "senior reviewer"), note="Second note.")
    (requested,) = events()

    answer: Any = ada.get(reverse("admin:second_review_conclude", args=[requested.aggregate_id]))

    folded = answer.context["payment"]
    assert (folded.version, folded.first_approval) == (requested.data["evidence_version"], None)
    shown = text(answer)
    for secret in ("First note.", "Second note.", "Third note.", "Escalated", "approval by"):
        assert secret not in shown
    for name in ("benedict", "clementine", "daniel"):
        assert name not in shown


def test_page_of_the_evidence_links_to_no_page_of_the_payment() -> None:
    ada = browser("senior reviewer", "ada")
    payment, review = approved(staff("ben"))

    html = ada.get(reverse("admin:second_review_conclude", args=[review])).content.decode()

    assert payment not in html
    links = re.findall(r"/admin/customers/customer/[^/]+/(\w*)", html.partition("<main")[2])
    assert links == ["reveal"]  # allowed, because a reveal's page does not show the payment


@pytest.mark.parametrize("role", roles.ROLES)
def test_only_permitted_roles_see_second_reviews(role: str) -> None:
    _, review = approved(staff("ben"))
    person = browser(role)
    sees = "readmodels.view_secondreview" in roles.permissions(role)
    concludes = CONCLUDE_SECOND_REVIEW in roles.permissions(role)
    page = reverse("admin:readmodels_secondreview_change", args=[review])
    form = reverse("admin:second_review_conclude", args=[review])

    assert sees is (role in {"senior reviewer", "auditor"})
    assert person.get(reverse("second_reviews")).status_code == (200 if sees else 403)
    assert person.get(page, follow=True).status_code == (200 if sees else 403)
    assert person.get(form).status_code == (200 if concludes else 403)
    in_menu = reverse("second_reviews") in person.get("/admin/").content.decode()
    assert in_menu is sees


def test_conclusion_stays_hidden_from_those_who_decided() -> None:
    grace = browser()
    payment, review = approved(actor_of(grace))
    conclude(review, staff("sue", "senior reviewer"), note="@grace missed it.")
    project()

    pages = [page for page in _pages(payment) if "version" not in page]
    for page in pages:
        html = grace.get(page).content.decode()
        assert str(review) not in html
        assert "missed it" not in html
