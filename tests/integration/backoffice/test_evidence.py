"""Evidence packs from a payment's page and the command line: permissions, content, records."""

import json
import zipfile
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test import Client as Browser
from django.utils.html import escape

from payments.customers.models import Customer, Note
from payments.permissions import NotPermitted
from readmodels.exports.models import Export
from tests.support import packs
from tests.support.backoffice import browser, text
from tests.support.reviewing import at, do, payment_page, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROLES = ("viewer", "analyst", "senior reviewer", "risk manager", "auditor")
MAY = {"risk manager", "auditor"}


@pytest.fixture
def payment() -> str:
    return str(packs.decided())


@pytest.mark.parametrize("role", ROLES)
def test_evidence_is_offered_to_auditors_and_risk_managers(payment: str, role: str) -> None:
    person = browser(role, "rita")

    page = person.get(payment_page(payment)).content.decode()
    answer = _export(person, payment)

    assert (at(payment, "evidence") in page) == (role in MAY)
    assert answer.status_code == (200 if role in MAY else 403)
    assert Export.objects.count() == (role in MAY)


def test_use_case_refuses_a_person_without_the_permission(payment: str) -> None:
    person = browser("analyst", "rita")
    by = f"staff:{person.session['_auth_user_id']}"

    with pytest.raises(NotPermitted):
        packs.make_unsealed(UUID(payment), by=by)


def test_export_is_recorded_with_person_reason_and_digest(payment: str) -> None:
    gus = browser("auditor", "gus")

    pack, page = _files(_export(gus, payment, reason="  Case 4711 "))

    export = Export.objects.get()
    assert (export.requested_by, export.reason) == (_actor(gus), "Case 4711")
    assert (str(export.subject), export.rows) == (payment, len(json.loads(pack)["events"]))
    assert packs.verify(pack).sha256 == export.digest
    shown = text(gus.get(at(payment, "evidence")))
    assert "by gus : Case 4711" in shown
    assert export.digest in shown
    assert export.digest in page.decode()


def test_page_of_the_pack_shows_history_decision_and_note_without_scripts(payment: str) -> None:
    _, page = _files(_export(browser("auditor", "gus"), payment))

    shown = page.decode()
    for part in ("$15,000.00", "Approved", packs.NOTE, "What the reviewer saw before version 3"):
        assert part in shown
    for foreign in ("<script", "src=", "href=", "url(", "@import"):
        assert foreign not in shown


def test_page_of_the_pack_escapes_what_people_wrote() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    (payment,) = waiting(customer_id=f"{hostile}-1", reference=f"{hostile}-2")
    do(browser(), payment, "approve", note=f"{hostile}-3")
    gus = browser("auditor", "gus")
    get_user_model().objects.update(first_name=f"{hostile}-4")

    _, page = _files(_export(gus, payment, reason=f"{hostile}-5"))

    shown = page.decode()
    assert "<img" not in shown
    for number in (2, 3, 4, 5):
        assert f"{escape(hostile)}-{number}" in shown


def test_pack_has_what_the_reviewer_saw() -> None:
    """The pack shows the customer's other payment as it was when the reviewer decided."""
    other, payment = waiting(2, customer_id="twice")
    seen: Any = json.loads(_decided(payment).pack)["decisions"][0]

    assert (seen["seen_version"], seen["status"]) == (2, "pending_review")
    assert seen["seen_position"] > 0
    (shown,) = seen["other_payments"]
    assert (shown["payment_id"], shown["status"]) == (other, "pending_review")


def test_pack_up_to_a_decision_leaves_out_later_events(payment: str) -> None:
    whole = json.loads(packs.make_unsealed(UUID(payment)).pack)
    decision = whole["decisions"][0]["version"]

    made = packs.make_unsealed(UUID(payment), decision=decision)

    pack = json.loads(made.pack)
    assert pack["about"]["version"] == decision < whole["about"]["version"]
    assert made.name.endswith(f"-decision-{decision}")
    assert not packs.verify(made.pack).findings


def test_pack_has_no_text_of_an_erased_note_and_no_contact(payment: str) -> None:
    Customer.objects.update(name="Giulia Moretti", email="giulia@example.com")
    Note.objects.all().delete()

    made = packs.make_unsealed(UUID(payment))

    for text_ in (packs.NOTE, "Giulia", "example.com"):
        assert text_ not in made.pack.decode()
        assert text_ not in made.page.decode()
    assert not packs.verify(made.pack).findings
    assert "The text of this note is not in the pack." in made.page.decode()


def test_record_of_an_export_cannot_be_changed_or_deleted(payment: str) -> None:
    packs.make_unsealed(UUID(payment))

    for change in ({"requested_by": "staff:1"}, {"digest": "0" * 64}, {"reason": "Another"}):
        with pytest.raises(IntegrityError, match="permanent record"):
            Export.objects.update(**change)
    with pytest.raises(IntegrityError, match="permanent record"):
        Export.objects.all().delete()
    refused = pytest.raises(IntegrityError, match="permanent record")
    with refused, connection.cursor() as cursor:
        cursor.execute("TRUNCATE exports_export")
    Export.objects.update(reason="")  # only an erasure does this


def test_form_refuses_a_blank_reason_and_another_decision(payment: str) -> None:
    gus = browser("auditor", "gus")

    blank, other = _export(gus, payment, reason=" "), _export(gus, payment, decision="1")

    assert "Enter why you need the evidence." in text(blank)
    assert "This is not one of the choices." in text(other)
    assert not Export.objects.exists()


def test_command_writes_the_files_and_records_the_operator(payment: str, tmp_path: Path) -> None:
    _evidence(payment, "--out", str(tmp_path))

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"evidence-{payment}.html", f"evidence-{payment}.json"]
    assert not packs.verify((tmp_path / names[1]).read_bytes()).findings
    assert (tmp_path / names[1]).stat().st_mode & 0o077 == 0
    assert Export.objects.get().requested_by.startswith("system:manage.py:")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["--decision", "1"],
            "--decision: Version 1 of this payment is not a decision. Its decisions are",
        ),
        (["--out", "/no/folder"], "--out /no/folder: there is no such folder"),
        (["--reason", " "], "--reason: "),
    ],
)
def test_command_refuses_wrong_arguments(
    payment: str, tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        _evidence(payment, "--out", str(tmp_path), *arguments)
    with pytest.raises(CommandError, match="There is no payment"):
        _evidence(str(uuid4()), "--out", str(tmp_path))
    assert not Export.objects.exists()
    assert not list(tmp_path.iterdir())


def _evidence(payment: str, *arguments: str) -> None:
    given = ["--reason", "Case 4711", *arguments]
    call_command("evidence", payment, *given, stdout=StringIO(), stderr=StringIO())


def _export(person: Browser, payment: str, **given: str) -> Any:
    return person.post(at(payment, "evidence"), {"reason": "Case 4711", "decision": "", **given})


def _files(answer: Any) -> tuple[bytes, bytes]:
    """Return the JSON and the page of a downloaded pack."""
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        pack, page = sorted(archive.namelist(), reverse=True)
        return archive.read(pack), archive.read(page)


def _decided(payment: str) -> Any:
    do(browser(), payment, "approve", note=packs.NOTE)
    return packs.make_unsealed(UUID(payment))


def _actor(person: Browser) -> str:
    return f"staff:{person.session['_auth_user_id']}"
