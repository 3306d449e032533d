"""The rebuild pages: start a rebuild, follow it, read its report, confirm, cancel, restart it."""

import re
from typing import Any, Final
from uuid import UUID

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from readmodels.models import PaymentSummary, RebuildRun
from readmodels.models.rebuilds import RunState
from readmodels.projections import PROJECTIONS
from readmodels.rebuild.runs import leases, obstacles, requests, working
from tests.support.api import project
from tests.support.backoffice import browser, text
from tests.support.examples import NOON
from tests.support.forms import form_fields
from tests.support.rebuild_runs import SUMMARY, compared, confirm, drift, manager

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LIST: Final = "/admin/readmodels/rebuildrun/"
START: Final = f"{LIST}start/"
PROJECTION_LIST: Final = "/admin/readmodels/checkpoint/"
UNKNOWN: Final = UUID(int=14)


def page(run: RebuildRun) -> str:
    return f"{LIST}{run.pk}/change/"


def button(run_id: UUID, command: str) -> str:
    return f"{LIST}{run_id}/{command}/"


def follow(staff: Browser, address: str, **fields: Any) -> str:
    return text(staff.post(address, fields, follow=True))


def test_rebuild_is_started_followed_confirmed_and_swapped_in(reviewed: None) -> None:
    project()
    drift()
    staff = browser("risk manager")

    started = staff.post(START, {"names": [SUMMARY, "review_day"]})
    run = RebuildRun.objects.get()
    waiting = staff.get(page(run))
    working.run_waiting()
    report = staff.get(page(run))
    run.refresh_from_db()
    ask = staff.get(button(run.pk, "confirm"), {"report": run.digest})
    confirmed = follow(staff, button(run.pk, "confirm"), **form_fields(ask))
    working.run_waiting()
    swapped = text(staff.get(page(run)))

    assert started["Location"] == page(run)
    assert run.names == [SUMMARY, "review_day"]
    assert "Waiting for a worker." in text(waiting)
    assert waiting["Refresh"] == "2"
    assert "1 row differs from the log. Read the report" in text(report)
    assert "method cash credit_card" in text(report)
    assert "Without a difference review_day" in text(report)
    assert "Refresh" not in report
    assert "payment_summary: 1 of 2 rows change." in text(ask)
    assert "Confirmed. The tables are swapped in if the report still holds." in confirmed
    assert "Swapped in. Readers use the new tables." in swapped
    assert "Requested" in swapped
    assert f"Report {run.digest[:12]}" in swapped


def test_progress_shows_the_events_and_stops_refreshing_on_demand(reviewed: None) -> None:
    run = requests.request([SUMMARY], by=manager(), at=NOON)
    lease = leases.claim(at=timezone.now())
    assert lease is not None
    leases.showing(lease, total=2_000)(1_500)
    staff = browser("risk manager")

    running = staff.get(page(run))
    still = staff.get(f"{page(run)}?stay")

    assert "1,500 of about 2,000 events read." in text(running)
    assert "You can leave this page: the rebuild continues." in text(running)
    assert "Refresh" not in still
    assert "Show the progress every 2 seconds" in text(still)


def test_start_form_chooses_what_the_link_of_a_projection_names(db: None) -> None:
    staff = browser("risk manager")

    one = form_fields(staff.get(START, {"name": "review_day"}))
    every = staff.get(START).content.decode()
    nothing = staff.post(START, {})
    unknown = staff.post(START, {"names": ["ghosts"]})

    assert one["names"] == "review_day"
    assert len(re.findall(r'name="names"[^>]* checked', every)) == len(PROJECTIONS)
    assert "Choose at least one projection." in text(nothing)
    assert "ghosts is not one of the available choices" in text(unknown)
    assert not RebuildRun.objects.exists()


def test_second_start_shows_the_running_rebuild(db: None) -> None:
    run = requests.request([SUMMARY], by=manager(), at=NOON)
    staff = browser("risk manager")

    shown = staff.get(START)
    sent = staff.post(START, {"names": SUMMARY})

    assert shown["Location"] == sent["Location"] == page(run)
    assert "A rebuild is running already. This is its page." in text(staff.get(page(run)))
    assert RebuildRun.objects.count() == 1


