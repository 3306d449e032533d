"""Exports of lists: rows, masks, the record of the export, and files made in the background."""

import hashlib
import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client as Browser
from django.urls import reverse

from payments.customers.models import Customer
from readmodels.admin.exports import making
from readmodels.exports import files, snapshots, writing
from readmodels.exports.models import Export, Kind, State
from readmodels.exports.writing import Written
from tests.support.api import project
from tests.support.backoffice import browser, text
from tests.support.exports import address, export, files_in_folder, lines, running, table
from tests.support.reviewing import do, paid as submitted, rows, waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PERSONAL = ("Giulia", "Moretti", "giulia", "4915112345689", "newcomer-")


@pytest.fixture(autouse=True)
def _folder(settings: Any, tmp_path: Path) -> None:
    settings.EXPORT_FOLDER = str(tmp_path / "exports")


def paid(**changes: Any) -> str:
    """Return a completed payment that the lists show."""
    payment = submitted(**changes)
    project()
    return payment


def decide(person: Browser, payment: str, action: str) -> None:
    do(person, payment, action, note="Called Giulia.")
    project()


@pytest.fixture
def gus() -> Browser:
    return browser("auditor", "gus")


def test_csv_has_the_rows_of_the_filters_in_the_order_of_the_list(gus: Browser) -> None:
    payments = waiting(3)
    paid()

    found = table(export(gus, "queue"))

    assert [row["payment_id"] for row in found] == rows(gus) == payments
    assert {(row["amount"], row["currency"], row["status"]) for row in found} == {
        ("15000.00", "USD", "pending_review")
    }
    assert found[0]["submitted_at"].endswith("Z")


@pytest.mark.parametrize("kind", [each for each in Kind.values if each != Kind.EVIDENCE])
def test_export_masks_customers_and_is_recorded(gus: Browser, kind: str) -> None:
    (payment,) = waiting()
    decide(browser(), payment, "approve")
    Customer.objects.update(
        name="Giulia Moretti", email="giulia@example.com", phone="+4915112345689"
    )

    answer = export(gus, kind)

    content = answer.getvalue()
    record = Export.objects.get()
    assert f"position-{record.position}.csv" in answer["Content-Disposition"]
    assert not [each for each in PERSONAL if each in content.decode()]
    assert (record.kind, record.state) == (kind, State.DONE)
    assert record.digest == hashlib.sha256(content).hexdigest()
    assert record.rows == len(lines(content))
    assert record.requested_by == f"staff:{gus.session['_auth_user_id']}"


def test_customers_are_recognizable_by_their_masks(gus: Browser) -> None:
    waiting()
    Customer.objects.update(name="Giulia Moretti", email="giulia@example.com")

    (row,) = table(export(gus, "customers"))

    assert (row["name"], row["email"], row["reference"]) == (
        "G***** M******",
        "g*****@example.com",
        "ne***",
    )


def test_filters_narrow_the_export_and_are_recorded(gus: Browser) -> None:
    waiting(2)
    paid()
    query = "?status__exact=completed&q=Giulia&after=x"

    page = gus.get(address("payments", query))
    found = table(export(gus, "payments", query))

    assert "Status Completed" in text(page)
    assert "The search is left out" in text(page)
    assert [row["status"] for row in found] == ["completed"]
    assert Export.objects.get().query == "status__exact=completed"


def test_export_with_a_wrong_filter_is_refused(gus: Browser) -> None:
    answer = export(gus, "payments", "?currency=nonsense")

    assert "“nonsense” is not a currency code. Write it like EUR." in text(answer)
    assert not Export.objects.exists()


def test_export_with_filters_too_long_for_the_record_is_refused(gus: Browser) -> None:
    answer = export(gus, "events", f"?correlation_id={'x' * 1_000}")

    assert "The filters have" in text(answer)
    assert "Use shorter filters" in text(answer)
    assert not Export.objects.exists()


def test_bom_is_a_choice(gus: Browser) -> None:
    paid()

    assert (
        export(gus, "payments", chosen="csv-bom").getvalue().startswith(b"\xef\xbb\xbfpayment_id")
    )
    assert export(gus, "payments").getvalue().startswith(b"payment_id")


def test_workbook_has_titles_numbers_and_no_formula(gus: Browser) -> None:
    paid(reference="=1+1")

    content = export(gus, "payments", chosen="xlsx").getvalue()

    with zipfile.ZipFile(io.BytesIO(content)) as workbook:
        sheet = workbook.read("xl/worksheets/sheet1.xml").decode()
    assert "<v>19.99</v>" in sheet
    assert "<t>=1***</t>" in sheet
    assert "<f>" not in sheet
    assert not list(files_in_folder())


