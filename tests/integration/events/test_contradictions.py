"""Partial restores of sequence, log, read models or seals are refused, reported and repaired.

Each test was seen to fail without its protection: the trigger, a condition of it or of
`events_log_problems`, or the check of a batch's checkpoint.
"""

import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from typing import Any, Final
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse
from psycopg import Error

from payments.aggregates import PAYMENT_AGGREGATE
from payments.clients.models import Client
from payments.events import store, tasks as sealing_tasks
from payments.events.contradictions import LogContradicted, find
from payments.events.metadata import Metadata
from payments.events.models import Event
from payments.events.reading import horizon
from payments.events.seals import sealing
from payments.traffic import history
from readmodels import tasks
from readmodels.engine import lag, runner
from readmodels.models import Checkpoint, PaymentSummary
from readmodels.projections import PROJECTIONS
from tests.support import tampering
from tests.support.api import RISKY, ApiClient, body_of, project
from tests.support.backoffice import browser, text
from tests.support.concurrency import session
from tests.support.examples import initiated
from tests.support.oracle import check_read_models
from tests.support.raw_appends import Session, insert

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

BY_TEST: Final = Metadata(actor="system:test", command="process_payment")


@pytest.fixture
def top(writer: Session) -> int:
    """Return the last position of a log that is projected and sealed, with a gap before it."""
    history.write(Client.objects.create(name="Old").pk, events=60, seed=1)
    with writer.transaction(force_rollback=True):
        for _ in range(3):
            insert(writer)
    insert(writer)
    project()
    list(sealing.seal_all())
    return horizon.last_event()


def set_sequence(value: int, *, called: bool = True) -> None:
    with session() as other:
        other.execute("SELECT setval('events_event_position_seq', %s, %s)", [value, called])


def cut(superuser: Session, position: int) -> None:
    superuser.execute("DELETE FROM events_event WHERE position > %s", [position])


def appended() -> int:
    return store.append(PAYMENT_AGGREGATE, uuid4(), [initiated()], expected=0, metadata=BY_TEST)


def refusal(append: Callable[[], object] = appended) -> str:
    before = Event.objects.count()
    with pytest.raises(LogContradicted) as refused:
        append()
    assert Event.objects.count() == before
    return str(refused.value)


def check_reported_everywhere(
    code: str, repair: str, *, before_append: Callable[[], object] = lambda: None
) -> None:
    ready = Browser().get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert code in ready.json()["log"]
    output, errors, status = command("projections")
    assert status == 1
    assert repair in errors
    assert "Last assigned position" in output
    output, _, status = command("verify_events")
    assert status == 1
    assert repair in output
    _, _, status = command("verify_events", "--json")
    assert status == 1
    before_append()
    assert repair in refusal()
    before_append()
    assert "payments_log_contradictions 0" not in Browser().get("/metrics").content.decode()
    answer = ApiClient().submit()
    assert (answer.status_code, body_of(answer)["code"]) == (503, "log_contradicted")
    assert answer["Retry-After"] == "60"


def command(*arguments: str) -> tuple[str, str, int]:
    out, err = StringIO(), StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        return out.getvalue(), err.getvalue(), int(ended.code or 0)
    except CommandError as error:
        return out.getvalue(), str(error), 1
    return out.getvalue(), err.getvalue(), 0


def check_sound() -> None:
    assert find() == []
    position = appended()
    assert position > max(Checkpoint.objects.values_list("position", flat=True), default=0)
    project()
    check_read_models()
    assert {each.state for each in lag.measure()} == {"current"}
    assert Browser().get("/readyz").status_code == 200
    assert command("projections")[2] == 0
    answer = ApiClient().submit()
    assert answer.status_code == 201


def repairs(code: str) -> str:
    (repair,) = [each.repair for each in find() if each.code == code]
    return repair


@pytest.mark.parametrize("behind", [3, 40], ids=["in the gap", "far"])
def test_append_refuses_a_sequence_set_back_until_it_is_repaired(
    top: int, writer: Session, behind: int
) -> None:
    def set_back() -> None:  # each refused append uses up a position
        set_sequence(top - behind)

    set_back()
    repair = f"setval('events_event_position_seq', {top})"
    check_reported_everywhere("sequence_behind", repair, before_append=set_back)
    set_sequence(top - 3)
    with pytest.raises(Error, match="which their sequence is behind"):
        insert(writer)  # also by hand
    assert {each.state for each in lag.measure()} == {"ahead_of_log"}
    writer.execute(repairs("sequence_behind"))
    check_sound()


def test_append_refuses_a_sequence_that_was_not_replicated(top: int, writer: Session) -> None:
    """Logical replication copies no sequences: those of a subscriber are unused."""
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


@pytest.mark.parametrize("sequence_too", [True, False], ids=["sequence older", "sequence newer"])
def test_append_refuses_a_log_behind_its_checkpoints_until_it_is_repaired(
    top: int, superuser: Session, *, sequence_too: bool
) -> None:
    kept = top - 20
    cut(superuser, kept)
    if sequence_too:
        set_sequence(kept)
    check_reported_everywhere("log_behind", "manage.py rebuild_projections payment_summary")
    assert {each.state for each in lag.measure()} == {"ahead_of_log"}
    for projection in PROJECTIONS.values():
        with pytest.raises(LogContradicted):
            runner.run_batch(projection)
    if sequence_too:
        refused = command("rebuild_projections")
        assert refused[2] == 1
        assert "setval" in refused[1]
        with session() as other:
            other.execute(repairs("sequence_behind"))
        # No checkpoint is ahead any more, but a log that has lost events still refuses appends.
        assert "rebuild_projections" in refusal()
    assert command("projections", "--check")[2] == 2
    assert command("projections", "--check", "--sample", "10")[2] != 0
    assert command("rebuild_projections", "--as-of", "2026-01-01")[2] == 1
    assert command("rebuild_projections")[2] == 0
    assert set(Checkpoint.objects.values_list("position", flat=True)) == {horizon.last_event()}
    check_read_models()
    check_sound()
    assert Event.objects.latest("position").position > top


