"""A log that was cut, or cut and sealed anew, shows against a head that was kept elsewhere."""

from pathlib import Path

import pytest
from django.core.management import CommandError

from payments.events.seals import heads, keys, sealing
from tests.raw_appends import Session, insert
from tests.tampering import change_event, found, verify

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("small_seals"),
    pytest.mark.slow,
]


def test_a_cut_tail_shows_against_a_head_only(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    head = str(tmp_path / "head.json")
    assert verify("--export", head)[0] == 0
    assert verify("--against", head)[0] == 0
    superuser.execute("DELETE FROM events_seal WHERE number = 3")
    superuser.execute("DELETE FROM events_event WHERE position > %s", [sealed[7]])
    assert verify()[0] == 0
    code, output = verify("--against", head)
    assert code == 1
    assert f"position {sealed[7] + 1} and all that followed cut off" in output


def test_all_seals_cut_off_show_against_a_head_only(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    head = tmp_path / "head.json"
    verify("--export", str(head))
    superuser.execute("DELETE FROM events_seal")
    code, output = verify()
    assert code == 0
    assert "No seal covers anything: nothing is known of this log." in output
    assert found(against=heads.read(head, keys.trusted())) == [("cut", 1)]


def test_a_log_that_was_cut_and_sealed_anew_shows_against_a_head(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    """Even by who has the key."""
    head = tmp_path / "head.json"
    verify("--export", str(head))
    superuser.execute("DELETE FROM events_seal WHERE number > 1")
    change_event(superuser, sealed[4], "schema_version = 7")
    assert len(list(sealing.seal_all())) == 2
    assert found() == []
    assert found(against=heads.read(head, keys.trusted())) == [("rewritten", sealed[7] + 1)]


def test_a_log_that_went_on_agrees_with_an_old_head(
    sealed: list[int], writer: Session, tmp_path: Path
) -> None:
    head = str(tmp_path / "head.json")
    verify("--export", head)
    insert(writer)
    assert len(list(sealing.seal_all())) == 1
    assert verify("--against", head)[0] == 0


def test_no_head_is_exported_of_a_log_that_was_tampered_with(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    change_event(superuser, sealed[0], "schema_version = 7")
    assert verify("--export", str(tmp_path / "head.json"))[0] == 1
    assert list(tmp_path.iterdir()) == []


def test_a_head_that_cannot_be_written_is_said(sealed: list[int], tmp_path: Path) -> None:
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
def test_what_is_no_head_is_refused(
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
