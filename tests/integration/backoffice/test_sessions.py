"""Sessions end when idle and after some hours. People see and end their own."""

from datetime import timedelta
from typing import Any, Final

import pytest
from django.contrib.auth import get_user, get_user_model
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.contrib.sessions.exceptions import SessionInterrupted
from django.db import connection
from django.http import HttpRequest
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from payments.identity import passwords, resets, signing_in
from payments.identity.models import RecoveryCode, Session
from payments.identity.session_store import SessionStore
from readmodels.staff.models import Kind, StaffChange
from tests.support.backoffice import browser, text
from tests.support.forms import form_fields
from tests.support.reviewing import at, form, waiting
from tests.support.second_factors import PASSWORD, SECRET, age, code, member, signed_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

QUEUE: Final = "/admin/reviews/"
POLL: Final = "/admin/reviews/poll/"
FIREFOX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def left(logged_in: Browser) -> timedelta:
    """Return how long the session lasts without another request."""
    row = Session.objects.get(session_key=logged_in.session.session_key)
    return row.expire_date - timezone.now()


def test_session_ends_after_a_quarter_of_an_hour_without_use() -> None:
    grace = browser()

    assert timedelta(minutes=14) < left(grace) <= timedelta(minutes=15)
    age(grace, seen_at=timedelta(minutes=14))
    assert grace.get(QUEUE).status_code == 200
    assert left(grace) > timedelta(minutes=14)
    age(grace, seen_at=timedelta(minutes=16))
    assert grace.get(QUEUE).headers["Location"].startswith("/admin/login/")


def test_session_ends_some_hours_after_the_sign_in() -> None:
    grace = browser()

    age(grace, began_at=timedelta(hours=11, minutes=50))
    assert grace.get(QUEUE).status_code == 200
    assert left(grace) < timedelta(minutes=10)
    age(grace, began_at=timedelta(minutes=20))

    assert grace.get(QUEUE).status_code == 302


@pytest.mark.parametrize("automatic", [POLL, "/admin/account/?automatic="])
def test_requests_of_pages_themselves_do_not_count_as_use(automatic: str) -> None:
    grace = browser()
    age(grace, seen_at=timedelta(minutes=10))

    assert grace.get(automatic).status_code == 200

    assert left(grace) < timedelta(minutes=6)


def test_use_is_written_once_a_minute() -> None:
    grace = browser()
    grace.get(QUEUE)
    with CaptureQueriesContext(connection) as queries:
        grace.get(QUEUE)
        grace.get(QUEUE)
    assert not [each for each in queries if each["sql"].startswith("UPDATE")]

    age(grace, seen_at=timedelta(minutes=1))
    with CaptureQueriesContext(connection) as queries:
        grace.get(QUEUE)
    assert len([each for each in queries if each["sql"].startswith("UPDATE")]) == 1


def test_typed_text_survives_the_idle_limit() -> None:
    (payment,) = waiting()
    grace = browser()
    sent = form(grace, payment, "approve", note="Called back.")
    age(grace, seen_at=timedelta(minutes=16))

    answer = grace.post(at(payment, "approve"), sent)

    assert "Your session has ended. Nothing was sent." in text(answer)
    assert form_fields(answer)["kept"]


def test_person_sees_and_ends_own_sessions_only() -> None:
    user: Any = member()
    here, there = signed_in(user), Browser(headers={"User-Agent": FIREFOX})
    there.post(
        reverse("admin:login"),
        {"username": "grace", "password": PASSWORD},
        REMOTE_ADDR="192.0.2.7",
    )
    other = browser("viewer", "fay")
    page = here.get(reverse("account"))

    assert "Firefox on Linux 192.0.2.7" in text(page)
    assert page.content.decode().count("end-session/") == 1
    assert str(there.session.session_key) not in page.content.decode()
    (end,) = {each for each in page.content.decode().split('"') if "end-session/" in each}
    other.post(end)
    assert there.get(QUEUE).status_code == 200
    here.post(end)
    assert there.get(QUEUE).status_code == 302
    assert here.get(QUEUE).status_code == 200


