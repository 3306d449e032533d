"""The buttons of the review desk: roles, claims and forged forms."""

import re
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser

from payments import actors
from payments.customers.models import Note
from payments.events.models import Event
from tests.support.api import FOUR_EYES, ApiClient, body_of
from tests.support.backoffice import browser, text
from tests.support.concurrency import at_once
from tests.support.reviewing import (
    NAMES,
    NEXT,
    QUEUE,
    at,
    buttons,
    do,
    form,
    payment_page,
    seen_by,
    waiting,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.mark.parametrize(
    ("role", "offered"),
    [
        ("viewer", []),
        ("auditor", []),
        ("analyst", ["approve", "reject", "escalate", "claim", "snooze"]),
        (
            "senior reviewer",
            ["approve", "reject", "escalate", "claim", "snooze", "assign", "cancel"],
        ),
        ("risk manager", ["approve", "reject", "escalate", "claim", "snooze"]),
    ],
)
def test_buttons_and_commands_agree_for_each_role(role: str, offered: list[str]) -> None:
    (payment,) = waiting()
    logged_in = browser(role)
    assert buttons(logged_in, payment) == offered
    assert ("Claim next" in text(logged_in.get(QUEUE))) == bool(offered)
    assert ("Claim next" in text(logged_in.get("/admin/"))) == bool(offered)
    before = Event.objects.count()
    forged = {"reason": "other", "note": "x", "key": str(uuid4()), "version": "2", "amount": "1"}
    forged["seen"] = seen_by(logged_in, payment)
    browser("analyst", "ann")
    forged["to"] = _actor("ann")
    for action in set(NAMES) - set(offered):
        answer = logged_in.post(at(payment, action), forged)
        # 403: no permission. 302 or 409: impossible in this state, with an explanation.
        assert answer.status_code in {302, 403, 409}
    if not offered:
        assert logged_in.post(NEXT, {"key": str(uuid4())}).status_code == 403
    assert Event.objects.count() == before


def test_every_button_requires_a_csrf_token() -> None:
    (payment,) = waiting()
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.create_superuser("root"))
    forged = {"reason": "other", "key": str(uuid4()), "version": "2"}
    for url in (NEXT, *(at(payment, action) for action in NAMES)):
        assert strict.post(url, forged).status_code == 403
    assert Event.objects.count() == 2


@pytest.mark.parametrize("action", NAMES)
@pytest.mark.parametrize(
    "forged", [{}, {"key": "x", "version": "2"}, {"key": str(uuid4()), "version": "-1"}]
)
def test_forged_form_changes_nothing(action: str, forged: dict[str, str]) -> None:
    (payment,) = waiting()
    answer = browser().post(at(payment, action), forged | {"reason": "other"})
    assert answer.status_code in {200, 302, 409}
    assert Event.objects.count() == 2


def test_action_without_a_page_redirects_to_the_payment() -> None:
    (payment,) = waiting()
    assert browser().get(at(payment, "claim")).headers["Location"] == payment_page(payment)


def test_past_version_has_no_buttons() -> None:
    (payment,) = waiting()
    html = browser().get(payment_page(payment) + "?version=1").content.decode()
    assert at(payment, "claim") not in html
    assert "What to do" not in html


def test_claim_is_extended_released_and_visible_to_others() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    assert "Yours until" in do(ann, payment, "claim")
    shown = text(ben.get(payment_page(payment)))
    assert re.search(r"Claimed by ann until \d\d:\d\d UTC \(15 min left\)", shown)
    assert buttons(ben, payment) == []
    assert "Yours until" in text(ann.get(payment_page(payment)))
    assert buttons(ann, payment) == [
        *("approve", "reject", "escalate", "claim"),
        *("release", "snooze", "assign"),
    ]
    do(ann, payment, "claim")
    assert "Released. Any reviewer can claim it now." in do(ann, payment, "release")
    assert "Unclaimed" in text(ben.get(payment_page(payment)))
    assert Event.objects.count() == 5


def test_senior_reviewer_takes_over_a_claim() -> None:
    (payment,) = waiting()
    ann, grace = browser("analyst", "ann"), browser()
    do(ann, payment, "claim")
    assert "Take over from ann" in text(grace.get(payment_page(payment)))
    assert "release" not in buttons(grace, payment)
    shown = do(grace, payment, "take_over", holder=_actor("ann"))
    assert "Taken over." in shown
    assert "Taken from ann" in shown  # an entry of the history
    assert "Yours until" in shown
    assert "release" in buttons(grace, payment)


def test_taking_over_is_one_append() -> None:
    """Otherwise a third person could claim between the release and the claim."""
    (payment,) = waiting()
    ann, grace = browser("analyst", "ann"), browser()
    do(ann, payment, "claim")
    do(grace, payment, "take_over", holder=_actor("ann"))
    released, claimed = Event.objects.order_by("-position")[:2][::-1]

    assert (released.event_type, claimed.event_type) == (
        "payment.review_released",
        "payment.review_claimed",
    )
    assert claimed.version == released.version + 1
    assert released.metadata == claimed.metadata


def test_takeover_is_refused_if_another_person_holds_the_claim_now() -> None:
    (payment,) = waiting()
    ann, ben, grace = browser("analyst", "ann"), browser("analyst", "ben"), browser()
    do(ann, payment, "claim")
    sent = form(grace, payment, "take_over", holder=_actor("ann"))
    do(ann, payment, "release")
    do(ben, payment, "claim")

    shown = text(grace.post(at(payment, "take_over"), sent, follow=True))

    assert "ben has claimed this payment until" in shown
    assert "Yours until" in text(ben.get(payment_page(payment)))


def test_first_approver_releases_the_claim_of_another() -> None:
    payment = str(body_of(ApiClient().submit(**FOUR_EYES))["id"])
    grace, hal = browser(), browser(username="hal")
    do(grace, payment, "approve")

    do(hal, payment, "claim")

    assert "Release claim of hal" in text(grace.get(payment_page(payment)))
    assert [name for name in buttons(grace, payment) if name in {"take_over", "release"}] == [
        "release"
    ]


def _actor(username: str) -> str:
    return actors.staff(get_user_model().objects.get(username=username).pk)


def test_late_click_names_the_holder_of_the_claim() -> None:
    (payment,) = waiting()
    ann, ben = browser("analyst", "ann"), browser("analyst", "ben")
    late = {name: form(ben, payment, name, note="Odd.") for name in ("approve", "claim")}
    do(ann, payment, "claim")
    for name, sent in late.items():
        shown = text(ben.post(at(payment, name), sent, follow=True))
        assert "ann has claimed this payment until" in shown
        assert "staff:" not in shown
    shown = text(ben.get(at(payment, "reject"), follow=True))
    assert "ann has claimed this payment until" in shown
    assert (Event.objects.count(), Note.objects.count()) == (3, 0)


def test_double_click_is_one_claim() -> None:
    (payment,) = waiting()
    logged_in = browser()
    sent = form(logged_in, payment, "claim")
    session = logged_in.cookies["sessionid"].value

    def click(_: int) -> str:
        clicking = Browser()
        clicking.cookies["sessionid"] = session
        return text(clicking.post(at(payment, "claim"), sent, follow=True))

    assert all("Yours until" in shown for shown in at_once(4, click))
    assert Event.objects.count() == 3
