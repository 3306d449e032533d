"""The differences that a verification finds, by the kind of change that explains them."""

from collections import Counter
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

_MOST: Final = 1_000


class Kind(StrEnum):
    """A kind of difference.

    `cut` and `rewritten` are found only with a head that was kept elsewhere. Events that are
    `unsealed` for long, or were sealed `late`, may have been changed unnoticed.
    """

    CHANGED = "changed"
    DELETED = "deleted"
    ADDED = "added"
    REORDERED = "reordered"
    SEAL_MISSING = "seal missing"
    SEAL_BROKEN = "seal broken"
    CUT = "cut"
    REWRITTEN = "rewritten"
    UNSEALED = "unsealed"
    LATE = "late"


class Finding(Struct, frozen=True, kw_only=True):
    """A difference at one position, or from one position on.

    `sealed` and `stored` are the short digests of the sealed and the stored event, None if there is none.
    """

    kind: Kind
    position: int
    seal: int
    detail: str = ""
    sealed: bytes | None = None
    stored: bytes | None = None


class Findings:
    """The first findings in the order of the log, and the number of each kind."""

    def __init__(self) -> None:
        self.first: list[Finding] = []
        self.counts: Counter[Kind] = Counter()

    @property
    def total(self) -> int:
        return self.counts.total()

    def add(self, finding: Finding) -> None:
        self.counts[finding.kind] += 1
        if len(self.first) < _MOST:
            self.first.append(finding)

    def extend(self, later: "Findings") -> None:
        self.counts += later.counts
        self.first += later.first[: _MOST - len(self.first)]

    def recognize_moved(self) -> None:
        """Mark an event among the first findings as reordered if it was sealed at another position.

        A digest identifies its event, because two events differ in aggregate or version.
        """
        sealed_at = {each.sealed: each.position for each in self.first if each.sealed}
        stored_at = {each.stored: each.position for each in self.first if each.stored}
        for number, each in enumerate(self.first):
            if each.stored and (origin := sealed_at.get(each.stored)) is not None:
                detail = f"this event was sealed at {origin}"
            elif each.sealed and (place := stored_at.get(each.sealed)) is not None:
                detail = f"the sealed event is now at {place}"
            else:
                continue
            self.counts[each.kind] -= 1
            self.counts[Kind.REORDERED] += 1
            self.first[number] = msgspec.structs.replace(each, kind=Kind.REORDERED, detail=detail)
        self.counts = +self.counts
