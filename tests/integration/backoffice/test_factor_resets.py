"""Two people or an operator reset a second factor, and the record shows who did it."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.urls import reverse
from django.utils import timezone
from django_otp_webauthn.models import WebAuthnCredential

from payments import actors
from payments.identity import factors, resets
from payments.identity.models import FactorReset, Reason, SecurityRecord
from payments.identity.resets import ResetRefused
from payments.permissions import NotPermitted
from readmodels.staff.models import Kind, StaffChange
from tests.support.backoffice import browser, text
from tests.support.concurrency import at_once
from tests.support.second_factors import PASSWORD, enroll, member, signed_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NOW = timezone.now()


@pytest.fixture
def zoe() -> Any:
    user = member("zoe")
    enroll(user, at=NOW)
    return user


def manager(username: str) -> str:
    return actors.staff(member(username, "risk manager").pk)


def changes() -> list[str]:
    return list(SecurityRecord.objects.order_by("pk").values_list("change", flat=True))


def test_reset_needs_another_person(zoe: Any) -> None:
    dora, emil = manager("dora"), manager("emil")
    reset = resets.ask(zoe, Reason.LOST, by=dora, at=NOW)

    with pytest.raises(ResetRefused, match="Another person must approve"):
        resets.approve(reset.pk, by=dora, at=NOW)
    assert factors.is_enrolled(zoe)
    resets.approve(reset.pk, by=emil, at=NOW)

    assert not factors.is_enrolled(zoe)
    assert changes() == ["app_added", "reset_asked", "reset_approved"]
    with pytest.raises(ResetRefused, match="already been decided"):
        resets.decline(reset.pk, by=emil, at=NOW)


def test_reset_removes_every_factor(zoe: Any) -> None:
    factors.create_codes(zoe, at=NOW)
    WebAuthnCredential.objects.create(
        user=zoe, name="Passkey", credential_id=b"hers", public_key=b"", transports=[]
    )
    reset = resets.ask(zoe, Reason.LOST, by=manager("dora"), at=NOW)

    resets.approve(reset.pk, by=manager("emil"), at=NOW)

    found = factors.of(zoe)
    assert (found.app, found.passkeys, found.codes) == (None, [], 0)


def test_reset_is_decided_once_even_at_the_same_time(zoe: Any) -> None:
    reset = resets.ask(zoe, Reason.LOST, by=manager("dora"), at=NOW)
    deciders = [manager(f"emil {number}") for number in range(3)]

    def decide(number: int) -> bool:
        act = resets.decline if number == 0 else resets.approve
        try:
            return bool(act(reset.pk, by=deciders[number], at=NOW))
        except ResetRefused:
            return False

    assert sorted(at_once(3, decide)) == [False, False, True]
    assert len(changes()) == 3


def test_resets_need_the_permission_in_the_use_case(zoe: Any) -> None:
    fay = actors.staff(member("fay", "auditor").pk)

    with pytest.raises(NotPermitted):
        resets.ask(zoe, Reason.LOST, by=fay, at=NOW)
    reset = resets.ask(zoe, Reason.LOST, by=manager("dora"), at=NOW)
    for act in (resets.approve, resets.decline):
        with pytest.raises(NotPermitted):
            act(reset.pk, by=fay, at=NOW)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE identity_factorreset SET asked_by_id = decided_by_id",
        "UPDATE identity_factorreset SET approved = false",
        "DELETE FROM identity_factorreset",
        "TRUNCATE identity_factorreset",
    ],
)
def test_database_refuses_to_change_a_decided_reset(zoe: Any, statement: str) -> None:
    reset = resets.ask(zoe, Reason.LOST, by=manager("dora"), at=NOW)
    resets.approve(reset.pk, by=manager("emil"), at=NOW)

    with pytest.raises(IntegrityError, match="permanent record"), connection.cursor() as cursor:
        cursor.execute(statement)


def test_nobody_decides_on_the_own_factor() -> None:
    dora = member("dora", "risk manager")
    enroll(dora, at=NOW)
    own, emil = actors.staff(dora.pk), manager("emil")

    with pytest.raises(ResetRefused, match="yourself"):
        resets.ask(dora, Reason.LOST, by=own, at=NOW)
    reset = resets.ask(dora, Reason.LOST, by=emil, at=NOW)
    with pytest.raises(ResetRefused, match="your own factor"):
        resets.approve(reset.pk, by=own, at=NOW)


@pytest.mark.parametrize(
    ("asked_by", "decided_by"), [("zoe", None), ("dora", "dora"), ("dora", "zoe")]
)
def test_database_refuses_a_reset_by_one_person(
    zoe: Any, asked_by: str, decided_by: str | None
) -> None:
    people = {"zoe": zoe, "dora": member("dora", "risk manager")}
    decision = {"decided_by": people[decided_by], "decided_at": NOW} if decided_by else {}
    approved = {"approved": True} if decided_by else {}

    with pytest.raises(IntegrityError, match="identity_factorreset_"):
        FactorReset.objects.create(
            staff=zoe,
            reason=Reason.LOST,
            asked_by=people[asked_by],
            asked_at=NOW,
            **decision,
            **approved,
        )


def test_second_request_for_the_same_person_is_refused(zoe: Any) -> None:
    dora = manager("dora")
    resets.ask(zoe, Reason.LOST, by=dora, at=NOW)

    with pytest.raises(ResetRefused, match="is already waiting for approval"):
        resets.ask(zoe, Reason.LOST, by=dora, at=NOW)


def test_reset_is_requested_and_approved_on_pages(zoe: Any) -> None:
    dora, emil = browser("risk manager", "dora"), browser("risk manager", "emil")
    listed = reverse("admin:identity_factorreset_changelist")

    dora.post(reverse("admin:factor_reset_ask"), {"username": "zoe", "reason": "lost"})
    decide = reverse("admin:factor_reset_decide", args=[FactorReset.objects.get().pk])
    assert "Another person must approve it" in text(dora.get(decide))
    answer = emil.post(decide, {"decision": "approve"}, follow=True)

    assert "The second factor is reset for zoe." in text(answer)
    auditor = browser("auditor", "gus")
    assert "approved by emil" in text(auditor.get(listed))
    records = auditor.get(reverse("admin:identity_securityrecord_changelist"))
    assert "Reset approved" in text(records)
    for closed in (decide, reverse("admin:factor_reset_ask")):
        assert auditor.get(closed).status_code == 403
        assert auditor.post(closed, {"decision": "approve"}).status_code == 403


@pytest.mark.parametrize("role", ["viewer", "analyst", "senior reviewer"])
def test_other_roles_see_no_resets(role: str) -> None:
    for model in ("factorreset", "securityrecord"):
        url = reverse(f"admin:identity_{model}_changelist")
        assert browser(role, f"{role} {model}").get(url).status_code == 403


def test_command_resets_and_is_recorded(zoe: Any) -> None:
    call_command("create_staff", "zoe", reset_mfa=True, stderr=StringIO())

    assert not factors.is_enrolled(zoe)
    assert SecurityRecord.objects.latest("pk").actor.startswith("system:manage.py:")
    with pytest.raises(CommandError, match="no member of staff 'nobody'"):
        call_command("create_staff", "nobody", reset_mfa=True, stderr=StringIO())


@pytest.mark.parametrize("by_two", [True, False])
def test_reset_closes_open_sessions(zoe: Any, *, by_two: bool) -> None:
    hers = signed_in(zoe)

    if by_two:
        reset = resets.ask(zoe, Reason.LOST, by=manager("dora"), at=NOW)
        resets.approve(reset.pk, by=manager("emil"), at=NOW)
    else:
        call_command("create_staff", "zoe", reset_mfa=True, stderr=StringIO())

    assert hers.get("/admin/").headers["Location"].startswith("/admin/login/")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE identity_securityrecord SET actor = ''",
        "DELETE FROM identity_securityrecord",
        "TRUNCATE identity_securityrecord",
    ],
)
def test_database_refuses_to_change_the_record(zoe: Any, statement: str) -> None:
    with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement)


def test_given_password_must_be_changed() -> None:
    out = StringIO()
    call_command("create_staff", "zoe", role="viewer", stdout=out, stderr=StringIO())
    given = out.getvalue().strip()
    from django.contrib.auth import get_user_model

    zoe = signed_in(get_user_model().objects.get(username="zoe"))
    change = reverse("password_change")

    assert zoe.get("/admin/reviews/").headers["Location"] == change
    same = {"old_password": given, "new_password1": given, "new_password2": given}
    assert "Choose another password" in text(zoe.post(change, same))
    new = same | {"new_password1": PASSWORD, "new_password2": PASSWORD}
    assert zoe.post(change, new).status_code == 302

    assert zoe.get("/admin/reviews/").status_code == 200
    changed = StaffChange.objects.filter(kind=Kind.PASSWORD)
    assert [each.by for each in changed] == [actors.staff(each.staff) for each in changed]
    assert len(changed) == 1
