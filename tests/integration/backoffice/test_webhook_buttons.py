"""The buttons of webhook endpoints: permissions, records in Django's admin log, and refusals."""

import re
from datetime import timedelta
from typing import Any, Final

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser, override_settings
from django.urls import reverse

from payments.clients.models import Client
from readmodels import roles
from readmodels.models import EventIndex
from readmodels.webhooks import keys
from readmodels.webhooks.models import Attempt, Endpoint, State
from tests.support.api import ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.examples import NOON
from tests.support.forms import form_fields
from tests.support.sinks import Reply, sink
from tests.support.webhook_pages import OTHER_URL, SETTINGS, button, log, page
from tests.support.webhooks import deliver, endpoint, hold, receiver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

MANAGES: Final = {"risk manager"}
# Each button with a form that it accepts, and the entry that it adds to Django's admin log.
COMMANDS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "pause": ({}, "Paused"),
    "resume": ({}, "Resumed (active before)"),
    "test": ({}, r"Sent test evt_test_\w+"),
    "disable": ({"reason": "Asked by the client"}, "Disabled: Asked by the client"),
    "rotate": ({}, "Rotated the secret"),
    "edit": (SETTINGS, "Changed url, description, events, payload"),
    "replay": ({"position": "0", "confirm": "1"}, r"Moved the cursor from \d+ to 0"),
}
WITH_PAGES: Final = ("disable", "rotate", "edit", "replay")


@pytest.mark.parametrize("role", roles.ROLES)
@pytest.mark.parametrize("command", COMMANDS)
def test_only_those_who_manage_endpoints_can_press_a_button(command: str, role: str) -> None:
    made = endpoint()
    before = Endpoint.objects.values().get()
    logged_in, form = browser(role), COMMANDS[command][0]

    shown = logged_in.get(page(made)).content.decode()
    asked = logged_in.get(button(made, command)).status_code
    answer = logged_in.post(button(made, command), form)

    if role in MANAGES:
        assert asked == (200 if command in WITH_PAGES else 405)
        assert answer.status_code == (200 if command == "rotate" else 302)
        ((user, object_id, change),) = log()
        assert (user, object_id) == ("grace", str(made.pk))
        assert re.fullmatch(
            COMMANDS[command][1].replace("(active before)", r"\(active before\)"), change
        )
    else:
        assert (asked, answer.status_code) == (403, 403)
        assert button(made, command) not in shown
        assert Endpoint.objects.values().get() == before
        assert log() == []


@pytest.mark.parametrize("role", roles.ROLES)
def test_only_those_who_manage_endpoints_can_add_one(role: str) -> None:
    client = Client.objects.create(name="Acme")
    logged_in = browser(role)
    add = reverse("admin:webhooks_add")

    shown = logged_in.get(reverse("admin:webhooks_endpoint_changelist")).content.decode()
    asked = logged_in.get(add).status_code
    answer = logged_in.post(add, SETTINGS | {"client": str(client.pk)})

    allowed = role in MANAGES
    assert (asked, answer.status_code) == ((200, 200) if allowed else (403, 403))
    assert (add in shown) == allowed
    assert Endpoint.objects.count() == len(log()) == allowed


@pytest.mark.parametrize("command", [*COMMANDS, "add"])
def test_button_without_a_csrf_token_is_refused(command: str) -> None:
    made = endpoint()
    strict = Browser(enforce_csrf_checks=True)
    user = get_user_model().objects.create(username="grace", is_staff=True)
    user.groups.add(Group.objects.get(name="risk manager"))
    strict.force_login(user)
    before = Endpoint.objects.values().get()
    url = reverse("admin:webhooks_add") if command == "add" else button(made, command)
    form = SETTINGS | {"client": str(made.client_id)} if command == "add" else COMMANDS[command][0]

    assert strict.post(url, form).status_code == 403
    assert Endpoint.objects.values().get() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_button_of_a_deleted_endpoint_is_not_found(command: str) -> None:
    made = endpoint()
    url = button(made, command)
    made.delete()

    assert browser("risk manager").post(url, COMMANDS[command][0]).status_code == 404


