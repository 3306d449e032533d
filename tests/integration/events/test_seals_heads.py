"""Heads kept elsewhere reveal that a log was truncated, even if it was sealed again."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from payments.events import tasks
from payments.events.models import Seal
from payments.events.seals import heads, keys, memory, seal, sealing, verifying
from payments.events.seals.findings import Kind
from tests.support.raw_appends import Session, insert
from tests.support.tampering import change_event, delete_seals, found, verify

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("small_seals"),
    pytest.mark.slow,
]


def test_verify_finds_a_truncated_log_only_with_a_head(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    head = str(tmp_path / "head.json")
    assert verify("--export", head)[0] == 0
    assert verify("--against", head)[0] == 0
    delete_seals(superuser, "number = 3")
    superuser.execute("DELETE FROM events_event WHERE position > %s", [sealed[7]])
    assert verify()[0] == 0
    code, output = verify("--against", head)
    assert code == 1
    assert f"position {sealed[7] + 1} and all later events cut off" in output


def test_verify_finds_that_all_seals_were_deleted(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    head = tmp_path / "head.json"
    verify("--export", str(head))
    superuser.execute("DELETE FROM events_seal")
    code, output = verify()
    assert code == 1
    assert "The log was sealed up to seal 3, which is missing." in output
    delete_seals(superuser, "true")
    code, output = verify()
    assert code == 0
    assert "The log has no seal, so nothing was verified." in output
    assert found(against=heads.read(head, keys.trusted())) == [("cut", 1)]


def test_verify_finds_a_truncated_and_resealed_log_with_a_head(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    """The attacker has the key."""
    head = tmp_path / "head.json"
    verify("--export", str(head))
    delete_seals(superuser, "number > 1")
    change_event(superuser, sealed[4], "schema_version = 7")

    assert len(list(sealing.seal_all())) == 2
    assert found() == []
    assert found(against=heads.read(head, keys.trusted())) == [("rewritten", sealed[7] + 1)]


def test_verify_accepts_a_longer_log_than_the_head(
    sealed: list[int], writer: Session, tmp_path: Path
) -> None:
    head = str(tmp_path / "head.json")
    verify("--export", head)
    insert(writer)

    assert len(list(sealing.seal_all())) == 1
    assert verify("--against", head)[0] == 0


def test_verify_exports_no_head_of_a_changed_log(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    change_event(superuser, sealed[0], "schema_version = 7")
    assert verify("--export", str(tmp_path / "head.json"))[0] == 1
    assert list(tmp_path.iterdir()) == []


def test_verify_reports_a_head_that_cannot_be_written(sealed: list[int], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written: No such file") as refused:
        verify("--export", str(tmp_path / "no" / "head.json"))
    assert refused.value.returncode == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "truncated"),
        ('{"seal": {}, "signature": ""}', "missing required field `number`"),
        (None, "No such file"),
        ("forged", "its signature is not that of its key"),
    ],
)
def test_verify_refuses_an_invalid_head(
    sealed: list[int], tmp_path: Path, content: str | None, reason: str
) -> None:
    path = tmp_path / "head.json"
    if content == "forged":
        verify("--export", str(path))
        content = path.read_text().replace('"number": 3', '"number": 2')
    if content is not None:
        path.write_text(content)

    with pytest.raises(CommandError, match=reason) as refused:
        verify("--against", str(path))

    assert refused.value.returncode == 2


@pytest.fixture
def head_file(tmp_path: Path, settings: Any) -> Path:
    """Return the file in which a worker remembers the last seal."""
    path = tmp_path / "head" / "seal.json"
    path.parent.mkdir()
    settings.SEAL_HEAD_FILE = str(path)
    return path


def remembered(path: Path) -> int:
    return heads.read(path, keys.trusted()).seal.number


def test_sealer_remembers_the_last_seal(
    head_file: Path, sealed: list[int], writer: Session
) -> None:
    assert remembered(head_file) == 3
    insert(writer)
    tasks.seal()
    assert remembered(head_file) == 4
    assert verify()[0] == 0


def test_sealer_refuses_to_reseal_a_forged_log(
    head_file: Path, sealed: list[int], superuser: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """An attacker without a key changes an amount and deletes the seals and the memory of them."""
    change_event(superuser, sealed[4], "data = jsonb_set(data, '{amount,minor}', '10001')")
    delete_seals(superuser, "number > 1")
    tasks.seal()
    assert Seal.objects.count() == 1
    assert "does not have seal 3" in caplog.text
    assert remembered(head_file) == 3
    code, output = verify()
    assert code == 1
    assert f"position {sealed[3] + 1} and all later events cut off" in output
    with pytest.raises(CommandError, match="does not have seal 3"):
        call_command("seal_events", stdout=StringIO())
    ready = Browser().get("/readyz").json()
    assert (ready["degraded"], ready["seals"]) == (True, "contradicted")
    head_file.unlink()  # what an operator does after an intended restore
    tasks.seal()
    assert Seal.objects.count() == 3


def test_sealer_remembers_a_seal_of_another_host(
    head_file: Path, sealed: list[int], writer: Session, settings: Any
) -> None:
    settings.SEAL_HEAD_FILE = ""  # so that another host makes the seal
    insert(writer)
    tasks.seal()
    settings.SEAL_HEAD_FILE = str(head_file)
    assert remembered(head_file) == 3
    tasks.seal()
    assert remembered(head_file) == 4


def test_lower_head_does_not_replace_a_higher_one(head_file: Path, sealed: list[int]) -> None:
    first = Seal.objects.get(number=1)
    memory.remember(heads.of(seal.decode(first.statement), bytes(first.signature)))
    assert remembered(head_file) == 3


def test_verify_refuses_the_head_of_another_log(
    head_file: Path, sealed: list[int], superuser: Session, writer: Session
) -> None:
    """The other installation has the same key and the same number of seals."""
    delete_seals(superuser, "true")
    superuser.execute("UPDATE events_log SET identity = gen_random_uuid()")
    head_file.rename(head_file.with_suffix(".other"))
    list(sealing.seal_all())
    other = head_file.with_suffix(".other")

    assert found(against=heads.read(other, keys.trusted())) == [("rewritten", sealed[7] + 1)]


def test_verify_and_seal_refuse_seals_of_another_log(
    sealed: list[int], superuser: Session, writer: Session
) -> None:
    superuser.execute("UPDATE events_log SET identity = gen_random_uuid()")
    report = verifying.verify(keys.trusted())
    assert {each.kind for each in report.findings.first} == {Kind.SEAL_BROKEN}
    assert "belongs to another log" in report.findings.first[0].detail
    insert(writer)
    with pytest.raises(sealing.DamagedSeal):
        list(sealing.seal_all())


def test_sealer_stops_at_an_unreadable_head(
    head_file: Path, writer: Session, caplog: pytest.LogCaptureFixture
) -> None:
    head_file.write_text("{}")
    insert(writer)
    tasks.seal()

    assert "is not the head of a log" in caplog.text
    assert not Seal.objects.exists()


def test_sealer_warns_of_a_head_that_cannot_be_written(
    writer: Session, settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SEAL_HEAD_FILE = str(tmp_path / "no" / "head.json")
    insert(writer)
    tasks.seal()

    assert Seal.objects.count() == 1
    assert "cannot be written" in caplog.text


def test_verify_finds_an_old_log_without_a_seal(writer: Session, superuser: Session) -> None:
    position = insert(writer)
    assert verify()[0] == 0
    change_event(superuser, position, "recorded_at = recorded_at - interval '6 minutes'")
    code, output = verify()
    assert code == 1
    assert "recorded 6 minutes ago" in output
    assert found() == [("unsealed", position)]
    assert Browser().get("/readyz").json()["seals"] == "late"
    list(sealing.seal_all())
    assert verify()[0] == 0


def test_verify_finds_late_seals_unless_a_head_proves_them(
    writer: Session, superuser: Session, tmp_path: Path
) -> None:
    """Seals are late if they were made again after an attacker deleted them."""
    position = insert(writer)
    change_event(superuser, position, "recorded_at = recorded_at - interval '3 hours'")
    insert(writer)
    list(sealing.seal_all())
    assert [kind for kind, _ in found()] == ["late"]
    head = tmp_path / "head.json"
    code, output = verify("--export", str(head))
    assert code == 1
    assert "3.0 hours before it was made" in output
    assert verify("--against", str(head))[0] == 0


def test_verify_reports_fewer_new_seals_as_rewritten(
    sealed: list[int], superuser: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = tmp_path / "head.json"
    verify("--export", str(head))
    delete_seals(superuser, "true")
    monkeypatch.setattr(seal, "MOST_EVENTS", 100)

    list(sealing.seal_all())

    assert ("rewritten", sealed[7] + 1) in found(against=heads.read(head, keys.trusted()))
