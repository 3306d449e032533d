"""Verify an evidence pack. This needs only Python and the package `cryptography`.

    python verify_pack.py PACK PUBLIC_KEY [PUBLIC_KEY...]

A pack is one JSON document. It has one line for each member, and for each item of a list. This must hold:

- "events" are in the order of the log, and those of the stream "about.stream" have the versions 1 to
  "about.version". The leaf of an event is the SHA-256 of "stored", its columns as the log stores them.
- "seals" are the seals of these events. The key of "statement" is one of the given keys, and
  "signature" is its Ed25519 signature of the text. "leaves" has the leaf of each event that the
  seal covers, even if the event is not in the pack. "positions" has their positions, such as
  "1-4711 4713".
- The chain of a statement is the SHA-256 of the chain before it ("previous"), followed by the position
  (8 bytes, big-endian) and the leaf of each event. Its index is the SHA-256 of "positions", a newline and
  the first 8 bytes of each leaf.
- "documents" are texts that the events name by a hash: the SHA-256 of "salt" and "text" is the value at
  "path" in the data of the event at "position".
- "digests" has the SHA-256 of every other member, as compact JSON.

The seals prove events and documents. The other members are statements of the service that made the pack:
compare the SHA-256 of the file with the one that the service recorded.

Exit status: 0 if everything matches, 1 if not, 3 if everything matches but some events have no seal yet.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "payments-evidence/1"
MEMBERS = ("format", "about", "events", "seals", "documents", "people", "decisions", "digests")
COLUMNS = 9
# Indexes in the JSON array that the log stores for an event.
AGGREGATE_ID, VERSION, DATA = 1, 2, 5
LEAF_BYTES = 32
SHORT_BYTES = 8
NOT_SEALED_YET = 3

_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)


@dataclass
class Report:
    """The result. Each finding begins with the member of the pack that is wrong."""

    sha256: str
    events: int = 0
    seals: list[int] = field(default_factory=list)
    documents: int = 0
    unsealed: list[int] = field(default_factory=list)  # positions
    findings: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status."""
        if self.findings:
            return 1
        return NOT_SEALED_YET if self.unsealed else 0

    def lines(self) -> Iterator[str]:
        """Yield the result as lines of text for people."""
        yield from self.findings
        if self.findings:
            yield "The pack does NOT match its seals and digests."
        else:
            seals = f" {self.seals[0]} to {self.seals[-1]}" if self.seals else ""
            yield (
                f"{self.events - len(self.unsealed)} of {self.events} events match their seals{seals}."
                f" {self.documents} documents match the events."
            )
        if self.unsealed:
            positions = ", ".join(map(str, self.unsealed))
            yield f"Not sealed yet, so not proven: the events at position {positions}."
        yield f"SHA-256 of the file, to compare with the record of the export: {self.sha256}"


