"""`rebuild_projections` reports its result or why it changed nothing. A dry run only compares."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from payments.events.models import Event
from readmodels.models import DailyStatistics, EventIndex, PaymentSummary
from readmodels.rebuild import schemas
from readmodels.rebuild.rebuilding import rebuild
from tests.support.api import project
from tests.support.concurrency import session
from tests.support.example_events import (
    approved,
    flagged,
    initiated,
    processed,
    processed_after_approval,
)
from tests.support.poison import POISONED, SOUND, append
from tests.support.raw_appends import DATA, INSERT
from tests.support.rebuilding import ALL, contents, schemas_left

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_rebuild_command_reports_the_result(reviewed: None) -> None:
    project()
    out = StringIO()

    call_command("rebuild_projections", "payment_summary", "--workers", "1", stdout=out)

    assert "payment_summary: 2 rows, all the same" in out.getvalue()
    assert "Rebuilt payment_summary from 8 events" in out.getvalue()


def test_dry_run_reports_differences_and_changes_nothing(reviewed: None) -> None:
    project()
    call_command("rebuild_projections", "--dry-run", "--workers", "1", stdout=StringIO())
    PaymentSummary.objects.filter(pk=SOUND).update(method="cash", amount=5)
    before = contents()
    out = StringIO()

    with pytest.raises(SystemExit) as exit_:
        call_command("rebuild_projections", "--dry-run", "--workers", "1", stdout=out)

    assert exit_.value.code == 2
    assert f"{SOUND}: amount 5 instead of " in out.getvalue()
    assert "method cash instead of credit_card" in out.getvalue()
    assert contents() == before
    assert schemas_left() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["payments"], "no projection 'payments'"),
        (["--as-of", "yesterday"], "'yesterday' is not a time such as"),
        (["--as-of", "2026-13-01"], "'2026-13-01' is not a time such as"),
        (["--workers", "0"], "'0' is not between 1 and 64"),
        (["--dry-run", "--as-of", "2026-01-01"], "not allowed with"),
    ],
)
def test_rebuild_command_refuses_wrong_arguments_in_one_line(
    arguments: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("rebuild_projections", *arguments)


def test_as_of_builds_the_tables_of_that_time() -> None:
    append(SOUND, initiated(), flagged())
    then = Event.objects.latest("pk").recorded_at + timedelta(microseconds=1)
    append(SOUND, approved(), processed_after_approval(), expected=2)
    append(POISONED, initiated(), processed())
    project()
    before = contents()
    out = StringIO()
    call_command("rebuild_projections", "--as-of", then.isoformat(), "--workers", "1", stdout=out)
    assert "from 2 events" in out.getvalue()
    assert contents() == before
    try:
        with schemas.inside(schemas.AS_OF):
            assert [(row.pk, row.status) for row in PaymentSummary.objects.all()] == [
                (SOUND, "pending_review")
            ]
            assert EventIndex.objects.count() == 2
            assert DailyStatistics.objects.get().open_reviews == 1
        assert PaymentSummary.objects.count() == 2
    finally:
        schemas.drop(schemas.AS_OF)


def test_failed_as_of_leaves_no_tables(filled: int) -> None:
    at = ["--as-of", "2100-01-01T00:00:00Z", "--workers", "1"]
    call_command("rebuild_projections", *at, stdout=StringIO())
    with session() as writer:
        writer.execute(
            INSERT.replace("payment.initiated", "payment.teleported"),
            {"stream": SOUND, "data": DATA},
        )
    with pytest.raises(CommandError, match="No tables were built"):
        call_command("rebuild_projections", *at, stdout=StringIO())
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", [schemas.AS_OF])
        assert cursor.fetchone() == (0,)


@pytest.mark.slow
def test_rebuild_in_processes_names_an_unknown_event_type(reviewed: None) -> None:
    """An exception that cannot be pickled would break the pool and hide the cause."""
    with session() as writer:
        writer.execute(
            INSERT.replace("payment.initiated", "payment.teleported"),
            {"stream": SOUND, "data": DATA},
        )
    with pytest.raises(CommandError, match=r"no event 'payment\.teleported'"):
        call_command("rebuild_projections", "--workers", "2", stdout=StringIO())


@pytest.mark.parametrize("setting", ["statement_timeout = '1ms'", "search_path = other, public"])
def test_rebuild_works_with_default_settings_of_the_database(filled: int, setting: str) -> None:
    name = connection.settings_dict["NAME"]
    before = contents()

    with session() as owner:
        owner.execute("CREATE SCHEMA other")
        owner.execute(f"ALTER DATABASE {name} SET {setting}")
        connection.close()
        try:
            if "timeout" in setting:
                with pytest.raises(CommandError, match=r"Nothing was changed\. .*timeout"):
                    call_command("rebuild_projections", "--workers", "1", stdout=StringIO())
            else:
                rebuild(ALL)
        finally:
            owner.execute(f"ALTER DATABASE {name} RESET ALL")
            owner.execute("DROP SCHEMA other CASCADE")
            connection.close()

    assert contents() == before


def test_projections_command_shows_schemas_of_killed_rebuilds(reviewed: None) -> None:
    def shown() -> str:
        out = StringIO()
        call_command("projections", stdout=out)
        return out.getvalue()

    project()
    assert "The schema" not in shown()
    schemas.create(schemas.BUILD)
    schemas.create(schemas.AS_OF)
    try:
        assert f"A killed rebuild left the schema {schemas.BUILD}" in shown()
        assert f"DROP SCHEMA {schemas.AS_OF} CASCADE" in shown()
        with session() as rebuilding:
            rebuilding.execute("SELECT pg_advisory_lock(hashtextextended('readmodels.rebuild', 0))")
            assert "was left" not in shown()
        call_command("rebuild_projections", "--dry-run", "--workers", "1", stdout=StringIO())
        assert schemas.BUILD not in shown()
    finally:
        schemas.drop(schemas.AS_OF)
    assert schemas_left() == []
