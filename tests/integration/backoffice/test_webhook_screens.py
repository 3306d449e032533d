"""The webhook screens: who sees them, what they never show, and hostile answers."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from django.urls import reverse

from readmodels import roles
from readmodels.models import EventIndex
from readmodels.webhooks.models import Attempt, Endpoint, HeldPayment, Outcome, State
from tests.support.api import ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.examples import NOON
from tests.support.webhook_pages import LISTS, address, page
from tests.support.webhooks import URL, attempt, endpoint, hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SEES = {"risk manager", "auditor"}
HOSTILE = "<script>alert(1)</script>'\"><img src=x onerror=alert(2)>{{ 7 }}"


@pytest.mark.parametrize("role", roles.ROLES)
def test_role_sees_the_screens_and_the_menu_of_webhooks_if_it_may(role: str) -> None:
    made = endpoint()
    sent, _ = attempt(made), hold(made)
    logged_in = browser(role)

    pages = [*map(address, LISTS), page(made)]
    pages.append(reverse("admin:webhooks_attempt_change", args=[sent.pk]))
    answers = {logged_in.get(each).status_code for each in pages}
    menu = logged_in.get(reverse("admin:index")).content.decode()

    assert answers == ({200} if role in SEES else {403})
    assert {address(name) in menu for name in LISTS} == {role in SEES}


def test_screens_require_a_sign_in_and_a_role() -> None:
    made = endpoint()
    stranger = Browser()
    stranger.force_login(get_user_model().objects.create(username="eve", is_staff=True))

    for each in (*map(address, LISTS), page(made)):
        assert Browser().get(each).status_code == 302
        assert stranger.get(each).status_code == 403


def test_attempt_shows_a_hostile_answer_as_text() -> None:
    made = endpoint()
    bidi = "\u202egnp.exe \x1b[31mred\x00".replace("\x00", "")
    sent = attempt(
        made, outcome=Outcome.REJECTED, status=422, error=HOSTILE, response=HOSTILE + bidi
    )
    logged_in = browser("auditor")

    shown = [
        logged_in.get(reverse("admin:webhooks_attempt_change", args=[sent.pk])),
        logged_in.get(address("attempt")),
        logged_in.get(page(made)),
    ]

    for answer in shown:
        body = answer.content.decode()
        assert answer.status_code == 200
        assert "<script>alert" not in body
        assert "<img src=x" not in body
        assert not set("\u202e\x1b") & set(body)
    assert "&lt;script&gt;alert(1)" in shown[0].content.decode()
    assert "\\u{202e}gnp.exe \\u{1b}[31mred" in shown[0].content.decode()


def test_screens_escape_hostile_settings_errors_and_names() -> None:
    made = endpoint(f"Evil {HOSTILE}", description=HOSTILE)
    Endpoint.objects.update(url=HOSTILE, state=State.DISABLED, disabled_reason=HOSTILE)
    hold(made, error=HOSTILE)
    logged_in = browser("risk manager")

    pages = [*map(address, LISTS), page(made), reverse("admin:index")]
    pages += [
        reverse(f"admin:webhooks_{name}", args=[made.pk])
        for name in ("edit", "replay", "rotate", "disable")
    ]
    for each in pages:
        body = logged_in.get(each).content.decode()
        assert "<script>alert" not in body, each
        assert "<img src=x" not in body, each


@pytest.mark.parametrize(
    "object_id", ["0", "x", "9" * 30, "%00", "00000000-0000-0000-0000-000000000000", "1e3", "-1"]
)
def test_unknown_endpoint_and_attempt_are_not_found(object_id: str) -> None:
    logged_in = browser("auditor")

    for name in ("endpoint", "attempt"):
        assert logged_in.get(f"/admin/webhooks/{name}/{object_id}/change/").status_code == 404


def test_no_screen_shows_a_secret() -> None:
    made = endpoint()
    secret, stored = Endpoint.objects.get().secret, "whsec_"
    logged_in = browser("risk manager")

    for each in (address("endpoint"), page(made), reverse("admin:webhooks_edit", args=[made.pk])):
        body = logged_in.get(each).content.decode()
        assert stored not in body
        assert bytes(secret).decode() not in body


@pytest.mark.parametrize("name", LISTS)
def test_rows_cannot_be_changed_or_deleted_by_the_forms_of_django(name: str) -> None:
    made = endpoint()
    attempt(made)
    hold(made)
    root = Browser()
    root.force_login(get_user_model().objects.create_superuser("root"))
    models: dict[str, Any] = {
        "endpoint": Endpoint,
        "attempt": Attempt,
        "heldpayment": HeldPayment,
    }
    model = models[name]
    row = model.objects.get()
    address_of = f"/admin/webhooks/{name}/{row.pk}"

    assert root.post(f"{address_of}/delete/", {"post": "yes"}).status_code == 403
    root.post(f"{address_of}/change/", {"url": "https://evil.example/", "tries": 0})
    assert model.objects.get() == row
    assert Endpoint.objects.get().url == URL


def test_dashboard_shows_endpoints_in_trouble_to_those_who_manage_them() -> None:
    endpoint(url=f"{URL}/sound")
    endpoint(url=f"{URL}/failing")
    endpoint(url=f"{URL}/dead")
    endpoint(url=f"{URL}/paused")
    Endpoint.objects.filter(url=f"{URL}/failing").update(failures=2, failing_since=NOON)
    Endpoint.objects.filter(url=f"{URL}/paused").update(
        failures=2, failing_since=NOON, state=State.PAUSED
    )
    Endpoint.objects.filter(url=f"{URL}/dead").update(
        state=State.DISABLED, disabled_reason="It answered 410."
    )

    manager = browser("risk manager").get(reverse("admin:index"))
    auditor = browser("auditor", "gus").get(reverse("admin:index"))

    shown = [each["endpoint"].url.removeprefix(URL) for each in manager.context["endpoints"]]
    assert shown == ["/failing", "/dead"]
    assert "It answered 410." in text(manager)
    assert "since 2026-01-05 12:00 UTC" in text(manager)
    assert URL not in auditor.content.decode()


def test_event_page_links_to_its_attempts_for_those_who_may_see_them(acme: ApiClient) -> None:
    acme.submit()
    project()
    link = f"{address('attempt')}?payment="

    shown = {}
    for role in ("auditor", "analyst"):
        logged_in = browser(role, role)
        for event in EventIndex.objects.all():
            url = reverse("admin:readmodels_eventindex_change", args=[event.pk])
            shown[role, event.event_type] = link in logged_in.get(url).content.decode()

    assert shown == {
        ("auditor", "payment.initiated"): False,  # the event type is not public
        ("auditor", "payment.processed"): True,
        ("analyst", "payment.initiated"): False,
        ("analyst", "payment.processed"): False,
    }


def test_page_of_a_client_links_to_its_endpoints_for_those_who_may_see_them(
    acme: ApiClient,
) -> None:
    link = f"{address('endpoint')}?client={acme.client_id}"
    url = reverse("admin:clients_client_change", args=[acme.client_id])

    shown = {role: link in browser(role, role).get(url).content.decode() for role in roles.ROLES}

    assert {role for role, found in shown.items() if found} == SEES
