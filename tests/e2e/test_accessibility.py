"""The pages of the back office are accessible and no wider than the screen."""

import re
from collections.abc import Iterator
from typing import Final
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser
from django.urls import URLResolver, get_resolver, resolve

from payments import actors
from payments.customers.models import Customer
from payments.domain.list_items import Item, ListName
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.lists.models import Entry
from readmodels.admin.saved_views import storing
from readmodels.models import DisputeSummary, EventIndex, ParkedEvent
from readmodels.models.saved_views import LONGEST_NAME
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import NARROW, WIDE, Desk, check_accessible, check_shown, wider_parts
from tests.support import notes
from tests.support.api import FOUR_EYES, PAYMENTS, RISKY, ApiClient, body_of, project
from tests.support.backtests import STRICT, ask, finished
from tests.support.disputing import note
from tests.support.example_commands import open_dispute
from tests.support.examples import LATER, usd
from tests.support.lists import STOLEN, add, create
from tests.support.routing import assign, snooze
from tests.support.shadows import observed, started

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
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
    "access to personal data": "/admin/readmodels/personalaccess/",
    "record of exports": "/admin/exports/export/",
    "own exports": "/admin/exports/",
    "export": "/admin/export/payments/?status__exact=completed",
    "account": "/admin/account/",
    "second factor": "/admin/second-factor/",
    "second factor to set up": "/admin/second-factor/set-up/",
    "resets of factors": "/admin/identity/factorreset/",
    "reset of a factor": "/admin/identity/factorreset/ask/",
    "record of factors": "/admin/identity/securityrecord/",
}


# Other tests check these pages in the same way, or they come before the sign-in.
ELSEWHERE: Final = re.compile(
    "webhooks_|second_review|readmodels_secondreview_|policy_approve$|log(in|out)$"
    "|rebuild_(start|confirm)$|readmodels_rebuildrun_|bulk(_confirm|_outcome)?$"
)
# URLs of buttons, files and data, and admin URLs that no list links to.
NO_SCREENS: Final = re.compile(
    "(export_(download|cancel)|queue_poll|claim_next|mentions_read|mention_open|saved_view_act|shadow_stop"
    "|rebuild_(cancel|restart)|passkey_(add|use)(_begin)?|remove_(app|passkey)|recovery_codes"
    "|end_(session|other_sessions)|factor_reset_decide|jsi18n|autocomplete"
    "|search|view_on_site|app_list|(policy|backtest|payment|parked)_(observe|retire|cancel|resume|attach"
    "|attachment|claim|take_over|release|retry)|.*_(add|delete|history)|auth_group_.*)$"
)
# These are screens although NO_SCREENS matches their names.
ALSO_SCREENS: Final = {"payment_cancel", "list_add", "auth_user_add", "auth_user_delete"}


def screens_of(desk: Desk) -> list[str]:
    """Create data for all screens. Return their URLs, beginning with one of each kind."""
    grace = get_user_model().objects.get(username="grace")
    grace.is_superuser = True
    grace.save()
    ann = get_user_model().objects.create_user("ann", is_staff=True)
    person = f"/admin/auth/user/{ann.pk}"
    payment = f"/admin/readmodels/paymentsummary/{desk.payment}"
    first_approved = f"/admin/readmodels/paymentsummary/{_first_approved(desk.client)}"
    paid = f"/admin/readmodels/paymentsummary/{body_of(desk.client.submit())['id']}"
    dispute = f"/admin/readmodels/disputesummary/{_disputed(desk.client)}"
    customer = f"/admin/customers/customer/{Customer.objects.latest('created_at').pk}"
    event = EventIndex.objects.latest("position")
    parked = f"/admin/readmodels/parkedevent/{_park(event).pk}"
    create()
    add("DE", expires_at=LATER)
    entry = Entry.objects.latest("from_position")
    view = storing.save(grace, "queue", name="Large", query="currency=USD", shared=True)
    key = f"/admin/clients/client/key/{desk.client.key.pk}"
    answer, progress = (
        f"/admin/backtests/backtest/{each.pk}/change/?stay"
        for each in (finished(STRICT), ask(STRICT))
    )
    # One page of each kind. Lists share a template, and so do the forms of the review desk.
    different = [
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
        "/admin/views/queue/",
    ]
    others = [
        *(f"{payment}/{page}/" for page in ("reject", "escalate", "snooze", "assign", "cancel")),
        "/admin/reviews/hand-over/",
        "/admin/views/queue/save/?currency=USD",
        f"/admin/view/{view.pk}/",
        *(f"{first_approved}/{page}/" for page in ("change", "approve")),
        f"{paid}/change/",
        "/admin/lists/create/",
        *(f"/admin/list/{STOLEN}/{page}/" for page in ("add", f"remove/{entry.from_position}")),
        f"/admin/list/{STOLEN}/archive/",
        f"/admin/payments/{desk.payment}/add-to-list/",
        f"{dispute}/respond/",
        progress,
        f"/admin/shadows/{_observed(desk.client)}/",
        f"{parked}/change/",
        *(f"{customer}/{page}/" for page in ("reveal", "rename", "block", "unblock", "erase")),
        *(
            f"/admin/clients/client/{desk.client.client_id}/{page}/"
            for page in ("change", "create-key")
        ),
        *(f"{key}/{page}/" for page in ("rotate", "revoke")),
        f"/admin/readmodels/eventindex/{event.pk}/change/",
        f"{payment}/evidence/",
        "/admin/auth/user/",
        "/admin/auth/user/add/",
        *(
            f"{person}/{page}/"
            for page in ("change", "role", "name", "password", "deactivate", "activate", "delete")
        ),
        "/admin/staff/staffchange/",
        "/admin/password_change/",
        "/admin/password_change/done/",
    ]
    return list(dict.fromkeys([*different, *PAGES.values(), *others]))


