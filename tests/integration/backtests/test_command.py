"""The command `backtest` runs, shows, continues, cancels and verifies backtests."""

import json
import signal
import time
from collections.abc import Callable
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from payments.domain.backtest.question import Mode
from payments.domain.risk import parsing
from payments.domain.risk.policy import DEFAULT_POLICY
from payments.events.models import Event
from payments.events.seals import sealing
from readmodels.backtests import attaching, leases, requests
from readmodels.backtests.models import Backtest, State
from tests.support.backtests import STRICT, ask, finished, submit_many
from tests.support.commands import run
from tests.support.examples import NOON, OPERATOR
from tests.support.policies import propose, staff
from tests.support.raw_appends import Session
from tests.support.tampering import change_event, found, manage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def strict(tmp_path: Path) -> str:
    path = tmp_path / "strict.json"
    path.write_text(parsing.write(STRICT))
    return str(path)


def test_run_prints_the_verdict_the_tables_the_limits_and_the_digest(
    small_parts: None, strict: str
) -> None:
    submit_many()

    out, err = run("backtest", "run", strict)

    backtest = Backtest.objects.get()
    assert "Of 30 payments, 28 would newly wait for review" in out
    for title in ("Payments by decision", "Rules of the policy", "Reviews", "Examples"):
        assert title in out
    assert f"Digest {backtest.digest}" in out
    assert "History as it was" in out
    assert max(map(len, out.splitlines())) <= 100
    assert "ETA" in err or err == ""


def test_run_as_json_gives_the_whole_result(small_parts: None, strict: str) -> None:
    submit_many()

    document = json.loads(run("backtest", "run", strict, "--json", "--sample=50%", "--seed=3")[0])

    backtest = Backtest.objects.get()
    assert document["id"] == str(backtest.pk)
    assert document["digest"] == backtest.digest
    assert (document["sample_ppm"], document["seed"]) == (500_000, 3)
    assert document["result"]["payments"] == 30
    assert document["result"]["evaluated"] < 30


def test_run_compares_with_a_baseline(small_parts: None, strict: str) -> None:
    submit_many(scored=False)

    out, _ = run("backtest", "run", "built-in", "--baseline", strict, "--mode=reconstructed")

    assert "would newly pass" in out
    assert Backtest.objects.get().baseline_id == STRICT.policy_id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0123abcd"], "No policy begins with '0123abcd'"),
        ([""], "No policy begins with ''"),
        (["x" * 300], "No policy begins with 'xxx"),
        (["built-in", "--last", "soon"], "'soon' is not a number of days or hours"),
        (["built-in", "--sample", "0%"], "'0%' is not a percentage"),
        (["built-in", "--sample", "10"], "'10' is not a percentage"),
        (["built-in", "--seed", "-1"], "'-1' is not a number from 0"),
        (["built-in", "--workers", "65"], "'65' is not a number from 1 to 64"),
        (["built-in", "--last=1d", "--since=2026-01-01"], "not allowed with"),
        (["built-in", "--until", "2001-01-01"], "no events in this range"),
    ],
)
def test_run_refuses_wrong_arguments(arguments: list[str], message: str) -> None:
    submit_many(2)

    with pytest.raises(CommandError, match=message):
        run("backtest", "run", *arguments)

    assert not Backtest.objects.exists()


def test_run_refuses_standard_input_that_is_not_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"\xff"), encoding="utf-8"))

    with pytest.raises(CommandError, match="The standard input is not a text in UTF-8"):
        run("backtest", "run", "-")


def test_id_that_no_text_can_hold_is_not_found() -> None:
    with pytest.raises(CommandError, match=r"No backtest begins with '\\udcff'"):
        run("backtest", "show", "\udcff")


def test_eleventh_unfinished_backtest_is_refused() -> None:
    submit_many(2)
    for _ in range(requests.MOST_UNFINISHED):
        ask()

    with pytest.raises(CommandError, match="10 backtests are not finished"):
        run("backtest", "run", "built-in")


def test_interrupted_run_is_resumed(small_parts: None) -> None:
    submit_many()
    expected = finished().digest
    backtest = ask()
    lease = leases.claim(backtest.pk, at=timezone.now())
    assert isinstance(lease, leases.Lease)
    leases.release_all(backtest.pk)
    short = str(backtest.pk)[:8]
    assert "waiting, 0 of 9 parts done" in run("backtest", "show", short)[0]

    out, _ = run("backtest", "resume", short)

    assert f"Digest {expected}" in out
    with pytest.raises(CommandError, match="is done"):
        run("backtest", "resume", short)


