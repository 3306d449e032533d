"""The settings of webhook endpoints in the back office: adding and editing."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import override_settings
from django.urls import reverse

from payments.clients.models import Client
from readmodels.webhooks import keys
from readmodels.webhooks.models import MOST_ENDPOINTS, Endpoint
from tests.support.backoffice import browser, text
from tests.support.webhook_pages import OTHER_URL, SETTINGS, button, edit_form, log, page
from tests.support.webhooks import URL, endpoint

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_add_stores_the_settings_and_shows_the_secret_once() -> None:
    client = Client.objects.create(name="Acme")
    logged_in = browser("risk manager")

    answer = logged_in.post(reverse("admin:webhooks_add"), SETTINGS | {"client": str(client.pk)})

    made = Endpoint.objects.get()
    secret = keys.decrypt(made.secret)
    assert secret in text(answer)
    assert "no-store" in answer["Cache-Control"]
    assert secret not in logged_in.get(page(made)).content.decode()
    assert secret not in str(list(LogEntry.objects.values()))
    assert (made.client_id, made.url, made.description, made.thin) == (
        client.pk,
        OTHER_URL,
        "Till 7",
        True,
    )
    assert made.event_types == ["payment.failed", "payment.processed"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"client": ""}, "This field is required."),
        ({"url": ""}, "This field is required."),
        ({"url": "https://127.0.0.1/"}, "The address 127.0.0.1 is not public"),
        # A forged hidden field must not bypass the check.
        ({"url": "https://10.0.0.1/", "initial-url": "https://10.0.0.1/"}, "is not public"),
        ({"url": "http://93.184.215.14/"}, "The URL must begin with https://."),
        ({"url": "https://93.184.215.14/" + "x" * 500}, "at most 500 are accepted"),
        ({"event_types": ["payment.unknown"]}, "payment.unknown is not one of the available"),
        ({"payload": "some"}, "some is not one of the available choices"),
        ({"description": "x" * 201}, "at most 200 characters"),
        ({"description": "4111 1111 1111 1111"}, "card number"),
    ],
)
def test_add_explains_invalid_settings_and_stores_nothing(
    changes: dict[str, Any], complaint: str
) -> None:
    client = Client.objects.create(name="Acme")

    answer = browser("risk manager").post(
        reverse("admin:webhooks_add"), SETTINGS | {"client": str(client.pk)} | changes
    )

    assert answer.status_code == 200
    assert complaint in text(answer)
    assert not Endpoint.objects.exists()


def test_add_refuses_the_url_of_another_endpoint_and_an_eleventh() -> None:
    made = endpoint()
    logged_in, add = browser("risk manager"), reverse("admin:webhooks_add")
    form = SETTINGS | {"client": str(made.client_id)}

    taken = logged_in.post(add, form | {"url": URL})
    for number in range(1, MOST_ENDPOINTS):
        endpoint(url=f"{URL}/{number}")
    eleventh = logged_in.post(add, form)

    assert f"The endpoint {made.pk} has this URL." in text(taken)
    assert "This client has 10 endpoints already." in text(eleventh)
    assert log() == []


@override_settings(WEBHOOK_KEYS=[])
def test_add_and_rotate_explain_that_webhooks_are_not_configured() -> None:
    with override_settings(WEBHOOK_KEYS=["3b" * 32]):
        made = endpoint()
    logged_in = browser("risk manager")

    added = logged_in.post(
        reverse("admin:webhooks_add"), SETTINGS | {"client": str(made.client_id)}
    )
    rotated = logged_in.post(button(made, "rotate"))

    for answer in (added, rotated):
        assert "Webhooks are not configured: set WEBHOOK_KEYS." in text(answer)
    assert log() == []


def test_edit_changes_only_what_was_changed_on_the_page() -> None:
    made = endpoint()
    form = edit_form(made, description="Till 7")
    Endpoint.objects.update(url=OTHER_URL, thin=True)  # a colleague was faster

    answer = browser("risk manager").post(button(made, "edit"), form, follow=True)

    made.refresh_from_db()
    assert "Settings saved." in text(answer)
    assert (made.url, made.thin, made.description) == (OTHER_URL, True, "Till 7")
    assert [change for _, _, change in log()] == ["Changed description"]


def test_edit_can_select_all_events_again() -> None:
    made = endpoint(event_types=["payment.failed"])
    form = edit_form(made)
    del form["event_types"]

    browser("risk manager").post(button(made, "edit"), form)

    assert Endpoint.objects.get().event_types == []


def test_edit_of_nothing_records_nothing_and_does_not_check_the_url_again() -> None:
    made = endpoint()
    Endpoint.objects.update(url="https://10.0.0.1/")
    made.refresh_from_db()

    answer = browser("risk manager").post(button(made, "edit"), edit_form(made), follow=True)

    assert "Nothing was changed." in text(answer)
    assert log() == []


def test_edit_refuses_private_addresses_and_taken_urls() -> None:
    made, other = endpoint(), endpoint(url=OTHER_URL)
    logged_in = browser("risk manager")

    private = logged_in.post(button(made, "edit"), edit_form(made, url="https://[::1]/"))
    taken = logged_in.post(button(made, "edit"), edit_form(made, url=OTHER_URL))

    assert "is not public" in text(private)
    assert f"The endpoint {other.pk} has this URL." in text(taken)
    assert Endpoint.objects.get(pk=made.pk).url == URL
    assert log() == []
