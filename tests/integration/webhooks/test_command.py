"""Operators manage webhook endpoints with the command `webhooks`."""

import re
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from payments.clients.models import Client
from readmodels.management.commands import webhooks
from readmodels.webhooks import endpoints, keys
from readmodels.webhooks.models import Attempt, Endpoint, Outcome, State
from tests.support.api import ApiClient, project
from tests.support.commands import run
from tests.support.examples import NOON, OPERATOR
from tests.support.webhooks import URL, attempt, endpoint, hold

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CREATE = ("create", "--client", "Acme")


def failed(*arguments: str) -> CommandError:
    with pytest.raises(CommandError) as refused:
        run("webhooks", *arguments)
    return refused.value


def short(made: Endpoint) -> str:
    return str(made.pk)[:8]


def test_create_prints_only_the_secret_on_standard_output() -> None:
    Client.objects.create(name="Acme")

    out, err = run(
        "webhooks", *CREATE, URL, "--type=payment.failed", "--thin", "--description= Orders "
    )

    made = Endpoint.objects.get()
    assert out == keys.decrypt(made.secret)
    assert (made.event_types, made.thin, made.description) == (["payment.failed"], True, "Orders")
    assert f"./manage.py webhooks test {short(made)}" in err
    assert out not in err


def test_create_accepts_the_id_of_the_client() -> None:
    client = Client.objects.create(name="Acme")
    run("webhooks", "create", URL, "--client", str(client.pk))
    assert Endpoint.objects.get().client == client


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("create", URL, "--client", "Bolt"), 1, "There is no client 'Bolt'"),
        ((*CREATE, "https://127.0.0.1/"), 2, "URL: The address 127.0.0.1 is not public"),
        ((*CREATE, "ftp://example.com/"), 2, "URL: "),
        ((*CREATE, URL, "--description", "x" * 201), 2, "--description: "),
        ((*CREATE, URL), 1, "has this URL"),
    ],
)
def test_create_refuses_wrong_arguments(
    arguments: tuple[str, ...], code: int, message: str
) -> None:
    endpoint()

    error = failed(*arguments)

    assert message in str(error)
    assert error.returncode == code
    assert Endpoint.objects.count() == 1


def test_list_shows_endpoints_in_trouble_first_with_their_lag() -> None:
    acme, bolt = ApiClient("Acme"), endpoint("Bolt")
    fine, failing = endpoint(), endpoint(url=f"{URL}/2")
    endpoints.disable(bolt, reason="Gone (410)", at=NOON, by=OPERATOR)
    Endpoint.objects.filter(pk=failing.pk).update(failures=3, failing_since=NOON)
    hold(fine)
    acme.submit()
    project()

    lines = run("webhooks", "list")[0].splitlines()

    order = [line.split()[0] for line in lines if URL in line]
    assert order == [short(failing), short(bolt), short(fine)]
    (of_failing,) = (line for line in lines if short(failing) in line)
    assert "failing: 3 in a row since 2026-01-05 12:00:00 UTC" in of_failing
    (of_bolt,) = (line for line in lines if short(bolt) in line)
    assert "disabled: Gone (410)" in of_bolt
    (of_fine,) = (line for line in lines if short(fine) in line)
    assert re.search(r"active +\d+ +1 +\d+\.\d +1$", of_fine.rstrip()), of_fine

    only = run("webhooks", "list", "--client", "Bolt")[0]
    assert short(bolt) in only
    assert short(fine) not in only


def test_list_without_endpoints_says_how_to_create_one() -> None:
    assert "./manage.py webhooks create" in run("webhooks", "list")[0]


def test_list_says_that_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_MOST_LISTED", 1)
    endpoint()
    endpoint(url=f"{URL}/2")
    out, _ = run("webhooks", "list")
    assert out.count(URL) == 1
    assert "--client" in out


def test_show_has_the_settings_and_the_last_attempts() -> None:
    made = endpoint(description="Orders", event_types=["payment.failed"])
    attempt(made, outcome=Outcome.FAILED, status=503, error="HTTP 503")

    out, _ = run("webhooks", "show", short(made))

    for text in (str(made.pk), "Acme", URL, "Orders", "payment.failed", "0 events, 0.0 seconds"):
        assert text in out
    assert re.search(r"2026-01-05 12:00:00 +evt_7 .* failed +503 +HTTP 503", out)
    assert keys.decrypt(made.secret) not in out
    assert "Old secret" not in out


