"""Files attached to notes: what is accepted, how they are stored, downloaded and erased."""

import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.urls import reverse

from config.http import uploads
from payments.customers import attachments
from payments.customers.models import Attachment, Note
from payments.domain import files
from payments.events.models import Event
from tests.support.backoffice import browser, text
from tests.support.notes import add
from tests.support.reviewing import at, paid, payment_page
from tests.unit.domain.test_files import PDF, PNG

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def attach(logged_in: Browser, payment: str, *given: tuple[str, bytes], **more: Any) -> Any:
    uploaded = [SimpleUploadedFile(name, content, "text/html") for name, content in given]
    return add(logged_in, payment, "See the file.", attached=uploaded, **more)


def address(payment: str, attachment: Attachment) -> str:
    return reverse("admin:payment_attachment", args=[payment, attachment.pk])


def stored() -> list[tuple[str, str, int]]:
    found = Attachment.objects.order_by("number")
    return list(found.values_list("name", "media_type", "size"))


def test_files_are_stored_with_the_note_and_the_event_has_their_digests() -> None:
    payment = paid()
    ben = browser("analyst", "ben")

    attach(ben, payment, ("receipt.png", PNG), ("שלום.PDF", PDF))

    assert stored() == [
        ("receipt.png", "image/png", len(PNG)),
        ("שלום.PDF", "application/pdf", len(PDF)),
    ]
    event = Event.objects.get(event_type="payment.note_added")
    first = Attachment.objects.get(number=1)
    assert event.data["attachments"][0] == {
        "attachment_id": str(first.pk),
        "digest": sha256(bytes(first.salt) + PNG).hexdigest(),
        "size": len(PNG),
        "media_type": "image/png",
    }
    assert "receipt" not in str(event.data)
    page = ben.get(payment_page(payment)).content.decode()
    assert address(payment, first) in page
    assert "receipt.png" in page
    assert "With 2 files" in page


def test_file_is_downloaded_and_never_shown_by_the_browser() -> None:
    """The sent type and name follow the file's content, so no viewer runs what is hidden in it."""
    payment = paid()
    attach(
        browser("analyst", "ben"), payment, ("a.html", b"alert(1)"), ("é.exe", PNG + b"<script>")
    )
    vic = browser("viewer", "vic")

    script, polyglot = (
        vic.get(address(payment, each)) for each in Attachment.objects.order_by("number")
    )

    assert script.content == b"alert(1)"
    assert script["Content-Type"] == "text/plain; charset=utf-8"
    assert script["Content-Disposition"] == 'attachment; filename="a.html.txt"'
    assert polyglot["Content-Type"] == "image/png"
    assert polyglot["Content-Disposition"] == "attachment; filename*=utf-8''%C3%A9.exe.png"
    for answer in (script, polyglot):
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([("a.txt", b"<!DOCTYPE html><script>")], "its content is not PNG, JPEG, PDF or plain"),
        ([("a.png", b"MZ\x90\x00\x03")], "its content is not PNG, JPEG, PDF or plain text"),
        ([("a.txt", b"")], "The file is empty."),
        ([("a.png", PNG.ljust(files.LARGEST + 1, b"\0"))], "The file is larger than 5 MB."),
        ([("4111 1111 1111 1111.txt", b"x")], "card number"),
        ([("a.txt", b"4111 1111 1111 1111")], "card number"),
        ([("a.png", PNG)] * 4, "Attach at most 3 files"),
        ([("a.png", PNG), ("b.txt", b"")], "The file is empty."),
    ],
    ids=["html", "exe", "empty", "large", "card name", "card", "many", "second"],
)
def test_refused_files_store_nothing_and_keep_the_note(
    given: Sequence[tuple[str, bytes]], error: str
) -> None:
    payment = paid()
    ben = browser("analyst", "ben")

    answer = attach(ben, payment, *given)

    assert error in text(answer)
    assert "Attach the files again." in text(answer)
    assert "See the file." in answer.content.decode()
    assert (Note.objects.count(), Attachment.objects.count()) == (0, 0)
    assert not Event.objects.filter(event_type="payment.note_added").exists()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "passwd.txt"),
        ("..\\..\\boot.ini", "boot.ini.txt"),
        ("x" * 5_000 + ".txt", "x" * 116 + ".txt"),
        ("exe.\u202egpj.txt", "exe.gpj.txt"),
    ],
    ids=["path", "windows path", "huge", "bidi"],
)
def test_hostile_names_become_harmless(given: str, name: str) -> None:
    payment = paid()

    attach(browser("analyst", "ben"), payment, (given, b"text"))

    assert [found for found, *_ in stored()] == [name]


def test_double_click_stores_the_files_once_and_other_files_are_another_note() -> None:
    payment = paid()
    ben = browser("analyst", "ben")
    key = str(uuid4())
    for _ in range(2):
        attach(ben, payment, ("a.png", PNG), key=key)

    answer = attach(ben, payment, ("a.pdf", PDF), key=key)

    assert answer.status_code == 409
    assert len(stored()) == 1


