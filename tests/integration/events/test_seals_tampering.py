"""Verifying finds every change of sealed events by a superuser who disabled the triggers.

Each test fails without its protection: a column of seal.COLUMNS, or the position in the chain.
"""

import json
from typing import Final

import pytest
from django.db import connection

from payments.events.models import Event, Seal
from payments.events.seals import keys, seal, sealing, verifying
from payments.events.seals.findings import Kind
from tests.support.raw_appends import Session, insert
from tests.support.tampering import add_event, change_event, found, verify

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("small_seals"),
    pytest.mark.slow,
]

COLUMNS: Final = {
    "aggregate_type": "'paymens'",
    "aggregate_id": "overlay(aggregate_id::text placing"
    " CASE WHEN aggregate_id::text LIKE '0%' THEN '1' ELSE '0' END from 1)::uuid",
    "version": "version + 100",
    "event_type": "'payment.initiatee'",
    "schema_version": "2",
    "data": "jsonb_set(data, '{amount,minor}', '10001')",
    "metadata": """metadata || '{"a": 1}'""",
    "occurred_at": "occurred_at + interval '1 microsecond'",
    "recorded_at": "recorded_at - interval '1 microsecond'",
}
ODD: Final = {
    "a time without end": "recorded_at = 'infinity'",
    "a number with another scale": "data = jsonb_set(data, '{amount,minor}', '10000.0')",
    "a key with a null": """metadata = metadata || '{"a": null}'""",
}


def test_every_column_has_a_change() -> None:
    tried = {*COLUMNS, "position"}
    assert tried == {field.column for field in Event._meta.concrete_fields}
    assert tried == {*seal.COLUMNS, "position"}


def test_verify_finds_nothing_in_an_unchanged_log(sealed: list[int], writer: Session) -> None:
    """Gaps left by rolled-back appends are not reported. Events after the last seal are counted."""
    insert(writer)
    report = verifying.verify(keys.trusted())

    assert report.findings.total == 0
    assert (report.seals, report.events, report.unsealed) == (3, 10, 1)
    assert report.head is not None
    assert report.head.seal.last == sealed[-1]


def test_verify_ignores_the_settings_of_the_session(sealed: list[int], superuser: Session) -> None:
    """The verifier's sessions have the server's defaults, while Django's use UTC."""
    name = superuser.info.dbname
    for setting in (
        "TimeZone TO 'Asia/Tokyo'",
        "DateStyle TO 'SQL, DMY'",
        "bytea_output TO 'escape'",
    ):
        superuser.execute(f'ALTER DATABASE "{name}" SET {setting}')
    try:
        assert found() == []
    finally:
        superuser.execute(f'ALTER DATABASE "{name}" RESET ALL')


@pytest.mark.parametrize("number", [0, 5, 9])
@pytest.mark.parametrize("column", COLUMNS)
def test_verify_finds_a_change_of_any_column(
    sealed: list[int], superuser: Session, column: str, number: int
) -> None:
    position = sealed[number]
    change_event(superuser, position, f"{column} = {COLUMNS[column]}")
    assert found() == [("changed", position)]


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_verify_finds_a_change_between_equal_json_values(
    sealed: list[int], superuser: Session, change: str
) -> None:
    change_event(superuser, sealed[5], change)
    assert found() == [("changed", sealed[5])]