def test_endpoint_is_found_by_the_beginning_of_its_id() -> None:
    first, second = endpoint(), endpoint(url=f"{URL}/2")
    Endpoint.objects.filter(pk=first.pk).update(id=UUID(int=0xAB << 120))
    Endpoint.objects.filter(pk=second.pk).update(id=UUID(int=0xAC << 120))

    assert f"{URL}/2" in run("webhooks", "show", "AC")[0]

    for prefix, message in (("a", "More than one"), ("b", "No endpoint"), ("", "No endpoint")):
        error = failed("show", prefix)
        assert message in str(error)
        assert (error.returncode, "webhooks list" in str(error)) == (1, True)


def test_pause_resume_and_disable_change_the_state_and_name_the_next_step() -> None:
    made = endpoint()
    for arguments, state, reason, then in (
        (("pause",), State.PAUSED, "", "resume"),
        (("resume",), State.ACTIVE, "", "show"),
        (
            ("disable", "--reason", "Asked by the client"),
            State.DISABLED,
            "Asked by the client",
            "resume",
        ),
    ):
        action, *options = arguments
        out, _ = run("webhooks", action, short(made), *options)
        made.refresh_from_db()
        assert (made.state, made.disabled_reason) == (state, reason)
        assert f"./manage.py webhooks {then} {short(made)}" in out
    error = failed("disable", short(made), "--reason", "4111 1111 1111 1111")
    assert (error.returncode, "card number" in str(error)) == (2, True)


def test_test_prints_the_id_of_the_message() -> None:
    made = endpoint()
    out, _ = run("webhooks", "test", short(made))
    made.refresh_from_db()
    assert made.test_id is not None
    assert endpoints.test_message_id(made.test_id) in out


def test_rotate_prints_the_new_secret_and_when_the_old_one_ends() -> None:
    made = endpoint()

    out, err = run("webhooks", "rotate", short(made))

    made.refresh_from_db()
    assert out == keys.decrypt(made.secret)
    assert made.old_secret_until is not None
    assert f"{made.old_secret_until:%Y-%m-%d %H:%M:%S} UTC" in err
    assert "Old secret" in run("webhooks", "show", short(made))[0]


def test_delete_needs_a_confirmation_and_removes_the_attempts() -> None:
    made = endpoint()
    attempt(made)

    with pytest.raises(CommandError, match="--yes"):
        run("webhooks", "delete", short(made))
    assert Endpoint.objects.count() == 1
    out, _ = run("webhooks", "delete", short(made), "--yes")

    assert "is deleted." in out
    assert (Endpoint.objects.count(), Attempt.objects.count()) == (0, 0)


def test_replay_moves_the_cursor_and_names_the_next_step() -> None:
    acme, made = ApiClient(), endpoint()
    last = int(acme.submit()["X-Event-Position"])
    project()
    Endpoint.objects.update(position=last)

    out, _ = run("webhooks", "replay", short(made), "--after", str(last - 1))
    made.refresh_from_db()
    assert made.position == last - 1
    assert f"after {last - 1:,} again" in out
    assert f"show {short(made)}" in out

    endpoints.pause(made, at=timezone.now(), by=OPERATOR)
    out, _ = run("webhooks", "replay", short(made), "--since", f"{timezone.now():%Y-%m-%d}")
    made.refresh_from_db()
    assert made.position == last - 2
    assert f"It is paused. Resume it with: ./manage.py webhooks resume {short(made)}" in out

    assert "skips" in run("webhooks", "replay", short(made), "--after", str(last))[0]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--after", "10000000"), 1, "The log ends at "),
        (("--after", "-1"), 1, "'-1' is not a position"),
        (("--after", "1" * 30), 1, "is not a position"),
        (("--since", "yesterday"), 1, "'yesterday' is not a time"),
        (("--since", "2026-01-01", "--after", "1"), 1, "not allowed with"),
        ((), 1, "required"),
    ],
)
def test_replay_refuses_other_beginnings(
    arguments: tuple[str, ...], code: int, message: str
) -> None:
    made = endpoint()
    error = failed("replay", short(made), *arguments)
    assert message in str(error)
    assert error.returncode == code
    before = made.position
    made.refresh_from_db()
    assert made.position == before


def test_service_without_keys_refuses_to_make_a_secret(settings: Settings) -> None:
    made = endpoint()
    settings.WEBHOOK_KEYS = []
    for arguments in (("rotate", short(made)), (*CREATE, f"{URL}/2")):
        assert "WEBHOOK_KEYS" in str(failed(*arguments))


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("webhooks", "--help")
    shown = capsys.readouterr().out
    assert "Exit codes: 0 done" in shown
    assert "./manage.py webhooks replay 0d6f --since" in shown