def test_changed_password_ends_all_other_sessions() -> None:
    user = member()
    here, there = signed_in(user), signed_in(user)
    new = "another horse battery staple"

    here.post(
        reverse("password_change"),
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )

    assert Session.objects.filter(user=user).count() == 1  # deleted, and not only refused later
    assert here.get(QUEUE).status_code == 200
    assert there.get(QUEUE).status_code == 302


def test_stronger_hash_of_the_same_password_ends_no_session() -> None:
    """Regression: Django rehashes the password after an upgrade, which ended all other sessions."""
    user = member()
    User.objects.update(password=MD5PasswordHasher().encode(PASSWORD, "salt"))
    user.refresh_from_db()
    here = signed_in(user)

    there = Browser()
    there.post(reverse("admin:login"), {"username": "grace", "password": PASSWORD})

    old = user.password
    user.refresh_from_db()
    assert user.password != old
    assert {each.get(QUEUE).status_code for each in (here, there)} == {200}
    last = StaffChange.objects.latest("id")
    assert (last.kind, last.by) == (Kind.REHASHED, f"staff:{user.pk}")


def test_stronger_hash_never_replaces_a_newer_password() -> None:
    user = member()
    User.objects.update(password=MD5PasswordHasher().encode(PASSWORD, "salt"))
    user.refresh_from_db()
    compared = User.objects.get()
    user.set_password("another horse battery staple")
    user.save()

    passwords._store(compared, PASSWORD)

    user.refresh_from_db()
    assert user.check_password("another horse battery staple")


def test_wrong_form_with_the_old_password_ends_no_session() -> None:
    user = member()
    User.objects.update(password=MD5PasswordHasher().encode(PASSWORD, "salt"))
    user.refresh_from_db()
    here = signed_in(user)

    here.post(reverse("password_change"), {"old_password": PASSWORD, "new_password1": "short"})

    assert here.get(QUEUE).status_code == 200


def test_sign_in_deletes_expired_sessions() -> None:
    browser()
    Session.objects.update(expire_date=timezone.now() - timedelta(minutes=1))

    browser(username="hal")

    assert list(Session.objects.values_list("user__username", flat=True)) == ["hal"]


@pytest.mark.parametrize(
    ("path", "status"), [(QUEUE, 200), ("/admin/nowhere/", 404), ("/admin/auth/user/add/", 403)]
)
def test_no_cache_stores_a_page_of_a_session(path: str, status: int) -> None:
    """Otherwise, the Back button would show the page after the sign-out."""
    answer = browser().get(path)

    assert answer.status_code == status
    assert "no-store" in answer.headers["Cache-Control"]


def test_signing_out_deletes_the_session() -> None:
    grace = browser()

    grace.post(reverse("admin:logout"))

    assert get_user_model().objects.count() == 1
    assert not Session.objects.exists()


def _unfinished(logged_in: Browser) -> Any:
    """Return a request in progress that has already read the session and the user."""
    request: Any = HttpRequest()
    request.session = SessionStore(logged_in.session.session_key)
    request.user = get_user(request)
    assert request.user.is_authenticated
    return request


def _proves(request: Any) -> None:
    signing_in.prove(request, TOTPDevice.objects.create(user=request.user), at=timezone.now())


def _adds_an_app(request: Any) -> None:
    now = timezone.now()
    signing_in.add_app(request, SECRET, code(now), at=now)


def _creates_codes(request: Any) -> None:
    signing_in.create_codes(request, at=timezone.now())


@pytest.mark.parametrize("act", [_proves, _adds_an_app, _creates_codes])
def test_request_that_began_before_the_end_of_its_session_opens_it_no_more(act: Any) -> None:
    """Regression: Django stored the ended session again, so its factor survived the reset."""
    user = member()
    request = _unfinished(signed_in(user))
    resets.by_command(user, operator="system:test", at=timezone.now())

    with pytest.raises(SessionInterrupted):
        act(request)

    assert not Session.objects.exists()
    assert not RecoveryCode.objects.exists()
