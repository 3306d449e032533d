"""Reveals: which are refused, what is recorded, and how the event is stored."""

import json
from typing import Final
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from payments.domain.reveal import (
    CustomerRevealed,
    NothingToReveal,
    PersonalField,
    Purpose,
    PurposeNeedsNote,
    RevealCustomer,
    RevealRefused,
    decide,
)
from tests.support.examples import LATER, NOON, NOTE, REVIEWER

CUSTOMER: Final = UUID("0192f000-0000-8000-8000-00000000c001")
REVEALED: Final = CustomerRevealed(
    at=NOON,
    customer_id=CUSTOMER,
    by=REVIEWER,
    fields=(PersonalField.NAME, PersonalField.REFERENCE),
    purpose=Purpose.OTHER,
    note=NOTE,
)
COMMAND: Final = RevealCustomer(
    at=NOON,
    customer_id=CUSTOMER,
    by=REVIEWER,
    fields=REVEALED.fields,
    purpose=Purpose.OTHER,
    note=NOTE,
)


def test_reveal_is_recorded_with_person_fields_and_purpose() -> None:
    assert decide(None, COMMAND) == (REVEALED,)


def test_repeated_reveal_records_nothing() -> None:
    assert decide(REVEALED, replace(COMMAND, at=LATER)) == ()


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (replace(COMMAND, note=None), PurposeNeedsNote),
        (replace(COMMAND, fields=()), NothingToReveal),
    ],
)
def test_reveal_is_refused(command: RevealCustomer, refusal: type[RevealRefused]) -> None:
    with pytest.raises(refusal):
        decide(None, command)


def test_only_the_purpose_other_needs_a_note() -> None:
    for purpose in set(Purpose) - {Purpose.OTHER}:
        assert decide(None, replace(COMMAND, purpose=purpose, note=None))


def test_stored_reveal_is_readable() -> None:
    stored = {
        "at": "2026-01-05T12:00:00Z",
        "customer_id": "0192f000-0000-8000-8000-00000000c001",
        "by": REVIEWER,
        "fields": ["name", "reference"],
        "purpose": "other",
        "note": msgspec.to_builtins(NOTE),
    }

    assert msgspec.json.decode(json.dumps(stored), type=CustomerRevealed) == REVEALED
    assert json.loads(msgspec.json.encode(REVEALED)) == stored
