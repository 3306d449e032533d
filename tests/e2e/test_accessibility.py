"""The pages of the back office in a browser: accessible, and as wide as the screen."""

from typing import Final
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from payments.customers.models import Customer
from payments.domain.list_items import Item, ListName
from payments.domain.risk.policy import DEFAULT_POLICY
from readmodels.models import DisputeSummary, EventIndex, ParkedEvent
from tests.e2e.chromium import CHROMIUM
from tests.e2e.desk import Desk, check_accessible, wider_parts
from tests.support.api import FOUR_EYES, PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.backtests import STRICT, ask, finished
from tests.support.disputing import note
from tests.support.examples import LATER, open_dispute, usd
from tests.support.lists import STOLEN, add, create
from tests.support.shadows import observed, started

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on the PATH"),
]

PAGES: Final = {
    "dashboard": "/admin/",
    "analytics": "/admin/analytics/",
    "queue": "/admin/reviews/",
    "payments": "/admin/readmodels/paymentsummary/",
    "mentions": "/admin/mentions/",
    "disputes": "/admin/disputes/",
    "all disputes": "/admin/readmodels/disputesummary/",
    "statistics": "/admin/readmodels/dailystatistics/",
    "lists": "/admin/lists/",
    "policies": "/admin/policies/",
    "proposal": "/admin/policies/propose/",
    "policy": f"/admin/policies/{DEFAULT_POLICY.policy_id}/",
    "backtests": "/admin/backtests/backtest/",
    "shadows": "/admin/backtests/shadow/",
    "backtest form": f"/admin/policies/{DEFAULT_POLICY.policy_id}/backtest/",
    "search": "/admin/find/?q=order",
    "events": "/admin/readmodels/eventindex/",
    "customers": "/admin/customers/customer/",
    "clients": "/admin/clients/client/",
    "sign-ins": "/admin/axes/accesslog/",
    "failed sign-ins": "/admin/axes/accessfailurelog/",
    "projections": "/admin/readmodels/checkpoint/",
    "parked": "/admin/readmodels/parkedevent/",
    "discarded": "/admin/readmodels/discardedevent/",
    "record of exports": "/admin/exports/export/",
    "own exports": "/admin/exports/",
    "export": "/admin/export/payments/?status__exact=completed",
}


@pytest.mark.parametrize(
    ("desk", "every_page"),
    [
        ("light", False),
        pytest.param("light", True, marks=pytest.mark.nightly),
        pytest.param("dark", True, marks=pytest.mark.nightly),
    ],
    indirect=["desk"],
)
def test_pages_have_no_serious_accessibility_violation(desk: Desk, *, every_page: bool) -> None:
    """Check pages with axe on wide and narrow screens. In the dark scheme, check colors only."""
    rules = ["color-contrast"] if desk.scheme == "dark" else None
    grace = get_user_model().objects.get(username="grace")
    grace.groups.add(Group.objects.get(name="risk manager"))
    desk.log_in()
    payment = f"/admin/readmodels/paymentsummary/{desk.payment}"
    first_approved = f"/admin/readmodels/paymentsummary/{_first_approved(desk.client)}"
    paid = f"/admin/readmodels/paymentsummary/{body_of(desk.client.submit())['id']}"
    dispute = f"/admin/readmodels/disputesummary/{_disputed(desk.client)}"
    customer = f"/admin/customers/customer/{Customer.objects.latest('created_at').pk}"
    event = EventIndex.objects.latest("position")
    parked = f"/admin/readmodels/parkedevent/{_park(event).pk}"
    create()
    add("DE", expires_at=LATER)
    answer, progress = (
        f"/admin/backtests/backtest/{each.pk}/change/?stay"
        for each in (finished(STRICT), ask(STRICT))
    )
    # One page of each kind. Lists share a template, and so do the forms of the review desk.
    paths = [
        *(
            PAGES[name]
            for name in ("dashboard", "analytics", "queue", "payments", "proposal", "policy")
        ),
        *(f"{payment}/{page}/" for page in ("change", "approve", "note")),
        f"{paid}/refund/",
        *(f"{dispute}/{page}/" for page in ("change", "close")),
        answer,
        f"{customer}/change/",
        f"{parked}/discard/",
        f"/admin/list/{STOLEN}/",
    ]
    if every_page:
        paths = [
            *paths,
            *(path for path in PAGES.values() if path not in paths),
            *(
                f"{payment}/{page}/"
                for page in ("reject", "escalate", "snooze", "assign", "cancel", "evidence")
            ),
            "/admin/reviews/hand-over/",
            *(f"{first_approved}/{page}/" for page in ("change", "approve")),
            f"{paid}/change/",
            f"/admin/list/{STOLEN}/add/",
            f"/admin/payments/{desk.payment}/add-to-list/",
            f"{dispute}/respond/",
            progress,
            f"/admin/shadows/{_observed(desk.client)}/",
            f"{parked}/change/",
            *(f"{customer}/{page}/" for page in ("rename", "block")),
            f"/admin/clients/client/{desk.client.client_id}/change/",
            f"/admin/clients/client/key/{desk.client.key.pk}/revoke/",
            f"/admin/readmodels/eventindex/{event.pk}/change/",
        ]

    check_accessible(desk, paths, rules)