@pytest.mark.parametrize("state", [State.PAUSED, State.DISABLED])
def test_pause_of_an_endpoint_that_is_not_active_changes_nothing(state: State) -> None:
    made = endpoint()
    reason = "It answered 410." if state == State.DISABLED else ""
    Endpoint.objects.update(state=state, disabled_reason=reason)

    answer = browser("risk manager").post(button(made, "pause"), follow=True)

    made.refresh_from_db()
    assert f"This endpoint is {state.value}. Only active ones can be paused." in text(answer)
    assert (made.state, made.disabled_reason, log()) == (state, reason, [])


def test_pause_resume_and_disable_change_the_state() -> None:
    made = endpoint()
    logged_in = browser("risk manager")

    states = []
    for command in ("pause", "resume", "disable", "resume"):
        logged_in.post(button(made, command), COMMANDS[command][0])
        made.refresh_from_db()
        states.append((made.state, made.disabled_reason))

    assert states == [
        (State.PAUSED, ""),
        (State.ACTIVE, ""),
        (State.DISABLED, "Asked by the client"),
        (State.ACTIVE, ""),
    ]
    shown = text(logged_in.get(page(made)))
    for change in ("Paused", "Resumed (paused before)", "Resumed (disabled before)", "by grace"):
        assert change in shown


@pytest.mark.parametrize("reason", ["", "  ", "a\0b", "4111 1111 1111 1111", "x" * 201])
def test_disable_needs_a_valid_reason(reason: str) -> None:
    made = endpoint()

    answer = browser("risk manager").post(button(made, "disable"), {"reason": reason})

    assert answer.status_code == 200
    assert Endpoint.objects.get().state == State.ACTIVE


def test_page_of_a_failing_endpoint_offers_to_try_now() -> None:
    made = endpoint()
    later = NOON + timedelta(days=300_000)
    Endpoint.objects.update(failures=3, failing_since=NOON, next_attempt_at=later)
    logged_in = browser("risk manager")

    shown = text(logged_in.get(page(made)))
    logged_in.post(button(made, "resume"))

    made.refresh_from_db()
    assert "Try now" in shown
    assert "The next attempt is at" in shown
    assert (made.failures, made.next_attempt_at < later) == (0, True)


def test_rotate_shows_the_new_secret_once_and_keeps_the_old_one() -> None:
    made = endpoint()
    old = keys.decrypt(made.secret)
    logged_in = browser("risk manager")

    answer = logged_in.post(button(made, "rotate"))

    made.refresh_from_db()
    new = keys.decrypt(made.secret)
    assert new in text(answer)
    assert new != old
    assert made.old_secret is not None
    assert keys.decrypt(made.old_secret) == old
    assert "no-store" in answer["Cache-Control"]
    later = text(logged_in.get(page(made)))
    assert "the old one also signs until" in later
    assert new not in later
    assert "The secret was rotated already" in text(logged_in.get(button(made, "rotate")))


def test_test_button_requests_a_test_also_of_a_disabled_endpoint() -> None:
    made = endpoint()
    Endpoint.objects.update(state=State.DISABLED)

    answer = browser("risk manager").post(button(made, "test"), follow=True)

    assert Endpoint.objects.get().test_id is not None
    assert "waits to be sent" in text(answer)


def test_result_of_a_test_is_on_the_page_of_the_endpoint() -> None:
    logged_in = browser("risk manager")
    with sink() as receiving, override_settings(WEBHOOK_DEBUG=True):
        made = receiver(receiving)
        receiving.answer = lambda _: Reply(404, body=b"<b>No such hook</b>")

        logged_in.post(button(made, "test"))
        deliver(made)

    shown = text(logged_in.get(page(made)))
    answer = logged_in.get(
        reverse("admin:webhooks_attempt_change", args=[Attempt.objects.get().pk])
    ).content.decode()
    assert "webhook.test, 404 Not Found" in shown
    assert "&lt;b&gt;No such hook&lt;/b&gt;" in answer


