"""The dispute screens: the list by due time, the evidence, and the forms to contest and close."""

from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from payments.customers.models import Note, StaffMention
from payments.domain.payment.codes import DisputeKind, DisputeOutcome
from payments.domain.payment.disputing import MOST_RESPONSES
from payments.domain.payment.events import PaymentDisputeResponded
from payments.events.models import Event
from readmodels.models import DisputeSummary
from tests.support.api import RISKY, ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.disputing import note
from tests.support.example_commands import close_dispute, open_dispute, respond_to_dispute
from tests.support.examples import usd

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOW = timezone.now()
OPENED = NOW - timedelta(days=9)
DIGEST = "ab" * 32
ROLES = ("viewer", "analyst", "senior reviewer", "risk manager", "auditor")


@pytest.fixture
def acme() -> ApiClient:
    return ApiClient()


@pytest.fixture
def reviewed_payment(acme: ApiClient) -> UUID:
    """Return a payment over $15,000 that a reviewer approved with a note."""
    payment = body_of(acme.submit(**RISKY))["id"]
    approval = {"reason": "verified_with_customer", "note": "Called the customer."}
    acme.post(f"/api/v1/payments/{payment}/approve", approval)
    return UUID(payment)


@pytest.fixture
def disputed(reviewed_payment: UUID, acme: ApiClient) -> DisputeSummary:
    """Return a dispute that needs a response within three days."""
    due = NOW + timedelta(days=3)
    note(
        reviewed_payment,
        open_dispute(amount=usd(100_00), opened_at=OPENED, respond_by=due, at=NOW),
        client=acme.client_id,
    )
    project()
    return DisputeSummary.objects.get()


def page_of(row: DisputeSummary, name: str = "") -> str:
    if name:
        return reverse(f"admin:dispute_{name}", args=[row.pk])
    return reverse("admin:readmodels_disputesummary_change", args=[row.pk])


def fields_of(answer: Any) -> dict[str, Any]:
    form = answer.context["form"]
    return {name: str(form[name].value()) for name in ("key", "version")}


def amounts(listing: Any) -> list[int]:
    return [row.disputed_amount for row in listing.context["cl"].result_list]


@pytest.fixture
def several(acme: ApiClient) -> None:
    for number, (due, more) in enumerate(
        [
            (NOW + timedelta(days=20), {}),
            (None, {}),
            (NOW - timedelta(days=1), {}),
            (NOW + timedelta(days=3), {"kind": DisputeKind.INQUIRY}),
        ],
        start=1,
    ):
        payment = UUID(body_of(acme.submit(amount=10_00, currency="USD"))["id"])
        notice = {"amount": usd(number), "opened_at": OPENED, "respond_by": due, "at": NOW}
        note(payment, open_dispute(**{**notice, **more}), client=acme.client_id)
    payment = UUID(body_of(acme.submit(amount=10_00, currency="USD"))["id"])
    lost = {"amount": usd(5), "lost_amount": usd(5), "closed_at": NOW, "at": NOW}
    note(payment, close_dispute(**lost), client=acme.client_id)
    project()


def test_open_disputes_are_sorted_by_due_time_with_unknown_ones_last(several: None) -> None:
    listing = browser().get(reverse("disputes"))

    assert amounts(listing) == [3, 4, 1, 2]
    assert "overdue" in listing.content.decode()
    assert listing.content.decode().count('class="left soon"') == 1


@pytest.mark.parametrize(
    ("address", "query", "found"),
    [
        ("disputes", "kind__exact=inquiry", [4]),
        ("disputes", "status__exact=under_review", []),
        ("disputes", "reason__exact=fraudulent", [3, 4, 1, 2]),
        ("admin:readmodels_disputesummary_changelist", "outcome__exact=lost", [5]),
        ("admin:readmodels_disputesummary_changelist", "status__exact=closed", [5]),
        ("admin:readmodels_disputesummary_changelist", "kind__exact=nonsense", []),
        ("admin:readmodels_disputesummary_changelist", "opened_at_to=2020-01-01", []),
    ],
)
def test_filters_narrow_the_lists(
    several: None, address: str, query: str, found: list[int]
) -> None:
    assert amounts(browser().get(f"{reverse(address)}?{query}")) == found