@pytest.mark.parametrize("desk", ["dark"], indirect=True)
def test_review_desk_has_enough_contrast_in_the_dark(desk: Desk) -> None:
    desk.log_in()
    payment = f"/admin/readmodels/paymentsummary/{desk.payment}"
    paths = [PAGES["queue"], f"{payment}/change/", f"{payment}/approve/"]
    check_accessible(desk, paths, ["color-contrast"])


def test_long_unbroken_text_does_not_widen_pages(desk: Desk) -> None:
    get_user_model().objects.update(first_name="W" * 150)
    grace = get_user_model().objects.get(username="grace")
    grace.groups.add(Group.objects.get(name="risk manager"))
    client = ApiClient("W" * 200)
    long = {"customer_id": "W" * 255, "reference": "W" * 255}
    payment = body_of(client.submit(**RISKY | long))["id"]
    create(wide := ListName("w" * 50), Item.CUSTOMER)
    add(*map(str, Customer.objects.values_list("pk", flat=True)), name=wide)
    Customer.objects.filter(reference="W" * 255).update(email="W" * 240 + "@example.com")
    body_of(client.submit(customer_id="W" * 254))
    Customer.objects.filter(reference="W" * 254).update(name="W" * 200)
    claimed = body_of(client.submit(**RISKY | {"reference": "W" * 254}))["id"]
    client.post(f"{PAYMENTS}/{claimed}/claim", {})
    project()
    parked = _park(event := EventIndex.objects.latest("position"))
    desk.log_in()
    customer = Customer.objects.get(reference="W" * 255)
    paths = [
        *PAGES.values(),
        *(f"/admin/readmodels/paymentsummary/{payment}/{page}/" for page in ("change", "approve")),
        f"/admin/readmodels/paymentsummary/{claimed}/change/",
        *(f"/admin/customers/customer/{customer.pk}/{page}/" for page in ("change", "rename")),
        f"/admin/clients/client/{client.client_id}/change/",
        f"/admin/clients/client/key/{client.key.pk}/revoke/",
        f"/admin/readmodels/eventindex/{event.pk}/change/",
        f"/admin/readmodels/parkedevent/{parked.pk}/change/",
        f"/admin/list/{wide}/",
        f"/admin/payments/{payment}/add-to-list/",
    ]

    assert wider_parts(desk, paths) == []


def _observed(client: ApiClient) -> UUID:
    running = started(STRICT)
    body_of(client.submit(customer_id="observed"))
    return observed(running).pk


def _first_approved(client: ApiClient) -> str:
    """Return a payment with a first approval and an escalation."""
    body = FOUR_EYES | {"customer_id": "newcomer", "reference": "order-982"}
    payment: str = body_of(client.submit(**body))["id"]
    reasons = {"approve": {"reason": "other"}, "escalate": {"reason": "other", "note": "Odd."}}
    senior = ApiClient(staff="sam", senior=True)
    client.post(f"{PAYMENTS}/{payment}/approve", reasons["approve"])
    senior.post(f"{PAYMENTS}/{payment}/escalate", reasons["escalate"])
    project()
    return payment


def _disputed(client: ApiClient) -> UUID:
    """Return an open dispute."""
    payment = UUID(body_of(client.submit(currency="USD"))["id"])
    note(payment, open_dispute(amount=usd(1_00)), client=client.client_id)
    project()
    return DisputeSummary.objects.get(payment_id=payment).pk


def _park(event: EventIndex) -> ParkedEvent:
    return ParkedEvent.objects.create(
        projection="daily_statistics",
        aggregate_id=event.aggregate_id,
        position=event.position,
        version=event.version,
        event_type=event.event_type,
        error="ZeroDivisionError: no such rate",
        traceback=f"Traceback (most recent call last):\n  {'long ' * 50}",
        attempts=1,
        parked_at=event.recorded_at,
    )
