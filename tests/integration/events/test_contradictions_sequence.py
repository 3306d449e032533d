"""Sequences that were set back, altered or exhausted are refused, reported and repaired.

Each test fails without its protection: the trigger, a condition in it or in
`events_log_problems`, or the check of a batch's checkpoint.
"""

import random
import threading
import time
from contextlib import suppress

import pytest
from django.test import Client as Browser
from psycopg import Error

from payments.events.contradictions import LogContradicted
from payments.events.reading import horizon
from readmodels.engine import lag, runner
from readmodels.models import Checkpoint
from readmodels.projections import PROJECTIONS
from tests.support import tampering
from tests.support.concurrency import session
from tests.support.contradicting import (
    appended,
    check_reported_everywhere,
    check_sound,
    command,
    cut,
    refusal,
    repairs,
    set_sequence,
)
from tests.support.oracle import check_read_models
from tests.support.raw_appends import Session, insert

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.mark.parametrize("behind", [3, 40], ids=["in the gap", "far"])
def test_append_refuses_a_sequence_set_back_until_it_is_repaired(
    top: int, writer: Session, behind: int
) -> None:
    def set_back() -> None:  # before each append, as a refused one uses up a position
        set_sequence(top - behind)

    set_back()
    repair = f"setval('events_event_position_seq', {top})"
    check_reported_everywhere("sequence_behind", repair, before_append=set_back)
    set_sequence(top - 3)
    with pytest.raises(Error, match="which their sequence is behind"):
        insert(writer)  # an append by hand is refused too
    assert {each.state for each in lag.measure()} == {"ahead_of_log"}
    writer.execute(repairs("sequence_behind"))
    check_sound()


def test_append_refuses_a_sequence_that_was_not_replicated(top: int, writer: Session) -> None:
    """Logical replication does not copy sequences, so a subscriber's sequence is unused."""
    set_sequence(1, called=False)
    check_reported_everywhere("sequence_behind", f"setval('events_event_position_seq', {top})")
    writer.execute(repairs("sequence_behind"))
    check_sound()


def test_find_reports_a_sequence_behind_unread_events(top: int, writer: Session) -> None:
    Checkpoint.objects.all().delete()
    with session() as other:
        other.execute("UPDATE events_log SET sealed_number = 0, sealed_position = 0")
    set_sequence(top - 20)
    assert Browser().get("/readyz").json()["log"] == ["sequence_behind"]
    assert f"setval('events_event_position_seq', {top})" in refusal()


def test_append_refuses_a_taken_position_once(top: int) -> None:
    """The refused append takes the position, so the sequence has caught up."""
    set_sequence(top - 1)
    assert "was behind the log" in refusal()
    check_sound()


def test_find_accepts_a_sequence_set_to_the_next_position(top: int) -> None:
    set_sequence(top + 1, called=False)
    check_sound()


def test_append_refuses_a_sequence_behind_the_seals_alone(top: int, superuser: Session) -> None:
    Checkpoint.objects.all().delete()
    cut(superuser, top - 20)
    set_sequence(top - 20)
    assert f"setval('events_event_position_seq', {top})" in refusal()
    superuser.execute(repairs("sequence_behind"))
    assert appended() == top + 1
    assert ("deleted", top) in tampering.found()


@pytest.mark.parametrize(
    "change",
    ["INCREMENT BY -1", "INCREMENT BY 7", "CYCLE", "CACHE 20", "MAXVALUE 1000000", "AS integer"],
)
def test_find_reports_an_altered_sequence_and_its_repair(
    top: int, writer: Session, change: str
) -> None:
    sequence = "ALTER SEQUENCE events_event_position_seq"
    writer.execute(f"{sequence} {change}")
    try:
        assert Browser().get("/readyz").json()["log"] == ["sequence_altered"]
        _, errors, status = command("projections")
        assert status == 1
        assert "INCREMENT BY 1" in errors
    finally:
        writer.execute(repairs("sequence_altered"))
    check_sound()


@pytest.mark.parametrize("cycle", ["NO CYCLE", "CYCLE"])
def test_find_reports_an_exhausted_sequence_and_its_repair(
    top: int, writer: Session, cycle: str
) -> None:
    writer.execute(f"ALTER SEQUENCE events_event_position_seq MAXVALUE {top} {cycle}")
    try:
        check_reported_everywhere("sequence_altered", "NO MAXVALUE")
        output = command("projections")[1]
        for line in output.splitlines():  # each statement must be printed completely
            writer.execute(line.partition("Repair: ")[2])
        check_sound()
    finally:
        writer.execute("ALTER SEQUENCE events_event_position_seq NO MAXVALUE NO CYCLE")
        set_sequence(horizon.last_event())


def test_append_refuses_a_sequence_that_counts_down(top: int, writer: Session) -> None:
    writer.execute("ALTER SEQUENCE events_event_position_seq INCREMENT BY -1")
    try:
        for _ in range(6):  # past taken positions and the gap
            refusal()
    finally:
        writer.execute("ALTER SEQUENCE events_event_position_seq INCREMENT BY 1")
        writer.execute("SELECT setval('events_event_position_seq', %s)", [top])
    check_sound()


def test_no_event_is_stored_behind_a_checkpoint_while_the_sequence_is_set_back(
    top: int, writer: Session
) -> None:
    """Set the sequence back while writers and projections run.

    No append is running at that moment. It would check the checkpoint as of its start, then get a
    position from the sequence that was set back.
    """
    done = threading.Event()

    def append() -> None:
        with session() as mine:
            while not done.is_set():
                # A rollback leaves a gap. A sequence that was set back assigns its positions again.
                with suppress(Error), mine.transaction(force_rollback=random.random() < 0.5):
                    insert(mine)

    writers = [threading.Thread(target=append) for _ in range(3)]
    for each in writers:
        each.start()
    for turn in range(60):
        try:
            runner.run_batch(PROJECTIONS["event_index"])
        except LogContradicted:
            set_sequence(horizon.last_event() + 10)
        if turn % 2:
            with writer.transaction():
                writer.execute("LOCK TABLE events_event IN SHARE MODE")
                writer.execute(
                    "SELECT setval('events_event_position_seq', greatest(1, last_value - 15))"
                    " FROM events_event_position_seq"
                )
        time.sleep(0.02)
    done.set()
    for each in writers:
        each.join()
    set_sequence(horizon.last_event() + 100)
    runner.catch_up(PROJECTIONS["event_index"])
    check_read_models([PROJECTIONS["event_index"]])
