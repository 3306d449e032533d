"""An export is verified without the service, and refused if the export or the log was changed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from config.stack import place
from payments.events.models import Event
from payments.events.seals import keys, sealing
from tests.support.concurrency import session
from tests.support.raw_appends import Session, insert
from tests.support.tampering import change_event, found

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("small_seals"),
    pytest.mark.slow,
]

VERIFIER: Final = place.PROJECT / "payments" / "events" / "seals" / "verify_export.py"


def test_export_is_verified_without_the_service(sealed: list[int], tmp_path: Path) -> None:
    code, output = _verify_export(_export(tmp_path))
    assert code == 0
    assert output.startswith(f"10 events, seals 1 to 3, positions 1 to {sealed[-1]}: all events")
    lines = (tmp_path / "log.ndjson").read_text().splitlines()
    header, first = json.loads(lines[0]), json.loads(lines[1])
    event = dict(zip(header["columns"], first["event"], strict=True))
    stored = Event.objects.get(position=first["position"])
    assert UUID(event["aggregate_id"]) == stored.aggregate_id
    assert event["data"] == stored.data
    assert event["recorded_at"] == int(stored.recorded_at.timestamp() * 1_000_000)


def test_export_after_a_seal_writes_only_later_events(sealed: list[int], tmp_path: Path) -> None:
    code, output = _verify_export(_export(tmp_path, "--after", "2"))
    assert code == 0
    assert output.startswith("2 events, seals 3 to 3")
    assert "was not written" in _run("export_events", str(tmp_path / "none"), "--after", "3")
    assert not (tmp_path / "none").exists()
    code, output = _verify_export(_export(tmp_path))
    assert output.startswith("10 events, seals 1 to 3")


def test_longer_export_replaces_an_export(sealed: list[int], tmp_path: Path) -> None:
    path = _export(tmp_path, "--after", "2")
    assert "1 seal," in _run("export_events", str(path), "--after", "2")
    lines = path.read_bytes().splitlines(keepends=True)
    for shorter in ([], lines[:1], lines[:-1], [*lines[:-1], lines[-1][:50]]):
        path.write_bytes(b"".join(shorter))
        _export(tmp_path)
        assert _verify_export(path)[1].startswith("10 events, seals 1 to 3")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--after", "99"], "--after 99: the last seal is 3"),
        (["--after", "-1"], "--after -1: the last seal is 3"),
        (["--after", "1"], "covers seals 1 to 3, the new export 2 to 3"),
    ],
)
def test_shorter_export_does_not_replace_an_export(
    sealed: list[int], tmp_path: Path, options: list[str], complaint: str
) -> None:
    path = _export(tmp_path)
    before = path.read_bytes()

    with pytest.raises(CommandError, match=complaint):
        _run("export_events", str(path), *options)
    assert "was not written" in _run("export_events", str(path), "--after", "3")

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    _run("export_events", str(path), "--after", "1", "--force")
    assert _verify_export(path)[1].startswith("6 events, seals 2 to 3")


def test_export_of_a_truncated_log_does_not_replace_a_longer_one(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    path = _export(tmp_path)
    superuser.execute("DELETE FROM events_seal WHERE number = 3")

    with pytest.raises(CommandError, match="covers seals 1 to 3, the new export 1 to 2"):
        _run("export_events", str(path))

    superuser.execute("DELETE FROM events_seal")
    assert "was not written" in _run("export_events", str(path))
    assert _verify_export(path)[1].startswith("10 events, seals 1 to 3")


def test_export_of_another_history_does_not_replace_an_export(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    path = _export(tmp_path)
    superuser.execute("DELETE FROM events_seal")
    superuser.execute("UPDATE events_log SET sealed_number = 0")
    change_event(superuser, sealed[1], "schema_version = 7")
    list(sealing.seal_all())

    with pytest.raises(CommandError, match="of another history: the log has a different seal 3"):
        _run("export_events", str(path))


def test_export_does_not_replace_other_files(sealed: list[int], tmp_path: Path) -> None:
    other, link, pipe = tmp_path / "letter", tmp_path / "link", tmp_path / "pipe"
    other.write_text("Dear all")
    link.symlink_to(other)
    os.mkfifo(pipe)

    with pytest.raises(CommandError, match="exists and is not an export"):
        _run("export_events", str(other))
    for path in (link, pipe, tmp_path):
        with pytest.raises(CommandError, match="is a link, a folder or a device"):
            _run("export_events", str(path), "--force")

    assert other.read_text() == "Dear all"
    assert link.is_symlink()
    assert pipe.is_fifo()


def test_export_keeps_backslashes_quotes_and_other_scripts(writer: Session, tmp_path: Path) -> None:
    position = insert(writer)
    with session() as other:
        other.execute("SET session_replication_role = replica")
        odd = json.dumps({"a": 'back\\slash "quote" \n, "event": [}\u2028 ąß漢 😀'})
        other.execute("UPDATE events_event SET metadata = %s WHERE position = %s", [odd, position])

    list(sealing.seal_all())

    assert found() == []
    assert _verify_export(_export(tmp_path))[0] == 0


def _change_seal(lines: list[str], **changes: Any) -> None:
    """Change members in the first seal's line. None removes a member."""
    seal = {**json.loads(lines[5]), **changes}
    kept = {name: value for name, value in seal.items() if value is not None}
    lines[5] = json.dumps(kept, separators=(",", ":")) + "\n"