def test_verify_finds_a_change_with_the_same_short_digest(
    writer: Session, superuser: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digests have one byte here. Finding such a change with real digests takes centuries."""
    monkeypatch.setattr(seal, "DIGEST_BYTES", 1)
    monkeypatch.setattr(verifying, "_DIGESTS", verifying._DIGESTS.replace(", 8)", ", 1)"))
    insert(writer)
    position = insert(writer)
    assert len(list(sealing.seal_all())) == 1
    digest = Seal.objects.get().digests[1:]
    for version in range(2, 5_000):
        change_event(superuser, position, f"version = {version}")
        row = superuser.execute(
            f"SELECT {seal.LEAF} FROM events_event WHERE position = {position}"
        ).fetchone()
        assert row is not None
        if row[0][:1] == bytes(digest):
            break
    assert found() == [("changed", 1)]


@pytest.mark.parametrize("number", [0, 3, 4, 9])
def test_verify_finds_a_deleted_event(sealed: list[int], superuser: Session, number: int) -> None:
    superuser.execute("DELETE FROM events_event WHERE position = %s", [sealed[number]])
    assert found() == [("deleted", sealed[number])]


def test_verify_finds_that_all_events_were_deleted(sealed: list[int], superuser: Session) -> None:
    superuser.execute("DELETE FROM events_event")
    assert found() == [("deleted", position) for position in sealed]


def test_verify_finds_an_event_added_in_a_gap(sealed: list[int], superuser: Session) -> None:
    gap = sealed[5] + 1
    assert gap not in sealed
    add_event(superuser, gap)
    assert found() == [("added", gap)]


@pytest.mark.parametrize("below", [0, -7])
def test_verify_finds_an_event_added_before_the_first(
    sealed: list[int], superuser: Session, below: int
) -> None:
    add_event(superuser, below)
    assert found() == [("added", below)]


def test_verify_finds_an_event_added_between_two_seals(writer: Session, superuser: Session) -> None:
    """Each position between two seals belongs to the second one."""
    last = insert(writer)
    assert len(list(sealing.seal_all())) == 1
    with writer.transaction(force_rollback=True):
        insert(writer)
    insert(writer)
    assert len(list(sealing.seal_all())) == 1
    add_event(superuser, last + 1)
    assert found() == [("added", last + 1)]


def test_verify_counts_events_after_the_last_seal(sealed: list[int], superuser: Session) -> None:
    add_event(superuser, sealed[-1] + 1)
    assert found() == []
    assert "No seal covers 1 later events yet." in verify()[1]


@pytest.mark.parametrize(("one", "other"), [(4, 6), (1, 8)], ids=["in a seal", "across seals"])
def test_verify_finds_two_exchanged_events(
    sealed: list[int], superuser: Session, one: int, other: int
) -> None:
    a, b = sealed[one], sealed[other]
    for origin, goal in ((a, 1_000), (b, a), (1_000, b)):
        change_event(superuser, origin, f"position = {goal}")
    assert found() == [("reordered", a), ("reordered", b)]


@pytest.mark.parametrize("number", [4, 5, 9], ids=["over another", "by one", "between seals"])
def test_verify_finds_a_moved_event(sealed: list[int], superuser: Session, number: int) -> None:
    """The move changes a position but not the order of the events."""
    gap = sealed[5] + 1
    change_event(superuser, sealed[number], f"position = {gap}")
    assert found() == [("reordered", place) for place in sorted((gap, sealed[number]))]


def test_verify_distinguishes_all_kinds_of_change(sealed: list[int], superuser: Session) -> None:
    change_event(superuser, sealed[1], "schema_version = 7")
    superuser.execute("DELETE FROM events_event WHERE position = %s", [sealed[2]])
    add_event(superuser, sealed[5] + 1)

    code, output = verify()

    assert code == 1
    assert output.splitlines()[:3] == [
        f"position {sealed[1]} changed (seal 1)",
        f"position {sealed[2]} deleted (seal 1)",
        f"position {sealed[5] + 1} added (seal 2)",
    ]
    assert "The log does NOT match its seals: 1 changed, 1 deleted, 1 added." in output


def test_verify_prints_json(sealed: list[int], superuser: Session) -> None:
    change_event(superuser, sealed[0], "schema_version = 7")
    code, output = verify("--json")
    assert code == 1
    report = json.loads(output)
    assert report["counts"] == {"changed": 1}
    assert report["findings"] == [
        {"kind": "changed", "position": sealed[0], "seal": 1, "detail": ""}
    ]


def test_verify_counts_all_findings_and_keeps_the_first(
    writer: Session, superuser: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "MOST_EVENTS", 700)
    for _ in range(3):
        writer.execute(
            "INSERT INTO events_event (aggregate_type, aggregate_id, version, event_type,"
            " schema_version, data, metadata, occurred_at) SELECT 'payment', gen_random_uuid(), 1,"
            " 'payment.initiated', 1, '{}', '{}', now() FROM generate_series(1, 700)"
        )
    list(sealing.seal_all())
    superuser.execute("UPDATE events_event SET schema_version = 9")
    report = verifying.verify(keys.trusted(), jobs=1)
    assert dict(report.findings.counts) == {Kind.CHANGED: 2_100}
    assert len(report.findings.first) == 1_000
    positions = [each.position for each in report.findings.first]
    assert positions == sorted(positions)
    output = verify()[1]
    assert f"positions {positions[0]} to {positions[699]} changed (seal 1)" in output
    assert "... and 1,100 more." in output


@pytest.mark.parametrize("changed", [False, True], ids=["one more", "and the sealed one changed"])
def test_verify_finds_two_events_at_one_position(
    sealed: list[int], superuser: Session, *, changed: bool
) -> None:
    """The attacker drops the primary key first."""
    superuser.execute("ALTER TABLE events_event DROP CONSTRAINT events_event_pkey")
    try:
        add_event(superuser, sealed[2])
        if changed:
            change_event_of_version(superuser, sealed[2])
            assert found() == [("changed", sealed[2]), ("added", sealed[2])]
        else:
            assert found() == [("added", sealed[2])]
    finally:
        superuser.execute("DELETE FROM events_event")
        superuser.execute(
            "ALTER TABLE events_event ADD CONSTRAINT events_event_pkey PRIMARY KEY (position)"
        )


def change_event_of_version(superuser: Session, position: int) -> None:
    superuser.execute(
        f"UPDATE events_event SET schema_version = 7 + version WHERE position = {position}"
    )


def test_verify_ignores_functions_and_tables_on_the_search_path(
    sealed: list[int], superuser: Session
) -> None:
    """A superuser's schema is first on the search path of every session."""
    name = superuser.info.dbname
    superuser.execute("CREATE SCHEMA hiding")
    try:
        superuser.execute("CREATE TABLE hiding.events_event AS TABLE events_event")
        superuser.execute(
            "CREATE FUNCTION hiding.sha256(bytea) RETURNS bytea IMMUTABLE LANGUAGE sql"
            " AS $$ SELECT pg_catalog.sha256('') $$"
        )
        superuser.execute(f'ALTER DATABASE "{name}" SET search_path TO hiding, pg_catalog, public')
        change_event(superuser, sealed[4], "schema_version = 7")
        assert found() == [("changed", sealed[4])]
        connection.close()
        assert found() == [("changed", sealed[4])]
    finally:
        superuser.execute(f'ALTER DATABASE "{name}" RESET ALL')
        superuser.execute("DROP SCHEMA hiding CASCADE")
