"""Exports in the background: workers, leases, full disks, lost roles, and deletion of files."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from readmodels.admin.exports import making
from readmodels.exports import files, leases, writing
from readmodels.exports.leases import LeaseLost
from readmodels.exports.models import Export, Kind, State
from tests.support.backoffice import browser, text
from tests.support.exports import age_files, export, files_in_folder, largest_file, lines, running
from tests.support.reviewing import waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _folder(settings: Any, tmp_path: Path) -> None:
    settings.EXPORT_FOLDER = str(tmp_path / "exports")


@pytest.fixture
def gus() -> Browser:
    return browser("auditor", "gus")


@pytest.fixture
def long_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a list of two rows count as too long to stream."""
    monkeypatch.setattr(making, "AT_ONCE", 1)


@pytest.mark.usefixtures("long_lists")
def test_long_export_is_made_in_the_background_and_downloaded(gus: Browser) -> None:
    payments = waiting(2)

    page = export(gus, "queue", follow=True)
    assert "Waiting for a worker" in text(page)
    assert "Export: 0 rows so far" in text(page)
    assert page["Refresh"] == "3"
    assert making.work()

    record = Export.objects.get()
    assert (record.state, record.rows) == (State.DONE, 2)
    (file,) = files_in_folder()
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0
    assert "Download 2 rows" in text(gus.get(reverse("exports")))
    answer = gus.get(reverse("export_download", args=[record.pk]))
    content = answer.getvalue()
    assert [line[0] for line in lines(content)] == payments
    assert hashlib.sha256(content).hexdigest() == record.digest
    assert f"position-{record.position}.csv" in answer["Content-Disposition"]
    other = browser("auditor", "olga")
    assert other.get(reverse("export_download", args=[record.pk])).status_code == 404


@pytest.mark.usefixtures("long_lists")
def test_file_expires_and_its_record_stays(gus: Browser) -> None:
    waiting(2)
    export(gus, "queue", chosen="xlsx")
    making.work()
    Export.objects.update(expires_at=timezone.now())
    age_files(files.folder())

    making.sweep()

    record = Export.objects.get()
    assert not list(files_in_folder())
    assert (record.state, record.expires_at) == (State.DONE, None)
    assert gus.get(reverse("export_download", args=[record.pk])).status_code == 404
    assert "The file has expired." in text(gus.get(reverse("exports")))


@pytest.mark.usefixtures("long_lists")
def test_person_who_lost_the_role_gets_no_file(gus: Browser) -> None:
    waiting(2)
    export(gus, "queue")
    export(gus, "queue")
    making.work()
    get_user_model().objects.get(username="gus").groups.clear()

    making.work()

    done, failed = Export.objects.order_by("requested_at")
    assert failed.error == "Your role no longer includes this export."
    assert gus.get(reverse("export_download", args=[done.pk])).status_code == 403
    assert len(list(files_in_folder())) == 1