def test_rebuild_of_one_projection_does_not_repair_the_others(top: int, superuser: Session) -> None:
    cut(superuser, top - 20)
    assert command("rebuild_projections", "payment_summary")[2] == 0
    states = {each.name: each.state for each in lag.measure()}
    assert states.pop("payment_summary") == "current"
    assert set(states.values()) == {"ahead_of_log"}
    assert "rebuild_projections event_index" in refusal()


def test_read_models_older_than_the_log_catch_up(top: int) -> None:
    """Read models may be empty, or restored from an older backup."""
    with session() as other:
        for table in ("checkpoint", "paymentsummary", "dailystatistics", "customeractivity"):
            other.execute(f"TRUNCATE readmodels_{table}")
        other.execute("TRUNCATE readmodels_eventindex")
    assert find() == []
    check_sound()
    assert PaymentSummary.objects.count() > 20


def test_append_refuses_a_sequence_behind_the_seals_alone(top: int, superuser: Session) -> None:
    Checkpoint.objects.all().delete()
    cut(superuser, top - 20)
    set_sequence(top - 20)
    assert f"setval('events_event_position_seq', {top})" in refusal()
    superuser.execute(repairs("sequence_behind"))
    assert appended() == top + 1
    assert ("deleted", top) in tampering.found()


def test_append_and_seal_refuse_deleted_seals(
    top: int, superuser: Session, caplog: pytest.LogCaptureFixture
) -> None:
    kept = superuser.execute("SELECT * FROM events_seal").fetchall()
    superuser.execute("DELETE FROM events_seal")
    check_reported_everywhere("seals_missing", "Restore the table events_seal")
    sealing_tasks.seal()
    assert "which is missing" in caplog.text
    assert superuser.execute("SELECT count(*) FROM events_seal").fetchone() == (0,)
    for row in kept:
        superuser.execute("INSERT INTO events_seal VALUES (%s, %s, %s, %s, %s)", row)
    check_sound()


@pytest.mark.parametrize("seals_too", [True, False], ids=["seals restored after it", "seals kept"])
def test_log_without_identity_takes_the_identity_of_its_seals(
    top: int, superuser: Session, *, seals_too: bool
) -> None:
    """A restore without the table events_log has this effect."""
    kept = superuser.execute("SELECT * FROM events_seal").fetchall()
    superuser.execute("DELETE FROM events_log")
    if seals_too:
        superuser.execute("DELETE FROM events_seal")
        with session() as restoring:
            for row in kept:
                restoring.execute("INSERT INTO events_seal VALUES (%s, %s, %s, %s, %s)", row)
    appended()
    assert len(list(sealing.seal_all())) == 1
    assert tampering.found() == []
    check_sound()


def test_repair_statement_gives_up_lost_seals(top: int, superuser: Session) -> None:
    superuser.execute("DELETE FROM events_seal")
    superuser.execute(repairs("seals_missing").partition("lost: ")[2])
    check_sound()


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
        for line in output.splitlines():  # the whole statement, as printed
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
    """The sequence is set back while writers and projections run."""
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


def test_append_streams_refuses_an_import_as_a_whole(top: int) -> None:
    set_sequence(top - 20)
    streams = [store.Append(uuid4(), (initiated(),), BY_TEST) for _ in range(3)]
    assert "setval" in refusal(lambda: store.append_streams(PAYMENT_AGGREGATE, streams))


def test_worker_logs_a_contradiction_once(top: int, caplog: pytest.LogCaptureFixture) -> None:
    set_sequence(top - 3)
    for _ in range(3):
        tasks.project_all()
    stalled = [each for each in caplog.messages if "payment_summary is stalled" in each]
    assert len(stalled) == 1
    assert f"setval('events_event_position_seq', {top})" in stalled[0]
    assert set(Checkpoint.objects.values_list("error", flat=True)) == {""}
    set_sequence(top)


def test_refused_requests_log_a_contradiction_once(
    top: int, caplog: pytest.LogCaptureFixture
) -> None:
    set_sequence(top - 20)
    acme = ApiClient()
    for _ in range(3):
        assert acme.submit().status_code == 503
    logged = [each for each in caplog.records if "setval" in each.getMessage()]
    assert len(logged) == 1
    assert (logged[0].levelname, logged[0].exc_info) == ("ERROR", None)
    set_sequence(top)


def test_refused_append_keeps_the_transaction_usable(top: int) -> None:
    set_sequence(top - 3)
    with transaction.atomic():
        refusal()
        assert Client.objects.filter(name="Old").exists()
    set_sequence(top)


def test_json_report_names_the_contradiction(top: int) -> None:
    set_sequence(top - 3)
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("verify_events", "--json", stdout=out)
    found: list[dict[str, Any]] = json.loads(out.getvalue())["contradictions"]
    assert [each["code"] for each in found] == ["sequence_behind"]
    set_sequence(top)


def test_outage_page_reports_a_contradiction_of_the_log(top: int) -> None:
    assert ApiClient().submit(**RISKY).status_code == 201
    project()
    last = horizon.last_event()
    set_sequence(last - 3)
    answer = browser().post(reverse("claim_next"), {"key": str(uuid4())})
    assert answer.status_code == 503
    assert "Nothing was stored" in text(answer)
    set_sequence(last)
