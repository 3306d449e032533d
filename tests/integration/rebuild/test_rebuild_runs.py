"""A rebuild from the screens swaps only if the report that a person confirmed still holds."""

import shutil
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from payments.events.models import Event
from readmodels.models import DailyStatistics, PaymentSummary, RebuildRun
from readmodels.models.rebuilds import RunState
from readmodels.projections import PROJECTIONS
from readmodels.rebuild import build, schemas
from readmodels.rebuild.rebuilding import rebuild
from readmodels.rebuild.runs import leases, obstacles, reports, requests, working
from tests.support import servers
from tests.support.api import project
from tests.support.concurrency import at_once, dsn, session
from tests.support.example_events import initiated, processed
from tests.support.examples import NOON, OPERATOR
from tests.support.poison import SOUND, append, append_reviewed
from tests.support.poolers import transaction_pooler
from tests.support.rebuild_runs import SUMMARY, compared, confirm, drift, manager, steps
from tests.support.rebuilding import (
    ALL,
    SWAPPING,
    contents,
    during_the_build,
    manage,
    schemas_left,
    wait_until,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

WORKER = "system:worker"


def state(run: RebuildRun) -> str:
    run.refresh_from_db()
    return run.state


def is_drifted() -> bool:
    return PaymentSummary.objects.get(pk=SOUND).method == "cash"


def test_run_reports_differences_and_repairs_them_after_confirmation(reviewed: None) -> None:
    project()
    before = contents()
    drift()

    run = compared(*PROJECTIONS)
    found = [each for each in reports.read(run.comparison) if not each.same]
    drifted = is_drifted()
    confirm(run, by=manager("grace"))
    working.run_waiting()

    assert drifted
    assert [(each.projection, each.differing) for each in found] == [(SUMMARY, 1)]
    assert found[0].sample[0].columns == {"method": ("cash", "credit_card")}
    assert contents() == before
    assert state(run) == RunState.SWAPPED
    assert run.ended_at is not None
    assert steps(run) == [
        ("requested", manager()),
        ("compared", WORKER),
        ("confirmed", manager("grace")),
        ("swapped", WORKER),
    ]
    assert schemas_left() == []


def test_run_swaps_nothing_if_the_comparison_changed_since_the_confirmation(
    reviewed: None,
) -> None:
    project()
    drift()
    run = compared()
    confirm(run)
    PaymentSummary.objects.filter(pk=SOUND).update(currency="JPY")

    working.run_waiting()
    after, drifted, digest = state(run), is_drifted(), run.digest
    confirm(run)
    working.run_waiting()

    assert (after, drifted) == (RunState.COMPARED, True)
    assert digest != run.steps.get(kind="compared").note
    assert [kind for kind, _ in steps(run)][2:4] == ["confirmed", "changed"]
    assert state(run) == RunState.SWAPPED
    assert not is_drifted()


def test_new_events_do_not_change_the_confirmed_report(reviewed: None) -> None:
    """With positions, sums or today's statistics in the digest, new events would change it."""
    project()
    drift()
    DailyStatistics.objects.update(total_count=7, total_volume=70_00)
    run = compared(*PROJECTIONS)
    confirm(run)
    append_reviewed(uuid4())
    append(uuid4(), initiated(), processed())
    project()

    working.run_waiting()

    assert state(run) == RunState.SWAPPED
    assert all(each.same for each in rebuild(ALL, dry_run=True).comparisons)


def test_digest_ignores_a_missing_row_of_statistics_that_new_events_add(reviewed: None) -> None:
    project()
    DailyStatistics.objects.all().delete()
    run = compared("daily_statistics")
    append_reviewed(uuid4())
    project()

    again = rebuild([PROJECTIONS["daily_statistics"]], dry_run=True).comparisons

    assert DailyStatistics.objects.exists()
    assert reports.digest(again) == run.digest


def test_report_shows_the_first_differing_rows_by_key(filled: int) -> None:
    """Without the order, two comparisons of the same tables would differ."""
    keys = PaymentSummary.objects.order_by("-pk").values_list("pk", flat=True)[:9]
    for key in list(keys):
        PaymentSummary.objects.filter(pk=key).update(method="cash")

    comparison = reports.read(compared().comparison)[0]

    assert [each.key for each in comparison.sample] == sorted(map(str, keys))[:5]


def test_report_that_was_not_read_cannot_be_confirmed(reviewed: None) -> None:
    project()
    run = compared()

    with pytest.raises(requests.ReportChanged):
        requests.confirm(run.pk, digest="0" * 64, by=manager(), at=NOON)

    assert state(run) == RunState.COMPARED


def test_two_people_start_one_run(db: None) -> None:
    people = [manager("ada"), manager("grace")]

    def start(number: int) -> bool:
        try:
            requests.request([SUMMARY], by=people[number], at=NOON)
        except requests.AnotherRun:
            return False
        return True

    assert sorted(at_once(2, start)) == [False, True]
    assert RebuildRun.objects.count() == 1


def test_run_has_one_worker(reviewed: None) -> None:
    """If a task is delivered twice, the second delivery finds the lease of the first one."""
    run = requests.request([SUMMARY], by=manager(), at=NOON)
    lease = leases.claim(at=timezone.now())

    working.run_waiting()

    assert lease is not None
    assert state(run) == RunState.COMPARING
    assert run.lease == lease.token


def test_lease_is_renewed_during_a_long_statement(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests.request([SUMMARY], by=manager(), at=NOON)
    lease = leases.claim(at=NOON)
    assert lease is not None
    monkeypatch.setattr(leases, "_RENEWED_AFTER", 0.02)

    with leases.renewed(lease), session() as other:
        other.execute("SELECT pg_sleep(0.3)")

    assert not RebuildRun.objects.get().is_stalled(timezone.now())


def test_cancelled_run_is_not_swapped_in(reviewed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    project()
    drift()
    run = compared()
    confirm(run)
    during_the_build(monkeypatch, lambda: requests.cancel(run.pk, by=manager(), at=timezone.now()))

    working.run_waiting()

    assert state(run) == RunState.CANCELLED
    assert is_drifted()
    assert [kind for kind, _ in steps(run)][-1] == "cancelled"


def test_cancelled_run_ends_before_its_tables_are_complete(
    reviewed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = requests.request([SUMMARY], by=manager(), at=NOON)
    fold = build._fold
    finished: list[str] = []

    def cancel_and_fold(*arguments: Any) -> Any:
        requests.cancel(run.pk, by=manager(), at=timezone.now())
        return fold(*arguments)

    monkeypatch.setattr(build, "_fold", cancel_and_fold)
    monkeypatch.setattr(build, "_finish", lambda _, name, __: finished.append(name))

    working.run_waiting()

    assert state(run) == RunState.CANCELLED
    assert finished == []
    assert schemas_left() == []


def test_killed_swap_is_stalled_and_can_be_started_again(reviewed: None) -> None:
    project()
    drift()
    run = compared()
    confirm(run)
    work = "from readmodels.rebuild.runs import working; working.run_waiting()"
    with session() as reader, reader.transaction():
        reader.execute("SELECT FROM readmodels_paymentsummary")  # leaves no moment for the swap
        with manage("shell", "--no-imports", "-c", work) as child:
            wait_until(SWAPPING.replace("dailystatistics", "paymentsummary"))
            child.kill()
    wait_until("NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')")

    assert state(run) == RunState.SWAPPING
    assert run.leased_until is not None
    later = run.leased_until + timedelta(seconds=1)
    working.run_waiting()  # it must not begin the rebuild again
    assert is_drifted()
    with pytest.raises(requests.WrongState):
        requests.restart(run.pk, by=manager(), at=run.leased_until - timedelta(seconds=1))
    assert run.is_stalled(later)

    requests.restart(run.pk, by=manager(), at=later)
    working.run_waiting()

    assert state(run) == RunState.SWAPPED
    assert not is_drifted()
    assert [kind for kind, _ in steps(run)][-2:] == ["restarted", "swapped"]


def test_blocked_swap_is_recorded_as_failed_only(
    reviewed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The swap and its record are one transaction, so a failed swap leaves no record."""
    project()
    drift()
    run = compared()
    confirm(run)
    during_the_build(monkeypatch, lambda: None)

    with session() as reader, reader.transaction():
        reader.execute("SELECT FROM readmodels_paymentsummary")
        working.run_waiting()
    failed, error = state(run), run.error
    requests.restart(run.pk, by=manager(), at=timezone.now())
    working.run_waiting()

    assert failed == RunState.FAILED
    assert "were in use" in error
    assert [kind for kind, _ in steps(run)][3:] == ["failed", "restarted", "swapped"]
    assert not is_drifted()


def test_run_waits_while_a_terminal_rebuilds(reviewed: None) -> None:
    project()
    run = requests.request([SUMMARY], by=manager(), at=NOON)
    with session() as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('readmodels.rebuild', 0))")
        working.run_waiting()
    waiting, lease, error = state(run), run.lease, run.error

    working.run_waiting()

    assert (waiting, lease) == (RunState.COMPARING, None)
    assert "Another rebuild of this database is running" in error
    assert state(run) == RunState.COMPARED
    assert run.error == ""


def test_run_that_a_swap_would_refuse_fails_before_the_report(reviewed: None) -> None:
    with session() as other:
        other.execute("CREATE VIEW report AS SELECT status FROM readmodels_paymentsummary")
    try:
        run = compared()
    finally:
        with session() as other:
            other.execute("DROP VIEW report")

    assert run.state == RunState.FAILED
    assert "report" in run.error
    assert run.comparison is None


def test_run_without_a_projection_in_the_code_fails(db: None) -> None:
    run = RebuildRun.objects.create(names=["ghosts"], requested_by=OPERATOR, requested_at=NOON)

    working.run_waiting()

    assert state(run) == RunState.FAILED
    assert run.error == "The code has no projection ghosts any more."


def test_run_with_an_unreadable_event_fails_with_its_cause(reviewed: None) -> None:
    project()
    with session() as other:
        other.execute("SET session_replication_role = replica")
        other.execute("UPDATE events_event SET event_type = 'payment.teleported' WHERE version = 1")

    run = compared()

    assert Event.objects.filter(event_type="payment.teleported").exists()
    assert run.state == RunState.FAILED
    assert "payment.teleported" in run.error


def test_role_that_does_not_own_the_tables_is_found_out(reviewed: None) -> None:
    project()
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE plain")
        cursor.execute("GRANT pg_read_all_data, pg_write_all_data TO plain")
        try:
            owner = obstacles.find([SUMMARY])
            cursor.execute("SET ROLE plain")
            found = obstacles.find([SUMMARY])
            with pytest.raises(Exception, match="permission denied"):
                schemas.create(schemas.BUILD)
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP ROLE plain")

    assert owner == ""
    assert "The role of the service, plain, does not own the tables" in found


def test_transaction_pooler_is_found_out(db: None) -> None:
    parameters = dsn()
    folder = servers.own_folder()
    who = {"user": parameters["user"], "database": parameters["dbname"]}
    host = connection.settings_dict["HOST"]
    connection.close()
    with transaction_pooler(folder, str(servers.postgres().sockets), **who):
        connection.settings_dict["HOST"] = str(folder)
        try:
            found = obstacles.find([SUMMARY])
        finally:
            connection.close()
            connection.settings_dict["HOST"] = host
    shutil.rmtree(folder)

    assert "pooler in transaction mode" in found


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("state", {"state": "paused"}),
        ("names", {"names": []}),
        ("lease", {"lease": uuid4()}),
        ("lease", {"state": "failed", "ended_at": NOON, "lease": uuid4(), "leased_until": NOON}),
        ("report", {"state": "compared"}),
        ("confirmed", {"state": "swapping", "comparison": [], "digest": "0"}),
        ("ended", {"ended_at": NOON}),
        ("ended", {"state": "cancelled"}),
    ],
)
def test_database_refuses_runs_that_cannot_exist(
    db: None, constraint: str, changes: dict[str, Any]
) -> None:
    given = {"names": [SUMMARY], "requested_by": OPERATOR, "requested_at": NOON}

    with pytest.raises(IntegrityError, match=f"rebuild_run_{constraint}") as refused:
        RebuildRun.objects.create(**given | changes)

    assert isinstance(refused.value.__cause__, psycopg.errors.CheckViolation)
