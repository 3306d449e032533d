"""A session without the second factor reaches only the pages that ask for it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import pytest
from axes.models import AccessFailureLog
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from payments.clients.models import ApiKey, Client
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.identity import factors
from payments.identity.models import RecoveryCode
from tests.support.backoffice import text
from tests.support.concurrency import at_once
from tests.support.forms import form_fields
from tests.support.reviewing import at, form, waiting
from tests.support.second_factors import age, code, enroll, member, signed_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ASKS: Final = "/admin/second-factor/"
# Repeated here and not imported, so that opening another page needs a change of this test.
OPEN: Final = {
    "second_factor",
    "second_factor_set_up",
    "passkey_add_begin",
    "passkey_add",
    "passkey_use_begin",
    "passkey_use",
}
VALUES: Final = {"any_case_uuid": str(UUID(int=1)), "uuid": str(UUID(int=1)), "int": "1"}
NOTE: Final = 'Called back.\n"All <fine>".'


@pytest.fixture(autouse=True)
def required(settings: Settings) -> None:
    settings.MFA_REQUIRED_ROLES = ["senior reviewer", "risk manager", "superuser"]


def prove(logged_in: Browser, given: str, *, then: str = "/admin/", **more: str) -> Any:
    return logged_in.post(f"{ASKS}?next={then}", {"code": given, **more})


def addresses(resolver: Any = None, before: str = "/") -> Iterator[tuple[str, str]]:
    """Yield the name of every URL pattern, with an example URL."""
    for each in (resolver or get_resolver()).url_patterns:
        route = before + str(each.pattern).removeprefix("^").removesuffix("$")
        if isinstance(each, URLResolver):
            yield from addresses(each, route)
        elif isinstance(each, URLPattern):
            yield each.name or "", re.sub(r"<(?:(\w+):)?\w+>", _value, route)


def _value(match: re.Match[str]) -> str:
    return VALUES.get(match[1], "x")


def test_every_address_is_closed_without_the_second_factor() -> None:
    grace = signed_in(member())
    found = {path: name for name, path in addresses() if "(" not in path}
    closed = {
        path
        for path, name in found.items()
        if path.startswith("/admin/") and name not in OPEN and path != reverse("admin:logout")
    }

    for path in closed:
        for answer in (grace.get(path), grace.post(path)):
            assert answer.status_code == 302, path
            assert answer.headers["Location"].startswith(ASKS), path
    assert len(closed) > 120
    # All other URLs ignore sessions.
    for path in found.keys() - closed:
        if path.startswith("/api/"):
            assert not hasattr(grace.get(path).wsgi_request, "session"), path


def test_second_factor_of_one_session_opens_no_other() -> None:
    user, now = member(), timezone.now()
    enroll(user, at=now)
    here, elsewhere = signed_in(user), signed_in(user)

    prove(here, code(now))

    assert here.get("/admin/").status_code == 200
    assert elsewhere.get("/admin/").status_code == 302


@pytest.mark.parametrize(
    ("roles", "role", "asks"),
    [
        (["all"], "viewer", True),
        (["viewer"], "viewer", True),
        (["senior reviewer", "superuser"], "viewer", False),
        ([], "senior reviewer", False),
    ],
)
def test_required_roles_decide_who_is_asked(
    settings: Settings, roles: list[str], role: str, *, asks: bool
) -> None:
    settings.MFA_REQUIRED_ROLES = roles

    answer = signed_in(member(role=role)).get("/admin/reviews/")

    assert answer.status_code == (302 if asks else 200)


def test_person_with_a_factor_is_asked_though_no_role_requires_it(settings: Settings) -> None:
    settings.MFA_REQUIRED_ROLES = []
    user = member()
    enroll(user, at=timezone.now())

    assert signed_in(user).get("/admin/").status_code == 302


def test_enrollment_shows_codes_once_and_stores_no_code() -> None:
    grace = signed_in(member())
    page = grace.get("/admin/reviews/", follow=True)
    secret = grace.session["new_app_secret"]
    assert "<svg" in page.content.decode()

    shown = grace.post(
        f"{ASKS}set-up/?next=/admin/reviews/", {"code": code(timezone.now(), secret=secret)}
    )

    codes = re.findall(r"<li><code[^>]*>([a-z0-9-]+)</code>", shown.content.decode())
    assert len(set(codes)) == 8
    stored = {bytes(each) for each in RecoveryCode.objects.values_list("digest", flat=True)}
    plain = {each.replace("-", "").encode() for each in codes}
    assert not stored & (plain | {sha256(each).digest() for each in plain})
    again = grace.post(f"{ASKS}set-up/", {"code": ""})
    assert again.status_code == 302
    assert grace.get("/admin/reviews/").status_code == 200


def test_password_alone_adds_no_factor_to_an_account_that_has_one() -> None:
    user = member()
    enroll(user, at=timezone.now())
    thief = signed_in(user)

    page = thief.get(f"{ASKS}set-up/")
    begin = thief.post(f"{ASKS}passkey/add/begin/", {}, content_type="application/json")

    assert page.headers["Location"].startswith(ASKS)
    assert begin.status_code == 403
    assert TOTPDevice.objects.count() == 1


@pytest.mark.parametrize(
    ("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_code_is_accepted_one_step_early_or_late(steps: int, *, accepted: bool) -> None:
    user, now = member(), timezone.now()
    enroll(user, at=now)

    if accepted:
        assert factors.verify(user, code(now, steps=steps), at=now)
        return
    with pytest.raises(factors.WrongCode, match="wrong or was already used"):
        factors.verify(user, code(now, steps=steps), at=now)


def test_code_works_once_even_at_the_same_time() -> None:
    user, now = member(), timezone.now()
    enroll(user, at=now)

    def enter(_: int) -> bool:
        try:
            return bool(factors.verify(user, code(now), at=now))
        except factors.WrongCode:
            return False

    assert sorted(at_once(4, enter)) == [False, False, False, True]


def test_recovery_code_works_once_even_at_the_same_time() -> None:
    user, now = member(), timezone.now()
    enroll(user, at=now)
    first, *_ = factors.create_codes(user, at=now)

    def enter(_: int) -> bool:
        try:
            return bool(factors.verify(user, f" {first.upper()} ", at=now))
        except factors.WrongCode:
            return False

    assert sorted(at_once(4, enter)) == [False, False, False, True]
    assert RecoveryCode.objects.count() == 7


def test_wrong_codes_are_throttled_and_lock_out() -> None:
    user, now = member(), timezone.now()
    enroll(user, at=now)
    grace, elsewhere = signed_in(user), signed_in(user)

    assert "This code is wrong" in text(prove(grace, "000000"))
    assert "Too many wrong codes" in text(prove(grace, code(now)))
    for _ in range(4):
        TOTPDevice.objects.update(throttling_failure_timestamp=now - timedelta(hours=1))
        answer = prove(grace, "000000")

    assert answer.status_code == 429
    assert prove(elsewhere, code(now)).status_code == 429
    assert AccessFailureLog.objects.filter(username="grace").count() == 5
    assert grace.get("/admin/").headers["Location"].startswith("/admin/login/")


def test_right_code_ends_the_wait_after_wrong_ones() -> None:
    user, now = member(), timezone.now()
    enroll(user, at=now)
    for _ in range(3):
        TOTPDevice.objects.update(throttling_failure_timestamp=now - timedelta(hours=1))
        with pytest.raises(factors.WrongCode):
            factors.verify(user, "000000", at=now)
    TOTPDevice.objects.update(throttling_failure_timestamp=now - timedelta(hours=1))

    factors.verify(user, code(now), at=now)

    assert TOTPDevice.objects.get().throttling_failure_count == 0


def test_typed_text_survives_the_question_for_the_second_factor() -> None:
    (payment,) = waiting()
    user, now = member(), timezone.now()
    enroll(user, at=now)
    grace = signed_in(user)
    prove(grace, code(now))
    sent = form(grace, payment, "approve", note=NOTE)
    again = signed_in(user)

    asked: Any = again.post(at(payment, "approve"), sent)
    assert asked.status_code == 403
    kept = form_fields(asked)["kept"]
    proved = prove(again, code(now, steps=1), kept=kept)

    assert "Back to your text" in text(proved)
    assert form_fields(proved)["note"] == NOTE


@pytest.mark.parametrize("minutes", [14, 16])
def test_sensitive_pages_ask_again_after_a_quarter_of_an_hour(minutes: int) -> None:
    user, now = member(role="risk manager"), timezone.now()
    enroll(user, at=now)
    grace = signed_in(user)
    prove(grace, code(now))
    client = Client.objects.create(name="Acme")

    age(grace, second_factor_at=timedelta(minutes=minutes))

    for path in (
        reverse("policy_approve", args=[DEFAULT_POLICY.policy_id]),
        reverse("admin:key_create", args=[client.pk]),
        reverse("admin:factor_reset_ask"),
        reverse("bulk"),
        reverse("bulk_confirm"),
    ):
        answer = grace.get(path)
        assert (ASKS in answer.headers.get("Location", "")) == (minutes > 15), path
    assert grace.get("/admin/reviews/").status_code == 200


def test_new_key_waits_for_the_second_factor_and_keeps_its_label() -> None:
    user, now = member(role="risk manager"), timezone.now()
    enroll(user, at=now)
    grace = signed_in(user)
    prove(grace, code(now))
    create = reverse("admin:key_create", args=[Client.objects.create(name="Acme").pk])
    sent = form_fields(grace.get(create)) | {"label": "web shop", "scopes": "payments:read"}
    age(grace, second_factor_at=timedelta(hours=1))

    asked = grace.post(create, sent)
    proved = prove(grace, code(now, steps=1), kept=form_fields(asked)["kept"])

    assert not ApiKey.objects.exists()
    assert form_fields(proved)["label"] == "web shop"


def test_only_factor_cannot_be_removed_if_the_role_requires_one() -> None:
    user, now = member(), timezone.now()
    enroll(user, at=now)
    grace = signed_in(user)
    prove(grace, code(now))

    answer = grace.post(reverse("remove_app"), follow=True)

    assert "Your role requires a second factor" in text(answer)
    assert factors.is_enrolled(user)


def test_bearer_keys_need_no_second_factor() -> None:
    from tests.support.api import ApiClient

    assert ApiClient().submit().status_code == 201