def test_only_staff_who_see_notes_download_files_of_that_payment() -> None:
    payment, other = paid(), paid(reference="other")
    attach(browser("analyst", "ben"), payment, ("a.png", PNG))
    attachment = Attachment.objects.get()
    outsider = browser("viewer", "out")

    assert outsider.get(address(other, attachment)).status_code == 404
    assert Browser().get(address(payment, attachment)).status_code == 302
    get_user_model().objects.get(username="out").groups.clear()
    assert outsider.get(address(payment, attachment)).status_code == 403
    assert outsider.post(address(payment, attachment)).status_code == 405


def test_changed_file_is_not_sent() -> None:
    payment = paid()
    ben = browser("analyst", "ben")
    attach(ben, payment, ("a.txt", b"One"))
    Attachment.objects.update(content=b"Two")

    answer = ben.get(address(payment, Attachment.objects.get()))

    assert answer.status_code == 409
    assert b"Two" not in answer.content


def test_erased_file_is_shown_as_such() -> None:
    payment = paid()
    ben = browser("analyst", "ben")
    attach(ben, payment, ("a.png", PNG), ("secret name.txt", b"x"))
    first = Attachment.objects.get(number=1)
    Attachment.objects.filter(pk=first.pk).delete()
    Attachment.objects.update(name="")

    page = text(ben.get(payment_page(payment)))

    assert "This file was erased" in page
    assert "file.txt" in page
    assert ben.get(address(payment, first)).status_code == 404


def test_database_deletes_files_with_their_note_and_checks_them() -> None:
    attach(browser("analyst", "ben"), paid(), ("a.png", PNG))

    for wrong in ({"size": 1}, {"content": b"", "size": 0}, {"media_type": "text/html"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Attachment.objects.update(**wrong)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM customers_note")
    assert Attachment.objects.count() == 0


SCANNER = "import sys; sys.exit({0} if b'virus' in sys.stdin.buffer.read() else 0)"


@pytest.mark.parametrize(
    ("command", "content", "error"),
    [
        ([sys.executable, "-c", SCANNER.format(1)], b"clean", ""),
        ([sys.executable, "-c", SCANNER.format(1)], b"a virus", "The virus scanner refused"),
        ([sys.executable, "-c", SCANNER.format(2)], b"a virus", "The virus scanner does not work"),
        (["/nowhere/clamdscan"], b"clean", "The virus scanner does not work"),
    ],
    ids=["clean", "infected", "failing", "missing"],
)
def test_scanner_decides_on_files_and_its_failure_refuses_them(
    settings: Any, command: list[str], content: bytes, error: str
) -> None:
    settings.ATTACHMENT_SCANNER = command

    answer = attach(browser("analyst", "ben"), paid(), ("a.txt", content))

    assert (error or "Note added.") in text(answer)
    assert len(stored()) == (0 if error else 1)


@pytest.mark.parametrize("seconds", ["60", "0.5"], ids=["hanging", "slow"])
def test_scanner_has_one_time_limit_for_all_files_of_the_note(
    settings: Any, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setattr(attachments, "_SCAN_SECONDS", 1.0)
    settings.ATTACHMENT_SCANNER = ["sleep", seconds]
    begun = time.monotonic()

    answer = attach(browser("analyst", "ben"), paid(), *[(f"{n}.txt", b"x") for n in range(3)])

    assert "The virus scanner does not work" in text(answer)
    assert time.monotonic() - begun < 10
    assert stored() == []


def test_files_are_refused_while_the_scanner_is_busy(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "_WAIT_SECONDS", 0.1)
    settings.ATTACHMENT_SCANNER = [sys.executable, "-c", ""]
    payment, ben = paid(), browser("analyst", "ben")

    with attachments._scanning:
        answer = attach(ben, payment, ("a.txt", b"x"))

    assert "Other files are being checked for viruses. Try again in a moment." in text(answer)
    assert "Note added." in text(attach(ben, payment, ("a.txt", b"x")))


def test_output_of_the_scanner_is_not_kept_in_memory(settings: Any) -> None:
    """The scanner's exit status is enough, and its output may be endless."""
    same = "os.path.samestat(os.fstat({}), os.stat(os.devnull))"
    program = f"import os, sys; sys.exit(2 - 2 * ({same.format(1)} and {same.format(2)}))"
    settings.ATTACHMENT_SCANNER = [sys.executable, "-c", program]

    assert "Note added." in text(attach(browser("analyst", "ben"), paid(), ("a.txt", b"x")))


def test_viewer_uploads_nothing() -> None:
    payment = paid()

    assert attach(browser("viewer", "vic"), payment, ("a.png", PNG)).status_code == 403
    assert stored() == []


def test_large_bodies_are_received_at_the_address_of_new_notes_only() -> None:
    payment = paid()

    assert uploads.may_upload("POST", at(payment, "note"))
    for method, path in (
        ("GET", at(payment, "note")),
        ("POST", at(payment, "approve")),
        ("POST", f"/api/v1/payments/{payment}"),
        ("POST", at(payment, "note") + "/x"),
        ("POST", "/x" + at(payment, "note")),
    ):
        assert not uploads.may_upload(method, path)