def test_start_page_names_the_command_if_the_service_cannot_rebuild(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    obstacle = "The role of the service, service, does not own the tables."
    monkeypatch.setattr(obstacles, "find", lambda _: obstacle)
    staff = browser("risk manager")

    shown = text(staff.get(START, {"name": SUMMARY}))

    assert obstacle in shown
    assert "./manage.py rebuild_projections payment_summary" in shown
    assert "Build and compare" not in shown


def test_stalled_run_is_started_again(reviewed: None) -> None:
    run = requests.request([SUMMARY], by=manager(), at=NOON)
    leases.claim(at=NOON)  # by a worker that was killed
    staff = browser("risk manager")

    stalled = staff.get(page(run))
    restarted = follow(staff, button(run.pk, "restart"))
    working.run_waiting()

    assert "Stalled: its worker has ended. Nothing was changed." in text(stalled)
    assert "Refresh" not in stalled
    assert "Started again. It is waiting for a worker." in restarted
    assert "Waiting for a worker." in restarted
    run.refresh_from_db()
    assert run.state == RunState.COMPARED


def test_page_explains_a_report_that_changed(reviewed: None) -> None:
    project()
    drift()
    run = compared()
    confirm(run)
    PaymentSummary.objects.update(currency="JPY")
    working.run_waiting()
    staff = browser("risk manager")

    shown = text(staff.get(page(run)))
    stale = staff.get(button(run.pk, "confirm"), {"report": run.digest}, follow=True)
    refused = follow(staff, button(run.pk, "confirm"), report=run.digest)

    assert "Not swapped: the comparison had changed" in shown
    assert "2 rows differ from the log." in shown
    for answer in (text(stale), refused):
        assert "The report has changed in the meantime. Read it again." in answer


def test_double_click_confirms_once(reviewed: None) -> None:
    project()
    run = compared()
    staff = browser("risk manager")

    answers = [follow(staff, button(run.pk, "confirm"), report=run.digest) for _ in range(2)]

    assert all("Confirmed. The tables are swapped in" in each for each in answers)
    assert run.steps.filter(kind="confirmed").count() == 1


def test_buttons_refuse_a_run_in_another_state(db: None) -> None:
    run = requests.request([SUMMARY], by=manager(), at=NOON)
    staff = browser("risk manager")

    restarted = follow(staff, button(run.pk, "restart"))
    cancelled = follow(staff, button(run.pk, "cancel"))
    again = follow(staff, button(run.pk, "cancel"))

    assert "This rebuild is comparing now." in restarted
    assert "Cancelled. Nothing was changed." in cancelled
    assert "This rebuild is cancelled now." in again
    assert run.steps.count() == 2


@pytest.mark.parametrize("role", ["viewer", "analyst", "senior reviewer", "auditor"])
def test_only_those_who_repair_projections_can_rebuild(reviewed: None, role: str) -> None:
    project()
    run = compared()
    staff = browser(role)

    listed, shown = staff.get(LIST), staff.get(page(run))
    answers = [
        staff.post(button(run.pk, command), {"report": run.digest})
        for command in ("confirm", "cancel", "restart")
    ]
    answers += [staff.get(START), staff.post(START, {"names": SUMMARY})]

    assert {answer.status_code for answer in answers} == {403}
    may_see = role == "auditor"
    assert listed.status_code == shown.status_code == (200 if may_see else 403)
    assert "Swap in…" not in text(shown)
    assert "Rebuild…" not in text(listed)
    assert RebuildRun.objects.get().state == RunState.COMPARED


@pytest.mark.parametrize("address", ["x", str(UNKNOWN)])
def test_unknown_run_is_not_found(db: None, address: str) -> None:
    assert browser("risk manager").get(f"{LIST}{address}/change/").status_code == 404


@pytest.mark.parametrize("command", ["confirm", "cancel", "restart"])
def test_button_of_an_unknown_run_is_not_found(db: None, command: str) -> None:
    assert browser("risk manager").post(button(UNKNOWN, command)).status_code == 404


def test_list_shows_the_state_and_the_rows_that_differ(reviewed: None) -> None:
    project()
    drift()
    compared()
    requests.request(["review_day"], by=manager(), at=timezone.now())

    listed = text(browser("auditor").get(LIST))

    assert "review_day Comparing – ada" in listed
    assert "payment_summary Compared 1 ada" in listed


def test_empty_lists_name_the_next_step(db: None) -> None:
    staff = browser("risk manager")

    shown = {
        name: text(staff.get(reverse(f"admin:readmodels_{name}_changelist")))
        for name in ("rebuildrun", "checkpoint", "parkedevent", "discardedevent")
    }

    assert "No rebuilds yet" in shown["rebuildrun"]
    assert "Projections begin as soon as a worker runs." in shown["checkpoint"]
    assert "No event is parked" in shown["parkedevent"]
    assert "No event was discarded" in shown["discardedevent"]
    assert not [name for name, each in shown.items() if "Create a new item" in each]
