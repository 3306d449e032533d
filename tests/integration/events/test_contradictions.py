"""Partial restores of sequence, log, read models or seals are refused, reported and repaired.

Each test fails without its protection: the trigger, a condition in it or in
`events_log_problems`, or the check of a batch's checkpoint.
"""

import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import transaction
from django.urls import reverse

from payments.aggregates import PAYMENT_AGGREGATE
from payments.clients.models import Client
from payments.events import batches, tasks as sealing_tasks
from payments.events.contradictions import LogContradicted, find
from payments.events.models import Event
from payments.events.reading import horizon
from payments.events.seals import sealing
from readmodels import tasks
from readmodels.engine import lag, runner
from readmodels.models import Checkpoint, PaymentSummary
from readmodels.projections import PROJECTIONS
from tests.support import tampering
from tests.support.api import RISKY, ApiClient, project
from tests.support.backoffice import browser, text
from tests.support.concurrency import session
from tests.support.contradicting import (
    BY_TEST,
    appended,
    check_reported_everywhere,
    check_sound,
    command,
    cut,
    refusal,
    repairs,
    set_sequence,
)
from tests.support.example_events import initiated
from tests.support.oracle import check_read_models
from tests.support.raw_appends import Session

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


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
    """Read models may be empty or come from an older backup. That contradicts nothing."""
    with session() as other:
        for table in ("checkpoint", "paymentsummary", "dailystatistics", "customeractivity"):
            other.execute(f"TRUNCATE readmodels_{table}")
        other.execute("TRUNCATE readmodels_eventindex")
    assert find() == []
    check_sound()
    assert PaymentSummary.objects.count() > 20


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
    """The log is in this state after a restore without the table events_log."""
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


def test_append_streams_refuses_an_import_as_a_whole(top: int) -> None:
    set_sequence(top - 20)
    streams = [batches.Append(uuid4(), (initiated(),), BY_TEST) for _ in range(3)]
    assert "setval" in refusal(lambda: batches.append_streams(PAYMENT_AGGREGATE, streams))


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
