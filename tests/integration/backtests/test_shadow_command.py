"""The command `backtest shadow` starts, stops, shows and verifies shadows."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from payments.events.models import Event
from readmodels.backtests.models import Shadow, ShadowDay, ShadowState
from tests.support import policies
from tests.support.backtests import STRICT, submit_many
from tests.support.commands import run
from tests.support.raw_appends import Session
from tests.support.shadows import observed, started
from tests.support.tampering import change_event

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def shadow(*arguments: str) -> str:
    return run("backtest", "shadow", *arguments)[0]


def counted(payments: int = 30) -> Shadow:
    running = started()
    submit_many(payments)
    return observed(running)


def test_start_observes_a_proposed_policy_and_stop_ends_it() -> None:
    policies.propose(STRICT, policies.staff("ada"))

    out = shadow("start", STRICT.policy_id[:8])

    running = Shadow.objects.get()
    short = str(running.pk)[:8]
    assert f"{short} observes policy {STRICT.policy_id[:12]}" in out
    with pytest.raises(CommandError, match="is observed already"):
        shadow("start", STRICT.policy_id)
    assert shadow("stop", short) == f"{short} is stopped."
    with pytest.raises(CommandError, match="has ended: stopped"):
        shadow("stop", short)


def test_start_refuses_unknown_policies() -> None:
    with pytest.raises(CommandError, match="No policy begins with '0000'"):
        shadow("start", "0000")
    with pytest.raises(CommandError, match="No shadow begins with '0000'"):
        shadow("show", "0000")


def test_list_shows_shadows_with_their_states() -> None:
    assert "backtest shadow start POLICY" in shadow("list")
    running = counted(2)

    (line,) = [each for each in shadow("list").splitlines() if str(running.pk)[:8] in each]

    assert STRICT.policy_id[:12] in line
    assert ShadowState.RUNNING in line


def test_show_prints_the_active_policy_next_to_the_shadow() -> None:
    running = counted()

    out = shadow("show", str(running.pk)[:8])

    assert "Of 30 payments, 28 would newly wait for review;" in out
    (line,) = [each for each in out.splitlines() if "2 → 30" in each and "2026-01-05" in each]
    assert "0 → 0" in line
    assert "A shadow does not know which payments were fraud." in out
    assert max(map(len, out.splitlines())) <= 100


def test_show_as_json_has_the_days_the_sum_and_the_digest() -> None:
    running = counted()

    document = json.loads(shadow("show", str(running.pk), "--json"))

    assert [(each["day"], each["payments"]) for each in document["days"]] == [("2026-01-05", 30)]
    assert document["total"]["reviews"] == {"active": 2, "shadow": 30}
    assert document["total"]["flips"] == 28
    assert document["digest"] in shadow("show", str(running.pk))


def test_verify_counts_the_days_again() -> None:
    running = counted()

    assert f"{str(running.pk)[:8]} has the same days again: " in shadow("verify", str(running.pk))


def test_verify_names_the_day_and_the_cell_of_an_altered_event(superuser: Session) -> None:
    running = counted()
    event = Event.objects.filter(event_type="payment.processed").order_by("position")[9]
    change_event(superuser, event.position, "data = jsonb_set(data, '{amount,minor}', '5')")
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("backtest", "shadow", "verify", str(running.pk), stdout=out)

    assert ended.value.code == 1
    assert "differs on 2026-01-05. Stored and computed are matrix" in out.getvalue()


def test_verify_finds_an_altered_day() -> None:
    running = counted()
    ShadowDay.objects.all().delete()

    with pytest.raises(SystemExit):
        shadow("verify", str(running.pk))


def test_verify_refuses_the_days_of_another_engine() -> None:
    running = counted(2)
    Shadow.objects.update(engine=0)

    with pytest.raises(CommandError, match="Engine 0 counted the days"):
        shadow("verify", str(running.pk))