TAMPERED: Final[dict[str, Callable[[list[str]], object]]] = {
    "an event changed": lambda lines: lines.__setitem__(2, lines[2].replace("100", "900", 1)),
    "an event left out": lambda lines: lines.pop(2),
    "two events exchanged": lambda lines: lines.__setitem__(slice(2, 4), lines[3:1:-1]),
    "an event added": lambda lines: lines.insert(2, lines[2]),
    "a seal left out": lambda lines: lines.pop(5),
    "a seal changed": lambda lines: lines.__setitem__(
        5, lines[5].replace('"events":4', '"events":3')
    ),
    "the end cut off before a seal": lambda lines: lines.pop(),
    "other columns": lambda lines: lines.__setitem__(
        0,
        lines[0].replace("occurred", "x").replace("recorded", "occurred").replace("x", "recorded"),
    ),
    "an event in another format": lambda lines: lines.insert(
        2, lines[2].replace(', "event": ', ',"event": ')
    ),
    "an ambiguous position": lambda lines: lines.__setitem__(
        2, lines[2].replace('"position": ', '"position": 0_', 1)
    ),
    "an event without a position": lambda lines: lines.__setitem__(
        2, lines[2].replace('{"position": ', "", 1)
    ),
    "a seal with a repeated member": lambda lines: lines.__setitem__(
        5, lines[5].replace('{"seal":', '{"seal":{"number":7},"seal":', 1)
    ),
    "a seal without end": lambda lines: lines.__setitem__(5, '{"seal":' + "[" * 100_000 + "\n"),
    "positions changed": lambda lines: _change_seal(lines, positions="1-3"),
    "positions emptied": lambda lines: _change_seal(lines, positions=""),
    "positions left out": lambda lines: _change_seal(lines, positions=None),
    "digests changed": lambda lines: _change_seal(lines, digests="00" * 32),
    "digests emptied": lambda lines: _change_seal(lines, digests=""),
    "digests in capitals": lambda lines: _change_seal(
        lines, digests=json.loads(lines[5])["digests"].upper()
    ),
    "digests left out": lambda lines: _change_seal(lines, digests=None),
    "a list of positions": lambda lines: _change_seal(lines, positions=["1-4"]),
    "the signature in capitals": lambda lines: _change_seal(
        lines, signature=json.loads(lines[5])["signature"].upper()
    ),
    "the signature left out": lambda lines: _change_seal(lines, signature=None),
    "another member": lambda lines: _change_seal(lines, verified=True),
    "no header": lambda lines: lines.pop(0),
    "two headers": lambda lines: lines.insert(0, lines[0]),
    "the header after an event": lambda lines: lines.insert(1, lines.pop(0)),
    "the header at the end": lambda lines: lines.append(lines.pop(0)),
    "a second header within": lambda lines: lines.insert(7, lines[0]),
    "another member in the header": lambda lines: lines.__setitem__(
        0, lines[0].replace("}", ',"seals":3}')
    ),
    "an empty line": lambda lines: lines.insert(3, "\n"),
    "all cut": lambda lines: lines.clear(),
    "not JSON": lambda lines: lines.__setitem__(5, '{"seal": 1'),
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_verify_export_refuses_a_changed_export(
    sealed: list[int], tmp_path: Path, tamper: Callable[[list[str]], object]
) -> None:
    path = _export(tmp_path)
    lines = path.read_text().splitlines(keepends=True)
    tamper(lines)
    path.write_text("".join(lines))
    code, output = _verify_export(path)

    assert code == 1
    assert output.startswith("The export does NOT match its seals: ")


def test_verify_export_refuses_an_export_of_a_changed_log(
    sealed: list[int], superuser: Session, tmp_path: Path
) -> None:
    change_event(superuser, sealed[1], "schema_version = 7")
    code, output = _verify_export(_export(tmp_path))
    assert code == 1
    assert f"from position {sealed[1]} on" in output


def test_verify_export_refuses_an_unknown_key(sealed: list[int], tmp_path: Path) -> None:
    code, output = _verify_export(_export(tmp_path), "ab" * 32)
    assert code == 1
    assert "unknown key" in output


def test_failed_export_keeps_the_old_file(
    sealed: list[int], tmp_path: Path, superuser: Session
) -> None:
    path = _export(tmp_path)
    before = path.read_bytes()
    superuser.execute("UPDATE events_seal SET statement = 'x' WHERE number = 3")
    with pytest.raises(CommandError, match="Nothing was written"):
        _run("export_events", str(path))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(CommandError, match="cannot be written"):
        _run("export_events", str(tmp_path / "no" / "folder"))


def _export(folder: Path, *options: str) -> Path:
    path = folder / "log.ndjson"
    _run("export_events", str(path), *options)
    return path


def _run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def _verify_export(path: Path, *public_keys: str) -> tuple[int, str]:
    """Run the verifier as an auditor does, without settings and database."""
    done = subprocess.run(
        [sys.executable, VERIFIER, path, *(public_keys or [keys.public_key(keys.signing_key())])],
        env={"PATH": os.environ["PATH"]},
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