@pytest.mark.usefixtures("long_lists")
def test_person_who_lost_the_role_meanwhile_gets_no_file(
    gus: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(2)
    export(gus, "queue")
    write = writing.csv_blocks

    def written(*given: Any, **more: Any) -> Any:
        yield from write(*given, **more)
        get_user_model().objects.get(username="gus").groups.clear()

    monkeypatch.setattr(writing, "csv_blocks", written)
    making.work()

    assert Export.objects.get().error == "Your role no longer includes this export."
    assert not list(files_in_folder())
    assert gus.get(reverse("exports")).status_code == 403


@pytest.mark.usefixtures("long_lists")
def test_expired_file_is_not_sent_although_it_was_not_deleted_yet(gus: Browser) -> None:
    waiting(2)
    export(gus, "queue")
    making.work()
    Export.objects.update(expires_at=timezone.now())

    answer = gus.get(reverse("export_download", args=[Export.objects.get().pk]), follow=True)

    assert "This file has expired. Export the list again." in text(answer)
    assert len(list(files_in_folder())) == 1


@pytest.mark.usefixtures("long_lists")
def test_fourth_waiting_export_of_a_person_is_refused(gus: Browser) -> None:
    waiting(2)
    for _ in range(3):
        export(gus, "queue")

    answer = export(gus, "queue")

    assert "You wait for 3 exports." in text(answer)
    assert Export.objects.count() == 3


@pytest.mark.usefixtures("long_lists")
def test_use_case_cancels_exports_of_the_person_only(gus: Browser) -> None:
    waiting(2)
    export(gus, "queue")

    assert not leases.cancel(Export.objects.get().pk, by="staff:0", at=timezone.now())


@pytest.mark.usefixtures("long_lists")
def test_export_of_a_killed_worker_is_made_by_another_one(gus: Browser) -> None:
    """The first worker may just be slow. It must not store its file then."""
    waiting(2)
    export(gus, "queue")
    now = timezone.now()
    killed = leases.claim(at=now)
    assert killed
    assert leases.claim(at=now) is None

    later = now + leases.LEASE
    another = leases.claim(at=later)

    assert another
    with pytest.raises(LeaseLost):
        leases.renew(killed, rows=1, at=later)
    with pytest.raises(LeaseLost):
        leases.complete(killed, rows=2, digest="0" * 64, position=1, at=later)
    leases.claim(at=later + leases.LEASE)
    assert leases.claim(at=later + 2 * leases.LEASE) is None
    record = Export.objects.get()
    assert (record.state, record.attempts) == (State.FAILED, leases.MOST_ATTEMPTS)


@pytest.mark.usefixtures("long_lists")
@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_full_disk_fails_the_export_and_leaves_no_file(gus: Browser, format_: str) -> None:
    waiting(2)
    export(gus, "queue", chosen=format_)

    with largest_file(512):
        making.work()

    record = Export.objects.get()
    assert record.state == State.FAILED
    assert "could not be written" in record.error
    assert not list(files_in_folder())


@pytest.mark.usefixtures("long_lists")
def test_waiting_export_can_be_cancelled_by_its_person_only(gus: Browser) -> None:
    waiting(2)
    export(gus, "queue")
    cancel = reverse("export_cancel", args=[Export.objects.get().pk])

    assert browser("auditor", "olga").post(cancel).status_code == 404
    assert "The export is cancelled." in text(gus.post(cancel, follow=True))
    assert not making.work()


def test_sweep_ends_exports_of_killed_servers_and_deletes_their_files(gus: Browser) -> None:
    record = running(gus, Kind.QUEUE, at=timezone.now() - timedelta(hours=2))
    folder = Path(files.folder())
    (folder / f"{uuid4()}.csv").touch()
    (folder / f"{uuid4()}-{uuid4()}.xlsx.part").touch()
    (folder / f"{files.STREAMED}x.part").touch()
    (folder / f"{files.WORKBOOK}x").mkdir()
    age_files(folder)

    making.sweep()

    record.refresh_from_db()
    assert record.state == State.INTERRUPTED
    assert not list(folder.iterdir())


def test_sweep_keeps_what_exports_did_not_make() -> None:
    """Regression: the sweep deleted every old file and folder in the folder of the exports."""
    folder = Path(files.folder())
    (folder / "ledger.xlsx").touch()
    (folder / "notes.part").touch()
    (folder / "backups").mkdir()
    age_files(folder)

    making.sweep()

    assert sorted(each.name for each in folder.iterdir()) == [
        "backups",
        "ledger.xlsx",
        "notes.part",
    ]


def test_sweep_keeps_a_file_whose_transaction_is_not_committed() -> None:
    """Regression: the sweep deleted the file, because no committed export had it."""
    finished = Path(files.folder()) / f"{uuid4()}.csv"
    finished.touch()

    making.sweep()

    assert finished.exists()
