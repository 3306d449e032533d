"""People change only their own factors, after a recent proof. Their other sessions then end."""

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any, Final

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnCredential
from pytest_django import Settings

from payments.identity import factors, signing_in
from payments.identity.factors import AlreadyAdded, WrongCode
from payments.identity.models import Change, RecoveryCode, SecurityRecord, Session
from tests.support.backoffice import text
from tests.support.second_factors import SECRET, age, code, enroll, member, signed_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ASKS: Final = "/admin/second-factor/"
QUEUE: Final = "/admin/reviews/"
NOW: Final = timezone.now()


@pytest.fixture
def grace() -> Any:
    user = member()
    enroll(user, at=timezone.now())
    return user


def proved(user: Any) -> Browser:
    logged_in = signed_in(user)
    logged_in.post(ASKS, {"code": code(timezone.now())})
    assert logged_in.get(QUEUE).status_code == 200
    return logged_in


def passkey(user: Any, credential: bytes = b"hers") -> WebAuthnCredential:
    return WebAuthnCredential.objects.create(
        user=user, name="Passkey", credential_id=credential, public_key=b"", transports=[]
    )


def test_proof_changes_the_key_of_the_session(grace: Any) -> None:
    here = signed_in(grace)
    before = here.session.session_key

    here.post(ASKS, {"code": code(timezone.now())})

    assert here.get(QUEUE).status_code == 200
    assert not Session.objects.filter(session_key=before).exists()


def test_first_factor_ends_sessions_that_began_without_one() -> None:
    user = member()
    here, there = signed_in(user), signed_in(user)
    here.get(f"{ASKS}set-up/")

    secret = here.session["new_app_secret"]
    here.post(f"{ASKS}set-up/", {"code": code(timezone.now(), secret=secret)})

    assert here.get(QUEUE).status_code == 200
    assert there.get(QUEUE).headers["Location"].startswith("/admin/login/")


def test_later_proofs_end_no_other_session() -> None:
    user = member()
    here = signed_in(user)
    here.get(f"{ASKS}set-up/")
    secret = here.session["new_app_secret"]
    here.post(f"{ASKS}set-up/", {"code": code(timezone.now(), secret=secret)})
    there = signed_in(user)
    age(here, second_factor_at=timedelta(minutes=16))

    here.post(ASKS, {"code": code(timezone.now(), steps=1, secret=secret)})

    assert here.session["second_factor_at"] > timezone.now().timestamp() - 60
    assert there.get(QUEUE).headers["Location"].startswith(ASKS)


def test_removed_device_proves_nothing_any_more(grace: Any) -> None:
    passkey(grace)
    here = proved(grace)

    here.post(reverse("remove_app"))

    assert not TOTPDevice.objects.exists()
    for page in (QUEUE, f"{ASKS}set-up/"):
        assert here.get(page).headers["Location"].startswith(ASKS), page


def test_new_passkey_waits_for_a_recent_proof(grace: Any) -> None:
    here, begin = proved(grace), reverse("passkey_add_begin")

    recent = here.post(begin, {}, content_type="application/json")
    age(here, second_factor_at=timedelta(minutes=16))
    late = here.post(begin, {}, content_type="application/json")

    assert (recent.status_code, late.status_code) == (200, 403)


@pytest.mark.parametrize("name", ["remove_app", "remove_passkey", "recovery_codes"])
def test_changes_of_own_factors_ask_again(grace: Any, name: str) -> None:
    factors.create_codes(grace, at=NOW)
    kept = [passkey(grace).pk, *RecoveryCode.objects.values_list("pk", flat=True)]
    here = proved(grace)
    age(here, second_factor_at=timedelta(minutes=16))

    answer = here.post(reverse(name, args=[kept[0]] if name == "remove_passkey" else []))

    assert answer.headers["Location"].startswith(ASKS)
    assert factors.of(grace).app is not None
    found = [each.pk for each in (*WebAuthnCredential.objects.all(), *RecoveryCode.objects.all())]
    assert found == kept


def test_passkey_of_a_colleague_proves_nothing_and_cannot_be_removed(grace: Any) -> None:
    dora = member("dora", "risk manager")
    hers = passkey(dora)
    here = signed_in(grace)
    here.post(reverse("passkey_use_begin"), {}, content_type="application/json")
    name = urlsafe_b64encode(b"hers").decode().rstrip("=")
    sent = {"id": name, "rawId": name, "type": "public-key", "response": _response()}

    used = here.post(reverse("passkey_use"), json.dumps(sent), content_type="application/json")
    here.post(ASKS, {"code": code(timezone.now())})
    here.post(reverse("remove_passkey", args=[hers.pk]))

    assert (used.status_code, used.json()["code"]) == (403, "credential_user_mismatch")
    assert WebAuthnCredential.objects.filter(pk=hers.pk).exists()


def _response() -> dict[str, str]:
    return dict.fromkeys(("clientDataJSON", "authenticatorData", "signature"), "e30")


def test_session_is_never_proved_by_a_device_of_another_person(grace: Any) -> None:
    dora = member("dora", "risk manager")
    request = proved(grace).get(QUEUE).wsgi_request

    with pytest.raises(ValueError, match="another person"):
        signing_in.prove(request, passkey(dora), at=NOW)


def test_enrollment_refuses_a_wrong_code_and_a_second_app(grace: Any) -> None:
    dora = member("dora", "risk manager")

    with pytest.raises(WrongCode, match="not the current code"):
        factors.add_app(dora, SECRET, "000000", at=NOW)
    with pytest.raises(AlreadyAdded):
        factors.add_app(grace, SECRET, code(NOW), at=NOW)

    assert TOTPDevice.objects.get().user == grace


def test_new_recovery_codes_replace_the_old_ones(grace: Any) -> None:
    old, *_ = factors.create_codes(grace, at=NOW)
    new, *_ = factors.create_codes(grace, at=NOW)

    assert factors.verify(grace, new, at=NOW)
    with pytest.raises(WrongCode):
        factors.verify(grace, old, at=NOW)

    assert SecurityRecord.objects.latest("pk").change == Change.CODE_USED


def test_recovery_codes_go_with_the_last_factor(grace: Any) -> None:
    factors.create_codes(grace, at=NOW)

    factors.remove_app(grace, at=NOW)

    assert not RecoveryCode.objects.exists()


@pytest.mark.parametrize(
    "given", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_proof_returns_to_our_pages_only(grace: Any, given: str) -> None:
    here = signed_in(grace)

    answer = here.post(f"{ASKS}?next={given}", {"code": code(timezone.now())})

    assert answer.headers["Location"] == "/admin/"


def test_referer_of_another_host_is_no_way_back(grace: Any) -> None:
    here = signed_in(grace)

    answer = here.post(reverse("claim_next"), headers={"Referer": "https://evil.example/x"})

    assert answer.headers["Location"] == f"{ASKS}?next=%2Fadmin%2F"


def test_superusers_are_asked_if_the_setting_names_them(settings: Settings) -> None:
    settings.MFA_REQUIRED_ROLES = ["superuser"]
    user = member(role="viewer")
    assert signed_in(user).get(QUEUE).status_code == 200
    user.is_superuser = True
    user.save()

    answer = signed_in(user).get(QUEUE)

    assert answer.headers["Location"].startswith(ASKS)
    assert "Set up your second factor" in text(signed_in(user).get(QUEUE, follow=True))


def test_page_offers_only_a_passkey_to_a_person_with_an_app(grace: Any) -> None:
    page = text(proved(grace).get(f"{ASKS}set-up/"))

    assert "Add a passkey instead" not in page
    assert "A passkey is a second way to confirm your identity" in page