def test_ctrl_c_leaves_the_backtest_resumable_by_other_processes(small_parts: None) -> None:
    submit_many(10)
    expected = finished(DEFAULT_POLICY).digest
    Backtest.objects.all().delete()
    for _ in range(leases.MOST_RUNNING):  # so that the next backtest waits
        leases.claim(ask().pk, at=timezone.now())
    # Restore SIGINT for the command: if a shell runs pytest in the background, SIGINT is ignored.
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    running = manage("backtest", "run", "built-in", "--workers=2")
    signal.signal(signal.SIGINT, ours)
    _until(lambda: Backtest.objects.count() == leases.MOST_RUNNING + 1)
    time.sleep(1)  # until the processes have started

    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)

    interrupted = Backtest.objects.get(candidate_id=DEFAULT_POLICY.policy_id)
    assert running.returncode == 130
    assert f"./manage.py backtest resume {str(interrupted.pk)[:8]}" in err
    assert interrupted.state == State.QUEUED

    Backtest.objects.exclude(pk=interrupted.pk).delete()
    resumed, _ = manage("backtest", "resume", str(interrupted.pk), "--workers=2").communicate()
    assert f"Digest {expected}" in resumed


def test_verify_recomputes_the_result(small_parts: None) -> None:
    submit_many()
    backtest = finished(mode=Mode.RECONSTRUCTED)

    out, _ = run("backtest", "verify", str(backtest.pk))

    assert f"has the same result again: {backtest.digest}" in out
    assert Backtest.objects.count() == 1


def test_verify_finds_an_altered_event(small_parts: None, superuser: Session) -> None:
    submit_many()
    backtest = finished()
    event = Event.objects.filter(event_type="payment.initiated").order_by("position")[9]
    change_event(superuser, event.position, "data = jsonb_set(data, '{amount,minor}', '5')")
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("backtest", "verify", str(backtest.pk)[:8], stdout=out)

    assert ended.value.code == 1
    assert "differs. Stored and computed are matrix" in out.getvalue()
    assert Backtest.objects.count() == 1


def test_verify_refuses_what_has_no_result(small_parts: None) -> None:
    submit_many(2)
    queued = ask()
    older = finished()
    Backtest.objects.filter(pk=older.pk).update(engine=0)

    with pytest.raises(CommandError, match="is queued: it has no result to verify"):
        run("backtest", "verify", str(queued.pk))
    with pytest.raises(CommandError, match="Engine 0 computed the result"):
        run("backtest", "verify", str(older.pk))


def test_list_shows_the_last_backtests_with_their_states(small_parts: None) -> None:
    assert "./manage.py backtest run active" in run("backtest", "list")[0]
    submit_many()
    finished()
    cancelled = ask()
    requests.cancel(cancelled.pk, by=OPERATOR, at=NOON)
    ask()

    lines = run("backtest", "list")[0].splitlines()

    assert [line for line in lines if STRICT.policy_id[:12] in line and "done" in line]
    assert any("cancelled" in line for line in lines)
    assert any("waiting, 0 of 9 parts done" in line for line in lines)


def test_cancel_ends_a_backtest(small_parts: None) -> None:
    submit_many(2)
    backtest = ask()

    out, _ = run("backtest", "cancel", str(backtest.pk)[:8])

    assert "is cancelled" in out
    with pytest.raises(CommandError, match="is cancelled"):
        run("backtest", "resume", str(backtest.pk))
    with pytest.raises(CommandError, match="No backtest begins with '0000'"):
        run("backtest", "cancel", "0000")


def test_attach_shows_the_result_with_the_proposal(small_parts: None) -> None:
    submit_many()
    propose(STRICT, staff("ada"))
    staff("victor", "analyst")
    backtest, queued = finished(), ask()
    short = str(backtest.pk)[:8]

    for name, by, refusal in (
        (str(queued.pk), "ada", "is queued. Only a finished one has a result"),
        (short, "victor", "does not hold the permission events.manage_policies"),
        (short, "nobody", "There is no user 'nobody'"),
    ):
        with pytest.raises(CommandError, match=refusal):
            run("backtest", "attach", name, "--by", by)
    out, _ = run("backtest", "attach", short, "--by", "ada")
    _, shown = run("policy", "show", STRICT.policy_id)

    assert out == f"{short} is attached to the proposal of {STRICT.policy_id[:12]}."
    assert f"Backtest {backtest.pk}: Of 30 payments, 28 would newly wait for review" in shown
    assert f"Digest {backtest.digest}" in shown


def test_seals_cover_the_attached_numbers(small_parts: None, superuser: Session) -> None:
    submit_many()
    propose(STRICT, staff("ada"))
    attaching.attach(finished(), by=staff("grace"), at=timezone.now())
    list(sealing.seal_all())
    attached = Event.objects.get(event_type="policy.backtested")
    sound = found()

    change = "data = jsonb_set(data, '{backtest,flips}', '0')"
    change_event(superuser, attached.position, change)

    assert sound == []
    assert found()


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("It did not happen within a minute.")
