"""Verifying finds every change of seals by a superuser who disabled the triggers.

Each test fails without its check in _valid_statement: the signature, the index, or the link to
the previous seal.
"""

from io import StringIO
from typing import Final

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from payments.events.seals import sealing
from tests.support.raw_appends import Session, insert
from tests.support.tampering import change_event, delete_seals, found, verify

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("small_seals"),
    pytest.mark.slow,
]

SEAL_CHANGES: Final = {
    "number": "number = 40",
    "statement": "statement = replace(statement, '\"events\":4', '\"events\":3')",
    "statement unreadable": "statement = 'x'",
    "statement with an invalid hash": 'statement = replace(statement, \'"chain":"\', \'"chain":"x\')',
    "positions": "positions = positions || ' 99'",
    "digests": "digests = set_byte(digests, 9, (get_byte(digests, 9) + 1) % 256)",
    "signature": "signature = set_byte(signature, 9, (get_byte(signature, 9) + 1) % 256)",
    "no signature": "signature = ''",
}


@pytest.mark.parametrize("change", SEAL_CHANGES.values(), ids=SEAL_CHANGES)
def test_verify_finds_a_changed_seal(sealed: list[int], superuser: Session, change: str) -> None:
    superuser.execute(f"UPDATE events_seal SET {change} WHERE number = 2")
    first = found()[0]

    assert first[0] in {"seal broken", "seal missing"}
    assert first[1] == sealed[3] + 1
    assert verify()[0] == 1


def test_verify_finds_another_number_of_the_last_seal(
    sealed: list[int], superuser: Session
) -> None:
    superuser.execute("UPDATE events_seal SET number = 5 WHERE number = 3")
    assert found() == [("seal missing", sealed[7] + 1), ("seal broken", sealed[7] + 1)]


def test_verify_finds_a_seal_in_the_place_of_another(sealed: list[int], superuser: Session) -> None:
    superuser.execute(
        "UPDATE events_seal AS here SET statement = there.statement, positions = there.positions,"
        " digests = there.digests, signature = there.signature"
        " FROM events_seal AS there WHERE here.number = 2 AND there.number = 1"
    )
    assert found() == [("seal broken", sealed[3] + 1)]


@pytest.mark.parametrize("number", [1, 2])
def test_verify_finds_a_deleted_seal(sealed: list[int], superuser: Session, number: int) -> None:
    superuser.execute("DELETE FROM events_seal WHERE number = %s", [number])
    assert found() == [("seal missing", 1 if number == 1 else sealed[3] + 1)]


def test_verify_finds_a_seal_of_another_branch(sealed: list[int], superuser: Session) -> None:
    """Both seals are signed, but one does not follow the other."""
    old = superuser.execute("SELECT * FROM events_seal WHERE number = 3").fetchone()
    delete_seals(superuser, "number > 1")
    change_event(superuser, sealed[4], "schema_version = 7")
    assert len(list(sealing.seal_all())) == 2
    assert found() == []
    superuser.execute("DELETE FROM events_seal WHERE number = 3")
    superuser.execute("INSERT INTO events_seal VALUES (%s, %s, %s, %s, %s)", old)
    assert found() == [("seal broken", sealed[7] + 1)]


def test_seal_events_refuses_to_continue_a_damaged_seal(
    sealed: list[int], writer: Session, superuser: Session
) -> None:
    insert(writer)
    for change in ("statement = 'x'", "number = 7"):
        superuser.execute(f"UPDATE events_seal SET {change} WHERE number = 3")
        with pytest.raises(CommandError, match="was changed: see `./manage.py verify_events`"):
            call_command("seal_events", stdout=StringIO())
        superuser.execute("UPDATE events_seal SET number = 3 WHERE number = 7")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events_seal SET number = 7",
        "DELETE FROM events_seal WHERE false",
        "TRUNCATE events_seal",
    ],
)
def test_triggers_refuse_changes_of_seals(sealed: list[int], statement: str) -> None:
    with pytest.raises(DatabaseError, match="events_seal is append-only"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(statement)