def test_replayed_events_are_delivered_again(acme: ApiClient) -> None:
    logged_in = browser("risk manager")
    with sink() as receiving, override_settings(WEBHOOK_DEBUG=True):
        made = receiver(receiving)
        acme.submit()
        project()
        deliver(made)

        logged_in.post(button(made, "replay"), {"position": "0", "confirm": "1"})
        deliver(made)

    first, again = receiving.ids()
    assert first == again


@pytest.fixture
def delivered(acme: ApiClient) -> Endpoint:
    """Return an endpoint that received two events and has not received a third."""
    made = endpoint()
    acme.submit()
    acme.submit()
    project()
    made.position = EventIndex.objects.latest("position").position
    made.save(update_fields=["position"])
    acme.submit()
    project()
    return made


def test_replay_says_how_many_events_are_sent_again_before_it_sends_them(
    delivered: Endpoint,
) -> None:
    hold(delivered, position=1)
    logged_in = browser("risk manager")

    asked = logged_in.post(button(delivered, "replay"), {"position": "0"})

    assert "2 events after position 0 will be sent again" in text(asked)
    assert Endpoint.objects.get().position == delivered.position
    hidden = dict(
        re.findall(r'type="hidden" name="(position|confirm)" value="(\d+)"', asked.content.decode())
    )
    answer = logged_in.post(button(delivered, "replay"), hidden, follow=True)
    assert "The cursor is at 0." in text(answer)
    assert Endpoint.objects.get().position == 0
    assert not delivered.held.exists()
    assert [change for _, _, change in log()] == [
        f"Moved the cursor from {delivered.position} to 0"
    ]


def test_replay_since_a_day_begins_before_its_first_event(delivered: Endpoint) -> None:
    logged_in = browser("risk manager")

    past = logged_in.post(button(delivered, "replay"), {"day": "2020-01-01"})
    future = logged_in.post(button(delivered, "replay"), {"day": "2090-01-01", "time": "9:30"})

    assert "2 events after position" in text(past)
    # Events that are not delivered yet are not skipped.
    assert f"0 events after position {delivered.position}" in text(future)


def test_replay_says_that_a_later_position_skips_events(delivered: Endpoint) -> None:
    last = EventIndex.objects.latest("position").position

    asked = browser("risk manager").post(button(delivered, "replay"), {"position": str(last)})

    assert f"1 event up to position {last} will never be sent to this endpoint." in text(asked)


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({}, "Enter a position or a day, not both."),
        ({"position": "1", "day": "2026-01-01"}, "Enter a position or a day, not both."),
        ({"position": "-1"}, "“-1” is not a position."),
        ({"position": "9" * 400}, "is not a position."),
        ({"position": "0" * 20 + "9" * 5000}, "is not a position."),
        ({"position": "99999999"}, "The log ends at"),
        ({"position": "99999999", "confirm": "1"}, "The log ends at"),
        ({"day": "yesterday"}, "“yesterday” is not a date."),
        ({"day": "2026-01-01", "time": "9"}, "“9” is not a time."),
        ({"time": "09:30"}, "A time needs a day."),
    ],
)
def test_replay_explains_an_invalid_beginning(
    delivered: Endpoint, form: dict[str, str], complaint: str
) -> None:
    answer = browser("risk manager").post(button(delivered, "replay"), form)

    assert text(answer).count(complaint) == 1
    assert Endpoint.objects.get().position == delivered.position
    assert log() == []


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        ("disable", {"reason": "Asked by the client"}),
        ("edit", {"url": OTHER_URL, "description": "Till 7"}),
        ("replay", {"position": "12"}),
    ],
)
def test_text_typed_before_the_session_ended_returns_into_the_form(
    command: str, typed: dict[str, str]
) -> None:
    made = endpoint()

    manager = browser("risk manager")
    author = form_fields(manager.get(button(made, command)))["author"]

    signed_out = Browser().post(button(made, command), typed | {"author": author})
    restored = manager.post(button(made, command), typed | {"restore": "1"})

    assert signed_out.status_code == 403
    assert 'name="kept"' in signed_out.content.decode()
    for value in typed.values():
        assert f'value="{value}"' in restored.content.decode()
    assert log() == []