def compact(value: object) -> str:
    """Return the value as the pack writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def digest(value: object) -> str:
    return hashlib.sha256(compact(value).encode()).hexdigest()


def render(pack: dict[str, Any]) -> bytes:
    """Return the pack as a file: one line for each member, and for each item of a list."""
    lines = []
    for name, value in pack.items():
        written = compact(value)
        if isinstance(value, list):
            written = "[\n" + ",\n".join(map(compact, value)) + "\n]"
        lines.append(f"{compact(name)}:{written}")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def verify(raw: bytes, keys: list[str]) -> Report:
    """Verify the pack, and locate each difference."""
    report = Report(hashlib.sha256(raw).hexdigest())
    pack = _read(raw, report)
    if pack is None:
        return report
    sealed = _Sealed(pack, keys, report)
    for number, event in enumerate(pack["events"]):
        _guarded(report, f"events[{number}]", sealed.check_event, number, event)
    _guarded(report, "events", _check_order, pack, report)
    for number, document in enumerate(pack["documents"]):
        _guarded(report, f"documents[{number}]", _check_document, number, document, pack, report)
    for name in MEMBERS[:-1]:
        is_located = any(each.startswith(name) for each in report.findings)
        if pack["digests"].get(name) != digest(pack[name]) and not is_located:
            report.findings.append(
                f"{name}: differs from its digest, or digests.{name} was changed."
            )
    report.events = len(pack["events"])
    report.documents = len(pack["documents"])
    return report


def _read(raw: bytes, report: Report) -> dict[str, Any] | None:
    """Return the members of a pack. If they cannot be read, add a finding and return None."""
    try:
        text = raw.decode()
        pack = json.loads(text)
    except UnicodeDecodeError as error:
        report.findings.append(f"{_place(raw, error.start)}: this is not UTF-8.")
        return None
    except json.JSONDecodeError as error:
        at = len(text[: error.pos].encode())
        report.findings.append(f"{_place(raw, at)}: this is not JSON ({error.msg}).")
        return None
    except (RecursionError, ValueError) as error:
        report.findings.append(f"This is not JSON ({error}).")
        return None
    if not isinstance(pack, dict) or pack.get("format") != FORMAT:
        report.findings.append(f"format: this is not an evidence pack of the format {FORMAT}.")
        return None
    if tuple(pack) != MEMBERS:
        named = next((name for name in pack if name not in MEMBERS), "")
        missing = ", ".join(name for name in MEMBERS if name not in pack)
        report.findings.append(
            f"{named or missing or 'members'}: the members must be {', '.join(MEMBERS)}."
        )
        return None
    for name, kind in zip(MEMBERS, (str, dict, list, list, list, dict, list, dict), strict=True):
        if not isinstance(pack[name], kind):
            report.findings.append(f"{name}: this has another type.")
            return None
    written = _rendered(pack)
    if written != raw:
        pairs = enumerate(zip(raw, written, strict=False))
        at = next((at for at, (a, b) in pairs if a != b), min(len(raw), len(written)))
        report.findings.append(f"{_place(raw, at)}: this is not in the format of a pack.")
        return None
    if tuple(pack["digests"]) != MEMBERS[:-1]:
        report.findings.append("digests: one of the members is missing, or another one was added.")
    return pack


def _rendered(pack: dict[str, Any]) -> bytes:
    try:
        return render(pack)
    except UnicodeEncodeError:  # an escaped half of a surrogate pair
        return b""


def _place(raw: bytes, at: int) -> str:
    """Return the pack's member, and the index of the list item in it, at an offset of the file."""
    member, item = "beginning of the file", -1
    for line in (raw[:at] + b"\n").splitlines():
        name, found, _ = line.partition(b'":')
        if found and name.startswith(b'"'):
            member, item = name[1:].decode(errors="replace"), -1
        elif line.startswith(b"{") and line != b"{":
            item += 1
    return f"{member}[{item}], byte {at}" if item >= 0 else f"{member}, byte {at}"


def _guarded(report: Report, place: str, check: Any, *arguments: Any) -> None:
    """Run the check, and report a malformed member as a finding."""
    try:
        check(*arguments)
    except _UNREADABLE as error:
        report.findings.append(f"{place}: this has another form ({type(error).__name__}: {error}).")


def _unhex(text: str) -> bytes:
    octets = bytes.fromhex(text)
    if octets.hex() != text:
        raise ValueError("hexadecimal digits must be in lower case, without spaces")
    return octets


def _positions(text: str) -> list[int]:
    """Return the positions of a text such as "1-4711 4713"."""
    found: list[int] = []
    for part in text.split(" "):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


@dataclass
class _Seal:
    """A seal with a valid signature. `leaves` are by position, and proven if `matches` is set."""

    place: str
    number: int
    first: int
    last: int
    leaves: dict[int, bytes]
    matches: bool