DIFFERENT: Final = 17


@pytest.mark.parametrize("desk", ["light"], indirect=True)
def test_pages_have_no_serious_accessibility_violation(desk: Desk) -> None:
    paths = screens_of(desk)[:DIFFERENT]
    desk.log_in()

    check_accessible(desk, paths, None)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("desk", "rules", "width"),
    [("light", None, WIDE), ("dark", ["color-contrast"], NARROW)],
    indirect=["desk"],
)
def test_no_page_has_a_serious_accessibility_violation(
    desk: Desk, rules: list[str] | None, width: int
) -> None:
    """Most of the time is spent in axe, so all its rules run only once, on wide screens."""
    paths = screens_of(desk)
    desk.log_in()

    check_accessible(desk, paths, rules, widths=(width,))


def test_every_screen_is_checked(desk: Desk) -> None:
    without_pages = {
        f"{model._meta.app_label}_{model._meta.model_name}_change"
        for model, its_admin in admin.site._registry.items()
        if not getattr(its_admin, "has_pages", True)
    }

    checked = {resolve(path.partition("?")[0]).url_name for path in screens_of(desk)}

    unchecked = set(_names(get_resolver())) - checked - without_pages
    missing = [name for name in sorted(unchecked) if not ELSEWHERE.match(name)]
    assert missing == [], "\n".join(missing)


def _names(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """Yield the URL names of screens."""
    for each in resolver.url_patterns:
        route = f"{prefix}{each.pattern}"
        if isinstance(each, URLResolver):
            yield from _names(each, route)
        elif route.startswith("admin/") and each.name and _is_screen(each.name):
            yield each.name


def _is_screen(name: str) -> bool:
    return name in ALSO_SCREENS or not NO_SCREENS.match(name)


@pytest.mark.parametrize(
    "desk", ["light", pytest.param("dark", marks=pytest.mark.nightly)], indirect=True
)
def test_pages_of_failures_and_before_the_sign_in_are_accessible(desk: Desk) -> None:
    rules = ["color-contrast"] if desk.scheme == "dark" else None
    check_accessible(desk, ["/admin/login/", "/nowhere"], rules)
    desk.log_in()
    check_accessible(desk, ["/admin/auth/user/", f"{PAGES['payments']}?nonsense=1"], rules)

    desk.page.goto(f"{desk.url}/admin/")
    desk.page.locator("#logout-form").evaluate("form => form.submit()")
    desk.page.get_by_role("heading", name="You are signed out").wait_for()

    check_shown(desk, rules)
    assert [each for each in desk.complaints if "Content Security Policy" in each] == []
    desk.complaints.clear()  # Chromium complains about the expected failures


@pytest.mark.parametrize("desk", ["dark"], indirect=True)
def test_review_desk_has_enough_contrast_in_the_dark(desk: Desk) -> None:
    desk.log_in()
    payment = f"/admin/readmodels/paymentsummary/{desk.payment}"
    paths = [PAGES["queue"], f"{payment}/change/", f"{payment}/approve/"]
    check_accessible(desk, paths, ["color-contrast"])


def test_long_unbroken_text_does_not_widen_pages(desk: Desk) -> None:
    get_user_model().objects.update(first_name="W" * 150)
    grace = get_user_model().objects.get(username="grace")
    grace.groups.add(*Group.objects.filter(name__in=["risk manager", "auditor"]))
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
    routed = body_of(client.submit(**RISKY | {"reference": "W" * 253}))["id"]
    actor = actors.staff(grace.pk)
    snooze(routed, actor, note="W" * 255)
    assign(routed, actor, to=actor, note="W" * 255)
    writer = Browser()
    writer.force_login(grace)
    notes.add(writer, routed, f"@grace {'W' * 255}")
    view = storing.save(grace, "queue", name="W" * LONGEST_NAME, query="currency=USD", shared=True)
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
        *(
            f"/admin/readmodels/paymentsummary/{routed}/{page}/"
            for page in ("change", "note", "reject", "escalate", "snooze", "assign", "cancel")
        ),
        f"/admin/reviews/hand-over/?reviewer={actor}",
        *(f"/admin/views/queue/{page}" for page in ("", f"save/?client={client.client_id}")),
        f"/admin/view/{view.pk}/",
        f"/admin/find/?q={'W' * 255}",
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
