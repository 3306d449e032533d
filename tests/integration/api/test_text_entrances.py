"""Imports, forms and commands store texts in the same form as the API."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.urls import reverse

from payments.clients.models import Client
from payments.customers.models import Customer, Note
from readmodels.models import PaymentSummary
from tests.support.api import RISKY, ApiClient, body_of, project
from tests.support.backoffice import browser, text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NFC, NFD = "R\u00e9f", "Re\u0301f"


def test_import_stores_identifiers_as_the_api_does(tmp_path: Path) -> None:
    acme = ApiClient()
    acme.submit(customer_id=NFC, reference="order-1")
    path = tmp_path / "past.csv"
    path.write_text(
        "client,customer_id,reference,amount,currency,method,date\n"
        f"Acme\u00a0, {NFD}\u200b,\u3000{NFD}-1,1.00,EUR,wallet,1997-01-31\n"
        f"Acme,{NFC},4503604527000000018,1.00,EUR,wallet,1997-01-31\n"
        f"Acme,{NFC},6546395345958,1.00,EUR,wallet,1997-01-31\n"
    )

    call_command("import_payments", str(path), "--strict", "--rejects", str(tmp_path / "refused"))

    project()
    assert Customer.objects.get().reference == NFC
    assert Client.objects.get().name == "Acme"
    references = set(PaymentSummary.objects.values_list("reference", flat=True))
    assert references == {"order-1", f"{NFC}-1", "4503604527000000018", "6546395345958"}


def test_form_stores_a_note_as_the_api_does() -> None:
    payment = body_of(ApiClient().submit(**RISKY))["id"]
    project()
    staff = browser()
    url = reverse("admin:payment_approve", args=[payment])
    html = staff.get(url).content.decode()
    form = dict(re.findall(r'name="(key|version|holder|seen)" value="([^"]+)"', html))
    note = (
        "Motif\u00a0: appele\u0301\u200b,\r\nIBAN DE16 6860 3942 2040 9536 37 👨\u200d👩\u200d👧 "
    )

    answer = staff.post(url, form | {"reason": "other", "note": note})

    assert answer.status_code == 302, text(answer)[-1500:]
    stored = "Motif : appel\u00e9,\nIBAN DE16 6860 3942 2040 9536 37 👨\u200d👩\u200d👧"
    assert Note.objects.get().text == stored


def test_form_names_the_character_that_it_refuses() -> None:
    payment = body_of(ApiClient().submit(**RISKY))["id"]
    project()
    staff = browser()
    url = reverse("admin:payment_approve", args=[payment])
    html = staff.get(url).content.decode()
    form = dict(re.findall(r'name="(key|version|holder|seen)" value="([^"]+)"', html))

    answer = staff.post(url, form | {"reason": "other", "note": "Motif\u202e"})

    assert "U+202E RIGHT-TO-LEFT OVERRIDE at position 6" in answer.content.decode()
    assert not Note.objects.exists()


def test_command_stores_a_name_as_the_api_does() -> None:
    call_command("create_api_key", "Socie\u0301te\u0301\u00a0X ")
    assert Client.objects.get().name == "Soci\u00e9t\u00e9 X"
