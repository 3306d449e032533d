"""Guessing passwords ends after five, for that name and address; what was typed is not kept."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from tests.backoffice import browser, text

pytestmark = pytest.mark.django_db

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
RIGHT, WRONG = "correct horse", "battery staple"


@pytest.fixture(autouse=True)
def ada() -> None:
    get_user_model().objects.create_user("ada", password=RIGHT, is_staff=True)


def sign_in(password: str, *, name: str = "ada", address: str = HERE, **headers: str) -> Any:
    return Browser(headers=headers).post(
        reverse("admin:login"), {"username": name, "password": password}, REMOTE_ADDR=address
    )


def fail(times: int, **who: str) -> Any:
    for _ in range(times):
        answer = sign_in(WRONG, **who)
    return answer


def test_the_fifth_failure_locks_out_even_the_right_password() -> None:
    assert fail(4).status_code == 200
    locked = fail(1)
    assert locked.status_code == 429
    assert locked["Retry-After"] == "900"
    assert "Wait 15 minutes" in text(locked)
    assert sign_in(RIGHT).status_code == 429


def test_nobody_else_is_locked_out() -> None:
    get_user_model().objects.create_user("ben", password=RIGHT, is_staff=True)
    fail(5)
    assert sign_in(RIGHT, address=ELSEWHERE).status_code == 302
    assert sign_in(RIGHT, name="ben").status_code == 302


def test_a_lock_ends_by_itself_and_is_not_prolonged_by_trying() -> None:
    fail(5)
    nearly_over = timezone.now() - timedelta(minutes=14)
    AccessAttempt.objects.update(attempt_time=nearly_over)
    assert sign_in(WRONG).status_code == 429
    assert AccessAttempt.objects.get().attempt_time == nearly_over
    AccessAttempt.objects.update(attempt_time=nearly_over - timedelta(minutes=2))
    assert sign_in(RIGHT).status_code == 302


def test_a_success_begins_anew() -> None:
    fail(4)
    assert sign_in(RIGHT).status_code == 302
    assert fail(4).status_code == 200


def test_who_is_locked_out_does_not_learn_whether_the_name_is_known() -> None:
    known = [fail(1).status_code for _ in range(6)]
    unknown = [fail(1, name="nobody").status_code for _ in range(6)]
    assert known == unknown
    # One of many unknown names says nothing about the next one.
    assert fail(1, name="somebody").status_code == 200


def test_what_is_typed_into_the_wrong_field_is_not_kept() -> None:
    typed = "hunter2-ngwenya"
    Browser().post(
        f"{reverse('admin:login')}?next=/admin/customers/customer/?q={typed}",
        {"username": typed, "password": typed, "csrfmiddlewaretoken": typed, "next": typed},
    )
    (row,) = AccessAttempt.objects.values()
    assert typed not in str(row)


@pytest.mark.parametrize("proxies", [0, 1])
def test_an_address_that_clients_give_themselves_is_not_believed(
    settings: Settings, proxies: int
) -> None:
    """A proxy adds what it saw to what it was sent."""
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": proxies}
    for number in range(5):
        fail(1, **{"X-Forwarded-For": f"198.51.100.{number}, 198.51.100.9"})
    again = {"X-Forwarded-For": "198.51.100.8, 198.51.100.9"}
    assert sign_in(RIGHT, **again).status_code == 429


def test_behind_a_proxy_people_have_addresses_of_their_own(settings: Settings) -> None:
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}
    fail(5, **{"X-Forwarded-For": "198.51.100.1"})
    assert sign_in(RIGHT, **{"X-Forwarded-For": "198.51.100.2"}).status_code == 302
    assert sign_in(RIGHT, **{"X-Forwarded-For": "no address"}).status_code == 302
    assert sign_in(RIGHT, **{"X-Forwarded-For": "198.51.100.1"}).status_code == 429


@pytest.mark.parametrize("role", ["auditor", "risk manager", "viewer"])
def test_auditors_and_risk_managers_see_who_signed_in_and_who_failed(role: str) -> None:
    sign_in(RIGHT)
    fail(2, name="nobody")
    who = browser(role, username=str(uuid4()))
    for model, shown in ((AccessLog, "ada"), (AccessAttempt, "unknown-")):
        url = reverse(f"admin:axes_{model._meta.model_name}_changelist")
        answer = who.get(url)
        assert answer.status_code == (403 if role == "viewer" else 200)
        if role != "viewer":
            assert shown in text(answer)
            assert shown not in text(who.get(url, {"username": "ben"}))
