"""A pack proves its events without the service. Each change of a pack is found and located."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import cryptography
import pytest
from django.core.management import CommandError, call_command

from payments.events.models import Event
from payments.events.seals import sealing, verify_pack
from tests.support import packs
from tests.support.backoffice import browser
from tests.support.raw_appends import Session
from tests.support.reviewing import do
from tests.support.tampering import change_event

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("small_seals"),
    pytest.mark.slow,
]


@pytest.fixture
def raw() -> bytes:
    return packs.make(packs.decided()).pack


def test_pack_has_the_events_as_stored_and_matches_its_seals(raw: bytes) -> None:
    pack, report = json.loads(raw), packs.verify(raw)

    assert (report.status, report.findings, report.unsealed) == (0, [], [])
    assert report.events == len(pack["events"]) == Event.objects.count()
    assert report.documents == 2  # the policy and the note
    for event in pack["events"]:
        stored = Event.objects.get(position=event["position"])
        columns = json.loads(event["stored"])
        assert columns[verify_pack.DATA : verify_pack.DATA + 2] == [stored.data, stored.metadata]
    assert {each["text"] for each in pack["documents"]} >= {packs.NOTE}


def test_pack_is_verified_by_python_and_cryptography_alone(raw: bytes, tmp_path: Path) -> None:
    pack = tmp_path / "pack.json"
    pack.write_bytes(raw)
    bare = _only_cryptography(tmp_path / "packages")

    code, output = _python(bare, "runpy.run_path(sys.argv[0], run_name='__main__')", pack)
    without_django, _ = _python(bare, "import django", pack)

    assert (code, without_django) == (0, 1), output
    assert output.startswith("4 of 4 events match their seals 1 to 1. 2 documents match")


def test_pack_is_verified_by_the_command_without_a_database(raw: bytes, tmp_path: Path) -> None:
    pack = tmp_path / "pack.json"
    pack.write_bytes(raw)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing",
        "SEAL_PUBLIC_KEYS": packs.public_key(),
    }

    done = subprocess.run(
        [sys.executable, "manage.py", "verify_events", "--pack", pack],
        env=environment,
        cwd=packs.VERIFIER.parents[3],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "4 of 4 events match their seals" in done.stdout


@pytest.mark.parametrize("share", [0.05, pytest.param(1.0, marks=pytest.mark.nightly)])
def test_changed_byte_is_found_and_located(raw: bytes, share: float) -> None:
    """Without the digests of the pack's parts, a change of a person's name would not be found."""
    choose = random.Random(4711)

    for at in range(len(raw)):
        if choose.random() > share:
            continue
        changed = bytearray(raw)
        changed[at] ^= 1 << choose.randrange(8)
        report = packs.verify(bytes(changed))

        assert report.status == 1, (at, raw[at - 20 : at + 20])
        member = _member(raw, at)
        assert any(member in each for each in report.findings), (member, report.findings)


@pytest.mark.parametrize("cut", [1, 2, 100])
def test_truncated_pack_is_refused(raw: bytes, cut: int) -> None:
    assert packs.verify(raw[:-cut]).status == 1
    assert packs.verify(raw + b" " * cut).status == 1


def _amount(pack: Any) -> None:
    pack["events"][0]["stored"] = pack["events"][0]["stored"].replace("1500000", "1400000", 1)


def _position(pack: Any) -> None:
    pack["events"][1]["position"] += 100


def _moved(pack: Any) -> None:
    events = pack["events"]
    events[0]["stored"], events[1]["stored"] = events[1]["stored"], events[0]["stored"]


def _without_the_second(pack: Any) -> None:
    del pack["events"][1]


def _twice(pack: Any) -> None:
    pack["events"].append(pack["events"][-1])


def _fewer(pack: Any) -> None:
    pack["about"]["version"] -= 1


def _leaf(pack: Any) -> None:
    leaves = pack["seals"][0]["leaves"]
    pack["seals"][0]["leaves"] = leaves[:63] + ("0" if leaves[63] != "0" else "1") + leaves[64:]


def _listed(pack: Any) -> None:
    pack["seals"][0]["positions"] = "1-" + pack["seals"][0]["positions"]


def _statement(pack: Any) -> None:
    seal = pack["seals"][0]
    seal["statement"] = seal["statement"].replace('"events":4', '"events":5')


def _signature(pack: Any) -> None:
    pack["seals"][0]["signature"] = "00" * 64


def _capitals(pack: Any) -> None:
    pack["seals"][0]["signature"] = pack["seals"][0]["signature"].upper()


def _note(pack: Any) -> None:
    pack["documents"][1]["text"] += "!"


def _policy(pack: Any) -> None:
    document = pack["documents"][0]
    document["text"] = document["text"].replace("80", "81", 1)


def _path(pack: Any) -> None:
    pack["documents"][1]["path"] = ["note", "note_id"]


def _other_format(pack: Any) -> None:
    pack["format"] = "payments-evidence/2"


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (_amount, "events[0].stored: version 1 of "),
        (_position, "events: they are not in the order of the log."),
        (_moved, "events[0].stored: "),
        (_without_the_second, "events: version 2 of "),
        (_twice, "events: they are not in the order of the log."),
        (_fewer, "about.version: "),
        (_leaf, "seals[0].leaves: the leaf at position "),
        (_listed, "seals[0].positions or .leaves: "),
        (_statement, "seals[0].statement or .signature: "),
        (_signature, "seals[0].statement or .signature: "),
        (_capitals, "seals[0]: this has another form"),
        (_note, "documents[1].text or .salt: "),
        (_policy, "documents[0].text or .salt: "),
        (_path, "documents[1].text or .salt: "),
        (_other_format, "format: "),
    ],
)
def test_forged_pack_is_refused_despite_new_digests(
    raw: bytes, change: Callable[[Any], None], finding: str
) -> None:
    report = packs.verify(packs.forged(raw, change))

    assert any(each.startswith(finding) for each in report.findings), report.findings


def test_pack_of_an_unknown_key_is_refused(raw: bytes) -> None:
    report = verify_pack.verify(raw, ["ab" * 32])

    assert "seals[0].statement: seal 1 has the unknown key" in report.findings[0]


def test_events_newer_than_the_last_seal_are_named_as_not_sealed(tmp_path: Path) -> None:
    payment = packs.decided()
    list(sealing.seal_all())
    do(browser(username="hal"), str(payment), "refund", amount="1.00")
    position = Event.objects.latest("position").position

    made = packs.make_unsealed(payment)

    report = packs.verify(made.pack)
    assert made.unsealed == (position,)
    assert (report.status, report.unsealed) == (verify_pack.NOT_SEALED_YET, [position])
    assert f"not proven: the events at position {position}." in " ".join(report.lines())
    assert "not sealed yet" in made.page.decode()
    path = tmp_path / "pack.json"
    path.write_bytes(made.pack)
    assert _verify_events(path)[0] == verify_pack.NOT_SEALED_YET


def test_pack_without_one_of_its_seals_or_in_another_order_is_refused() -> None:
    """Otherwise, a forger could leave out the seal of a changed event."""
    payment = packs.decided()
    do(browser(username="hal"), str(payment), "refund", amount="1.00")
    made = packs.make(payment)
    assert len(json.loads(made.pack)["seals"]) == 2

    without = packs.verify(packs.forged(made.pack, lambda pack: pack["seals"].pop(0)))
    turned = packs.verify(packs.forged(made.pack, lambda pack: pack["seals"].reverse()))

    assert any(each.startswith("events[0].position: the seal of ") for each in without.findings)
    assert turned.findings == ["seals: they are not in order."]


def test_pack_of_a_changed_log_is_refused(superuser: Session) -> None:
    payment = packs.decided()
    list(sealing.seal_all())
    position = Event.objects.earliest("position").position
    change_event(superuser, position, "occurred_at = occurred_at - interval '1 day'")

    report = packs.verify(packs.make_unsealed(payment).pack)

    assert report.status == 1
    assert "seals[0].positions or .leaves" in report.findings[0]


def test_verify_pack_reports_json_and_refuses_other_options(raw: bytes, tmp_path: Path) -> None:
    pack = tmp_path / "pack.json"
    pack.write_bytes(raw)

    code, output = _verify_events(pack, "--json")

    assert (code, json.loads(output)["findings"]) == (0, [])
    with pytest.raises(CommandError, match="--pack cannot be combined"):
        _verify_events(pack, "--against", str(pack))
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        _verify_events(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"format":1}'])
def test_file_that_is_not_a_pack_is_refused(content: bytes) -> None:
    assert packs.verify(content).status == 1


def _verify_events(pack: Path, *arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("verify_events", "--pack", str(pack), *arguments, stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def _member(raw: bytes, at: int) -> str:
    """Return the name of the member at an offset, or "" at a top-level bracket or line end."""
    begin = raw.rfind(b"\n", 0, at) + 1
    line = raw[begin : raw.find(b"\n", begin)]
    if raw[at : at + 1] == b"\n" or not line.startswith((b'"', b"{")) or line in {b"{", b"}"}:
        return ""
    if line.startswith(b"{"):
        before = raw[:begin].split(b"\n")
        line = next(each for each in reversed(before) if each.startswith(b'"'))
        return line[1:].split(b'"')[0].decode()
    name = line[1:].split(b'"')[0]
    return name.decode() if at > begin + len(name) + 2 else ""


def _only_cryptography(folder: Path) -> Path:
    """Return a folder with only the package cryptography and its dependencies."""
    folder.mkdir()
    site = Path(cryptography.__file__).parents[1]
    for name in ("cryptography", "cffi", "pycparser"):
        if (site / name).exists():
            (folder / name).symlink_to(site / name)
    for library in site.glob("_cffi_backend*"):
        (folder / library.name).symlink_to(library)
    return folder


def _python(packages: Path, code: str, pack: Path) -> tuple[int, str]:
    """Run code in a Python that has only these packages, with the verifier's arguments."""
    begin = "import runpy, sys; packages, *sys.argv = sys.argv[1:]; sys.path.append(packages)"
    done = subprocess.run(
        [
            *(sys.executable, "-I", "-S", "-c", f"{begin}; {code}"),
            *(packages, packs.VERIFIER, pack, packs.public_key()),
        ],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
