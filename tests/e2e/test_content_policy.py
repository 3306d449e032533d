"""No screen violates the Content Security Policy, and the policy refuses foreign and inline scripts."""

from typing import Final

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from payments.customers.models import Customer
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.events.models import Event
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import Desk
from tests.e2e.test_accessibility import PAGES

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]

MORE: Final = {
    "account": "/admin/account/",
    "second factor": "/admin/second-factor/set-up/",
    "password": "/admin/password_change/",
    "account changes": "/admin/identity/securityrecord/",
    "resets": "/admin/identity/factorreset/",
    "request for a reset": "/admin/identity/factorreset/ask/",
    "endpoints": "/admin/webhooks/endpoint/",
    "attempts": "/admin/webhooks/attempt/",
    "held payments": "/admin/webhooks/heldpayment/",
    "hand over": "/admin/reviews/hand-over/",
    "new list": "/admin/lists/create/",
    "approval": f"/admin/policies/{DEFAULT_POLICY.policy_id}/approve/",
    "staff": "/admin/auth/user/",
    "missing page": "/admin/nowhere/",
    "problems": "/api/problems/",
    "API": "/api/docs/",
}


def test_no_screen_violates_the_policy(desk: Desk) -> None:
    grace = get_user_model().objects.get(username="grace")
    grace.is_superuser = True
    grace.save()
    grace.groups.add(Group.objects.get(name="risk manager"))
    desk.log_in()
    payment = f"/admin/readmodels/paymentsummary/{desk.payment}"
    customer = f"/admin/customers/customer/{Customer.objects.latest('created_at').pk}"
    details = {
        "payment": f"{payment}/change/",
        "decision": f"{payment}/approve/",
        "note": f"{payment}/note/",
        "snooze": f"{payment}/snooze/",
        "customer": f"{customer}/change/",
        "block": f"{customer}/block/",
        "event": f"/admin/readmodels/eventindex/{Event.objects.latest('position').pk}/change/",
        "user": f"/admin/auth/user/{grace.pk}/change/",
    }

    found = {}
    for name, path in (PAGES | MORE | details).items():
        desk.open(path)
        desk.page.wait_for_load_state("networkidle")
        complaints = [
            each for each in desk.complaints if name != "missing page" or "404" not in each
        ]
        if complaints:
            found[name] = complaints
        desk.complaints.clear()

    assert found == {}


def test_policy_refuses_inline_and_foreign_scripts(desk: Desk) -> None:
    desk.open("/admin/login/")

    refused = desk.page.evaluate("""
        async () => {
            const found = [];
            const note = (each) => found.push(each.violatedDirective);
            document.addEventListener("securitypolicyviolation", note);
            const inline = document.createElement("script");
            inline.textContent = "window.reached = true";
            const foreign = document.createElement("script");
            foreign.src = "https://foreign.example/x.js";
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.head.append(inline, foreign, style);
            await new Promise((done) => setTimeout(done, 300));
            return [found.sort(), Boolean(window.reached)];
        }
    """)

    assert refused == [["script-src-elem", "script-src-elem", "style-src-elem"], False]
    desk.complaints.clear()  # the violations


@pytest.mark.parametrize(
    ("path", "evaluates"),
    [("/admin/login/", True), ("/api/problems/", False), ("/api/docs/", False)],
)
def test_policy_allows_evaluation_in_the_back_office_only(path: str, *, evaluates: bool) -> None:
    policy = Client().get(path).headers["Content-Security-Policy"]

    assert ("'unsafe-eval'" in policy) == evaluates
    for directive in (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    ):
        assert directive in policy
    assert "unsafe-inline" not in policy