class _Sealed:
    """The seals of a pack, which prove its events."""

    def __init__(self, pack: dict[str, Any], keys: list[str], report: Report) -> None:
        self._report = report
        self._seals: list[_Seal] = []
        self._computed: dict[int, bytes] = {}
        for event in pack["events"]:
            try:
                leaf = hashlib.sha256(event["stored"].encode()).digest()
                self._computed[event["position"]] = leaf
            except _UNREADABLE:
                continue  # `check_event` reports it
        for number, seal in enumerate(pack["seals"]):
            place = f"seals[{number}]"
            _guarded(report, place, self._add, place, seal, keys)
        numbers = [seal.number for seal in self._seals]
        if sorted(set(numbers)) != numbers:
            report.findings.append("seals: they are not in order.")
        report.seals = numbers

    def check_event(self, number: int, event: dict[str, Any]) -> None:
        place = f"events[{number}]"
        if list(event) != ["position", "stored"] or type(event["position"]) is not int:
            raise ValueError('an event has "position" and "stored"')
        position, columns = event["position"], json.loads(event["stored"])
        if len(columns) != COLUMNS:
            raise ValueError(f"an event has {COLUMNS} columns")
        name = f"version {columns[VERSION]} of {columns[AGGREGATE_ID]} at position {position}"
        seal = next((each for each in self._seals if each.first <= position <= each.last), None)
        if seal is None:
            if any(position < each.first for each in self._seals):
                self._report.findings.append(f"{place}.position: the seal of {name} is missing.")
            else:
                self._report.unsealed.append(position)
        elif position not in seal.leaves:
            self._report.findings.append(
                f"{place}.position: seal {seal.number} covers no event at position {position}."
            )
        elif seal.matches and seal.leaves[position] != self._computed[position]:
            self._report.findings.append(
                f"{place}.stored: {name} differs from the event in seal {seal.number}."
            )

    def _add(self, place: str, seal: dict[str, Any], keys: list[str]) -> None:
        if list(seal) != ["statement", "positions", "leaves", "signature"]:
            raise ValueError("a seal has a statement, positions, leaves and a signature")
        statement = json.loads(seal["statement"])
        name, findings = f"seal {statement['number']}", self._report.findings
        if statement["key"] not in keys:
            findings.append(f"{place}.statement: {name} has the unknown key {statement['key']}.")
            return
        try:
            Ed25519PublicKey.from_public_bytes(_unhex(statement["key"])).verify(
                _unhex(seal["signature"]), seal["statement"].encode()
            )
        except InvalidSignature:
            findings.append(
                f"{place}.statement or .signature: {name} does not match its signature."
            )
            return
        octets = _unhex(seal["leaves"])
        leaves = [octets[at : at + LEAF_BYTES] for at in range(0, len(octets), LEAF_BYTES)]
        short = b"".join(leaf[:SHORT_BYTES] for leaf in leaves)
        index = hashlib.sha256(seal["positions"].encode() + b"\n" + short).hexdigest()
        if index != statement["index"]:
            findings.append(f"{place}.positions or .leaves: {name} states others.")
            return
        # Expand the positions only after the check, because a forged text may name billions of
        # them.
        found = dict(zip(_positions(seal["positions"]), leaves, strict=True))
        matches = _chain(statement["previous"], found) == statement["chain"]
        if not matches:
            findings.append(f"{place}.leaves: {self._changed_leaf(statement, found)}")
        self._seals.append(
            _Seal(place, statement["number"], statement["first"], statement["last"], found, matches)
        )

    def _changed_leaf(self, statement: dict[str, Any], leaves: dict[int, bytes]) -> str:
        own = {at: self._computed[at] for at in leaves if at in self._computed}
        if _chain(statement["previous"], leaves | own) == statement["chain"]:
            changed = ", ".join(str(at) for at, leaf in own.items() if leaves[at] != leaf)
            return f"the leaf at position {changed} differs from seal {statement['number']}."
        return f"a leaf differs from seal {statement['number']}."


def _chain(previous: str, leaves: dict[int, bytes]) -> str:
    running = hashlib.sha256(_unhex(previous))
    for position, leaf in leaves.items():
        running.update(position.to_bytes(8, "big") + leaf)
    return running.hexdigest()


def _check_order(pack: dict[str, Any], report: Report) -> None:
    about, positions = pack["about"], [event["position"] for event in pack["events"]]
    if sorted(set(positions)) != positions:
        report.findings.append("events: they are not in the order of the log.")
    columns = [json.loads(event["stored"]) for event in pack["events"]]
    versions = [each[VERSION] for each in columns if each[AGGREGATE_ID] == about["stream"]]
    # Report only the first missing version, because a forged pack may claim any number of them.
    present = set(versions)
    missing = next((each for each in range(1, about["version"] + 1) if each not in present), None)
    if missing is not None:
        report.findings.append(f"events: version {missing} of {about['stream']} is missing.")
    if len(versions) > about["version"]:
        report.findings.append(f"about.version: {about['stream']} has {len(versions)} events.")


def _check_document(
    number: int, document: dict[str, Any], pack: dict[str, Any], report: Report
) -> None:
    place = f"documents[{number}]"
    if list(document) != ["position", "path", "salt", "text"]:
        raise ValueError("a document has a position, a path, a salt and a text")
    event = next((e for e in pack["events"] if e["position"] == document["position"]), None)
    if event is None:
        report.findings.append(f"{place}.position: no event of the pack has this position.")
        return
    recorded = json.loads(event["stored"])[DATA]
    try:
        for key in document["path"]:
            recorded = recorded[key]
    except _UNREADABLE:
        report.findings.append(f"{place}.path: the event at this position has no such field.")
        return
    octets = _unhex(document["salt"]) + document["text"].encode()
    if hashlib.sha256(octets).hexdigest() != recorded:
        report.findings.append(f"{place}.text or .salt: the event has another hash.")


if __name__ == "__main__":
    if len(sys.argv) < 3:  # noqa: PLR2004
        sys.exit(__doc__)
    try:
        result = verify(Path(sys.argv[1]).read_bytes(), [key.lower() for key in sys.argv[2:]])
    except OSError as unreadable:
        sys.exit(f"{sys.argv[1]} cannot be read: {unreadable.strerror}.")
    for line in result.lines():
        print(line)
    sys.exit(result.status)
