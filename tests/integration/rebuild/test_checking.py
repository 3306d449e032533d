"""The check reports the rows that differ from the log, and no others."""

import os
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from readmodels.engine import parking, runner
from readmodels.models import CustomerActivity, DailyStatistics, ParkedEvent, PaymentSummary
from readmodels.projections.kinds import Rows
from readmodels.rebuild import checking
from tests.support.api import project
from tests.support.examples import OPERATOR
from tests.support.poison import NOON, POISONED, SPOILERS, spoiled
from tests.support.rebuilding import SUMMARY

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.slow
def test_check_reports_rows_that_differ_from_the_log(
    reviewed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    project()
    call_command("projections", "--check", stdout=StringIO())
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    DailyStatistics.objects.update(completed_count=7)
    CustomerActivity.objects.all().delete()
    out = StringIO()

    with pytest.raises(SystemExit) as exit_:
        call_command("projections", "--check", stdout=out)

    assert exit_.value.code == 2
    assert "payment_summary: 2 rows, all the same" in out.getvalue()
    assert "completed_count 7 instead of 2" in out.getvalue()
    assert "the row is missing" in out.getvalue()


@pytest.mark.slow
def test_check_of_a_sample_reports_differing_rows(filled: int) -> None:
    call_command("projections", "--check", "--sample", "50", stdout=StringIO())
    PaymentSummary.objects.update(method="cash")
    PaymentSummary.objects.filter(status="failed").delete()
    checked = checking.check_sample(SUMMARY, 50)
    assert len(checked.drifted) == checked.rows > 20
    out = StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("projections", "--check", "--sample", "50", stdout=out)
    assert exit_.value.code == 2
    assert "method cash instead of" in out.getvalue()


def test_check_of_a_sample_honors_parked_and_discarded_events(reviewed: None) -> None:
    bad = spoiled(SUMMARY, SPOILERS[0])
    assert isinstance(bad, Rows)
    runner.catch_up(bad)
    assert checking.check_sample(bad, 5).drifted == ()  # the poisoned payment has the smallest id
    position = ParkedEvent.objects.earliest("position").position
    parking.discard(bad, position, reason="Entered twice", by=OPERATOR, at=NOON)
    assert checking.check_sample(SUMMARY, 5) == checking.Checked("payment_summary", 1, ())


def test_check_of_a_sample_reports_events_that_new_code_rejects(reviewed: None) -> None:
    """Regression: an exception in the projection's function ended the command."""
    runner.catch_up(SUMMARY)
    bad = spoiled(SUMMARY, SPOILERS[0])
    assert isinstance(bad, Rows)
    (drifted,) = checking.check_sample(bad, 5).drifted
    assert (drifted.key, drifted.columns["status"]) == (
        str(POISONED),
        ("completed", "pending_review"),
    )


@pytest.mark.parametrize("arguments", [["--sample", "5"], ["--check", "--sample", "0"]])
def test_sample_option_needs_a_number_and_check(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="--sample"):
        call_command("projections", *arguments)