def test_workbook_continues_on_another_sheet(tmp_path: Path) -> None:
    path, written = tmp_path / "w.xlsx", Written()

    writing.write_workbook(path, ("n",), [[[1], [2], [3]]], written, name="Rows", most_lines=3)

    with zipfile.ZipFile(path) as workbook:
        names = workbook.read("xl/workbook.xml").decode()
        last = workbook.read("xl/worksheets/sheet2.xml").decode()
    assert 'name="Rows"' in names
    assert 'name="Rows 2"' in names
    assert "<t>n</t>" in last
    assert "<v>3</v>" in last
    assert written.rows == 3


def test_rows_are_of_one_snapshot(gus: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it were read page by page, the export would mix payments and names of different times."""
    monkeypatch.setattr(snapshots, "AT_ONCE", 1)
    first, second = waiting(2)
    Customer.objects.update(name="Anna")
    record = running(gus, Kind.QUEUE)

    content = making.stream(record)
    begin = [next(content), next(content)]
    decide(browser(), second, "reject")
    waiting()
    Customer.objects.update(name="Zoe")
    rest = list(content)

    found = lines(b"".join([*begin, *rest]))
    assert [line[0] for line in found] == [first, second]
    assert found[1][2] == "pending_review"
    assert {"A***"} == {line[15] for line in found}


def test_closed_connection_is_recorded_as_interrupted(
    gus: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "AT_ONCE", 1)
    waiting(3)
    record = running(gus, Kind.QUEUE)
    content: Any = making.stream(record)
    next(content)
    next(content)

    content.close()

    record.refresh_from_db()
    assert (record.state, record.rows, record.digest) == (State.INTERRUPTED, 1, "")


@pytest.mark.parametrize("role", ["viewer", "analyst", "senior reviewer", "risk manager"])
def test_export_needs_the_permission_and_that_of_the_list(role: str) -> None:
    paid()
    person = browser(role, "rita")
    link = address("payments")

    page = person.get(reverse("admin:readmodels_paymentsummary_changelist"))
    answer = export(person, "payments")

    assert (link in page.content.decode()) == (role != "viewer")
    assert answer.status_code == (403 if role == "viewer" else 200)
    record = person.get(reverse("admin:exports_export_changelist"))
    assert record.status_code == (200 if role == "risk manager" else 403)


def test_pages_of_exports_need_both_permissions() -> None:
    viewer, other = browser("viewer", "vera"), browser("viewer", "olga")
    olga = get_user_model().objects.get(username="olga")
    olga.groups.clear()
    olga.user_permissions.add(Permission.objects.get(codename="export_lists"))

    for person in (viewer, other):
        assert person.get(address("payments")).status_code == 403
        assert export(person, "payments").status_code == 403

    assert not Export.objects.exists()


def test_analysts_export_their_own_decisions_only() -> None:
    first, second = waiting(2)
    cleo = browser("analyst", "cleo")
    decide(cleo, first, "approve")
    decide(browser(), second, "reject")

    own = table(export(cleo, "decisions", "?days=7"))
    whole = table(export(browser("auditor", "gus"), "decisions", "?days=7"))

    assert [(row["decision"], row["reviewer_name"]) for row in own] == [("approved", "cleo")]
    assert [row["decision"] for row in whole] == ["rejected", "approved"]
    assert (whole[0]["payment_id"], whole[0]["amount"]) == (second, "15000.00")


def test_auditors_see_who_exported_which_rows(gus: Browser) -> None:
    paid()
    export(browser("risk manager", "dora"), "payments", "?status__exact=completed").getvalue()

    page = gus.get(reverse("admin:exports_export_changelist"))

    assert "dora Payments (CSV) status__exact=completed 1 Done" in text(page)


def test_nearly_full_disk_is_refused(gus: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    paid()
    free = shutil.disk_usage(files.folder()).free
    monkeypatch.setattr(files, "_SPARE_BYTES", 2 * free)

    answer = export(gus, "payments", chosen="xlsx")

    assert "The disk of the exports is nearly full." in text(answer)


def test_folder_that_others_can_read_is_refused(gus: Browser, settings: Any) -> None:
    paid()
    Path(settings.EXPORT_FOLDER).mkdir(mode=0o755)

    answer = export(gus, "payments", chosen="xlsx")

    assert "must belong to the user of the service, with the mode 0700" in text(answer)
    assert Export.objects.get().state == State.FAILED
