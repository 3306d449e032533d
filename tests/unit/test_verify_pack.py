"""The verifier of evidence packs, with a log of two seals, a gap and events of other streams."""

import hashlib
import json
import random
from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from payments.events.seals import verify_pack

KEY: Final = Ed25519PrivateKey.from_private_bytes(b"\xde" * 32)
PUBLIC: Final = KEY.public_key().public_bytes_raw().hex()
STREAM: Final = "0192f000-0000-5000-8000-00000000a001"
NOTE: Final = "Called back: it is “fine”. שלום"
GAP: Final = 8


def _stored(version: int, data: dict[str, Any]) -> str:
    columns = ["payment", STREAM, version, "payment.noted", 1, data, {"actor": "staff:2"}, 1, 2]
    return json.dumps(columns, ensure_ascii=False)


EVENTS: Final = {
    3: _stored(1, {"amount": 1_500_000}),
    5: _stored(2, {"note": {"digest": hashlib.sha256(b"\xaa" + NOTE.encode()).hexdigest()}}),
    9: _stored(3, {}),
}


def _leaf(position: int) -> bytes:
    return hashlib.sha256(EVENTS.get(position, f"another event at {position}").encode()).digest()


def _seal(number: int, first: int, previous: str, positions: Iterable[int]) -> tuple[Any, str]:
    """Return a seal and its hash in the chain."""
    covered = {position: _leaf(position) for position in positions}
    chain = hashlib.sha256(bytes.fromhex(previous))
    for position, leaf in covered.items():
        chain.update(position.to_bytes(8, "big") + leaf)
    listed = " ".join(map(str, covered))
    short = b"".join(leaf[:8] for leaf in covered.values())
    statement = json.dumps(
        {
            "number": number,
            "first": first,
            "last": max(covered),
            "events": len(covered),
            "index": hashlib.sha256(listed.encode() + b"\n" + short).hexdigest(),
            "previous": previous,
            "chain": chain.hexdigest(),
            "key": PUBLIC,
        }
    )
    seal = {
        "statement": statement,
        "positions": listed,
        "leaves": b"".join(covered.values()).hex(),
        "signature": KEY.sign(statement.encode()).hex(),
    }
    return seal, chain.hexdigest()


def _pack(change: Callable[[Any], None] = lambda _: None) -> bytes:
    """Return a pack after a change, with digests that match the changed content."""
    first, chain = _seal(1, 1, "00" * 32, [1, 3, 4, 5])
    second, _ = _seal(2, 6, chain, [6, 7, 9])
    pack: dict[str, Any] = {
        "format": verify_pack.FORMAT,
        "about": {"stream": STREAM, "version": 3, "made_by": "staff:1"},
        "events": [{"position": at, "stored": stored} for at, stored in EVENTS.items()],
        "seals": [first, second],
        "documents": [{"position": 5, "path": ["note", "digest"], "salt": "aa", "text": NOTE}],
        "people": {"staff:2": "Grace"},
        "decisions": [],
    }
    change(pack)
    pack["digests"] = {name: verify_pack.digest(value) for name, value in pack.items()}
    return verify_pack.render(pack)


def _verify(raw: bytes) -> verify_pack.Report:
    return verify_pack.verify(raw, [PUBLIC])


def test_pack_over_two_seals_with_foreign_events_matches() -> None:
    report = _verify(_pack())

    assert (report.status, report.findings, report.seals) == (0, [], [1, 2])


def test_event_at_a_position_that_was_rolled_back_is_refused() -> None:
    """No seal covers the position, although it is before the end of the last seal."""
    raw = _pack(lambda pack: pack["events"][2].update(position=GAP))

    assert "events[2].position: seal 2 covers no event at position 8." in _verify(raw).findings


def test_leaf_of_another_event_beyond_its_short_digest_is_refused() -> None:
    """A seal's index has only the first eight bytes of each leaf."""

    def change(pack: Any) -> None:
        leaves = pack["seals"][0]["leaves"]
        pack["seals"][0]["leaves"] = leaves[:63] + ("0" if leaves[63] != "0" else "1") + leaves[64:]

    assert "seals[0].leaves: a leaf differs from seal 1." in _verify(_pack(change)).findings


def test_each_changed_byte_is_found() -> None:
    raw, choose = _pack(), random.Random(14)

    for at in choose.sample(range(len(raw)), 400):
        changed = bytearray(raw)
        changed[at] ^= 1 << choose.randrange(8)
        assert _verify(bytes(changed)).status == 1, raw[max(0, at - 20) : at + 20]


@pytest.mark.parametrize("item", ["events[0]", "seals[1]", "documents[0]"])
def test_item_with_another_member_is_refused(item: str) -> None:
    """Otherwise, readers could think that the seal proves the added member."""
    name, number = item.removesuffix("]").split("[")

    report = _verify(_pack(lambda pack: pack[name][int(number)].update(comment="Approved by hand")))

    assert report.findings[0].startswith(f"{item}: this has another form")


def test_event_with_another_column_is_refused() -> None:
    def change(pack: Any) -> None:
        pack["events"][0]["stored"] = pack["events"][0]["stored"][:-1] + ", 3]"

    assert "events[0]: this has another form (ValueError: an event has 9 columns)." in (
        _verify(_pack(change)).findings
    )


def test_digest_of_no_member_is_refused() -> None:
    pack = json.loads(_pack())
    pack["digests"]["comment"] = ""

    report = _verify(verify_pack.render(pack))

    assert report.findings == ["digests: one of the members is missing, or another one was added."]


@pytest.mark.parametrize("name", verify_pack.MEMBERS)
def test_pack_without_one_of_its_members_is_refused(name: str) -> None:
    pack = json.loads(_pack())
    del pack[name]

    report = _verify(verify_pack.render(pack))

    assert report.findings[0].startswith(name)