def test_dispute_is_found_by_its_id_and_by_its_payment(disputed: DisputeSummary) -> None:
    logged_in = browser()
    url = reverse("admin:readmodels_disputesummary_changelist")

    for term in (disputed.dispute_id, str(disputed.payment_id)):
        assert amounts(logged_in.get(url, {"q": term})) == [100_00]
    assert amounts(logged_in.get(url, {"q": "dp_other"})) == []


@pytest.mark.parametrize("role", ROLES)
def test_every_role_sees_disputes_and_senior_reviewers_change_them(
    disputed: DisputeSummary, role: str
) -> None:
    logged_in = browser(role)
    may_change = role == "senior reviewer"

    assert logged_in.get(reverse("disputes")).status_code == 200
    shown = logged_in.get(page_of(disputed))
    assert shown.status_code == 200
    for name in ("respond", "close"):
        assert (page_of(disputed, name) in shown.content.decode()) is may_change
        status = 200 if may_change else 403
        assert logged_in.get(page_of(disputed, name)).status_code == status
        assert logged_in.post(page_of(disputed, name)).status_code == (409 if may_change else 403)


def test_evidence_shows_the_assessment_the_review_and_earlier_payments(
    disputed: DisputeSummary, acme: ApiClient
) -> None:
    shown = browser().get(page_of(disputed))

    page = text(shown)
    assert "Needs a response by" in page
    assert "Called the customer." in page
    assert "Verified with customer" in page
    assert shown.context["explanation"].fired
    assert shown.context["earlier"] == []


def test_evidence_shows_only_payments_before_the_disputed_one(acme: ApiClient) -> None:
    made = [
        UUID(body_of(acme.submit(amount=10_00 + number, currency="USD"))["id"])
        for number in range(3)
    ]
    notice = open_dispute(amount=usd(1_00), opened_at=NOW, at=NOW)
    note(made[1], notice, client=acme.client_id)
    note(made[0], notice, client=acme.client_id)
    project()

    shown = browser().get(page_of(DisputeSummary.objects.get(payment_id=made[1])))

    assert [each.payment_id for each in shown.context["earlier"]] == [made[0]]
    assert [each.text for each in shown.context["earlier"][0].badges] == ["Disputed"]
    assert len(shown.context["others"]) == 1


@pytest.mark.parametrize("name", ["", "respond"])
def test_evidence_shows_earlier_payments_with_the_same_card(acme: ApiClient, name: str) -> None:
    card = {"token": "tok_1PqZ8k", "brand": "visa", "last4": "4242"}
    made = [
        UUID(body_of(acme.submit(customer_id=customer, currency="USD", card=card))["id"])
        for customer in ("ada", "ben", "cleo")
    ]
    notice = open_dispute(amount=usd(1_00), opened_at=NOW, at=NOW)
    note(made[1], notice, client=acme.client_id)
    project()

    shown = browser().get(page_of(DisputeSummary.objects.get(), name))

    assert [each.payment_id for each in shown.context["of_card"].latest] == [made[0]]
    assert "Earlier payments" in text(shown)


def test_payment_page_shows_each_dispute_with_its_history(
    disputed: DisputeSummary, acme: ApiClient
) -> None:
    second = open_dispute(dispute_id="dp_2", amount=usd(1_00), opened_at=NOW, at=NOW)
    note(disputed.payment_id, second, client=acme.client_id)
    url = reverse("admin:readmodels_paymentsummary_change", args=[disputed.payment_id])

    shown = browser().get(url)

    assert [len(each.history) for each in shown.context["disputes"]] == [1, 1]
    assert [badge.text for badge in shown.context["desk"].badges] == ["Disputed"]
    assert "Refund" not in [label for _, label in shown.context["desk"].offers]
    before = browser(username="other").get(f"{url}?version=4")
    assert before.context["disputes"] == []


def test_dashboard_counts_disputes_due_within_a_week(several: None) -> None:
    assert browser().get(reverse("admin:index")).context["disputes_due"] == "2"


def test_response_is_recorded_once_with_its_note_and_digests(disputed: DisputeSummary) -> None:
    logged_in = browser()
    browser("viewer", "rita")
    url = page_of(disputed, "respond")
    typed = {"note": "Sent the receipt @rita.", "evidence": DIGEST.upper()}
    form = fields_of(logged_in.get(url)) | typed

    first, again = logged_in.post(url, form), logged_in.post(url, form)

    assert (first.status_code, again.status_code) == (302, 302)
    event = Event.objects.get(event_type=PaymentDisputeResponded.event_type)
    assert event.data["evidence"] == [DIGEST]
    assert Note.objects.get(pk=event.data["note"]["note_id"]).text == typed["note"]
    assert StaffMention.objects.count() == 1
    project()
    assert DisputeSummary.objects.get().status == "under_review"
    assert typed["note"] in text(logged_in.get(page_of(disputed)))


def test_accepted_dispute_is_closed_with_its_loss(disputed: DisputeSummary) -> None:
    logged_in = browser()
    url = page_of(disputed, "close")
    form = fields_of(logged_in.get(url)) | {"outcome": "accepted", "lost_amount": "$100.00"}

    assert logged_in.post(url, form).status_code == 302

    project()
    row = DisputeSummary.objects.get()
    assert (row.outcome, row.lost_amount) == (DisputeOutcome.ACCEPTED, 100_00)
    assert page_of(row, "close") not in logged_in.get(page_of(row)).content.decode()
    assert logged_in.get(url).status_code == 302


@pytest.mark.parametrize(
    ("name", "typed", "field"),
    [
        ("close", {"outcome": "lost", "lost_amount": ""}, "lost_amount"),
        ("close", {"outcome": "lost", "lost_amount": "20000"}, "lost_amount"),
        ("close", {"outcome": "won", "lost_amount": "5"}, "lost_amount"),
        ("close", {"outcome": "lost", "lost_amount": "much"}, "lost_amount"),
        ("close", {"outcome": "", "lost_amount": "5"}, "outcome"),
        ("respond", {"evidence": "abc"}, "evidence"),
        ("respond", {"note": "4111 1111 1111 1111"}, "note"),
    ],
)
def test_wrong_value_is_refused_at_its_field(
    disputed: DisputeSummary, name: str, typed: dict[str, str], field: str
) -> None:
    logged_in = browser()
    url = page_of(disputed, name)
    events = Event.objects.count()

    answer = logged_in.post(url, fields_of(logged_in.get(url)) | typed)

    assert list(answer.context["form"].errors) == [field]
    assert Event.objects.count() == events


def test_form_of_a_changed_dispute_shows_it_again_with_the_text(
    disputed: DisputeSummary, acme: ApiClient
) -> None:
    logged_in: Browser = browser()
    url = page_of(disputed, "respond")
    form = fields_of(logged_in.get(url)) | {"note": "Sent it."}
    late = NOW - timedelta(days=1)
    note(
        disputed.payment_id,
        respond_to_dispute(responded_at=late, at=NOW),
        client=acme.client_id,
    )

    answer = logged_in.post(url, form)

    assert answer.status_code == 409
    assert answer.context["form"]["note"].value() == "Sent it."
    again = fields_of(answer) | {"note": "Sent it."}
    assert logged_in.post(url, again).status_code == 302


def test_dispute_with_the_most_responses_can_still_be_closed(
    disputed: DisputeSummary, acme: ApiClient
) -> None:
    responses = [
        respond_to_dispute(responded_at=OPENED + timedelta(minutes=number), at=NOW)
        for number in range(MOST_RESPONSES)
    ]
    note(disputed.payment_id, *responses, client=acme.client_id)
    logged_in = browser()

    refused = logged_in.get(page_of(disputed, "respond"), follow=True)
    form = logged_in.get(page_of(disputed, "close"))

    assert f"has {MOST_RESPONSES} responses" in text(refused)
    assert form.status_code == 200


def test_payment_command_prints_the_disputes(disputed: DisputeSummary, acme: ApiClient) -> None:
    lost = {"dispute_id": "dp_2", "lost_amount": usd(5_00), "closed_at": NOW, "at": NOW}
    note(disputed.payment_id, close_dispute(**lost), client=acme.client_id)
    out = StringIO()

    call_command("payment", str(disputed.payment_id), stdout=out)

    assert "dp_1042 needs response: $100.00 chargeback, fraudulent, respond by" in out.getvalue()
    assert "dp_2 lost: $5.00 chargeback, general, lost $5.00" in out.getvalue()
