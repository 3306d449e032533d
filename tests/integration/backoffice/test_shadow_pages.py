"""The shadow pages start and stop shadows and compare them with the active policy."""

import re
from typing import Final
from uuid import uuid4

import pytest
from django.utils import timezone

from readmodels.backtests import daily, shadows
from readmodels.backtests.models import Shadow, ShadowState
from readmodels.backtests.shadows import Figures
from tests.support import policies
from tests.support.backoffice import browser, text
from tests.support.backtests import STRICT, submit_many
from tests.support.examples import OPERATOR
from tests.support.forms import form_fields
from tests.support.shadows import POLICIES, days_of, observed, started

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LIST: Final = "/admin/backtests/shadow/"
POLICY: Final = f"/admin/policies/{STRICT.policy_id}/"
ROLES: Final = ("viewer", "analyst", "senior reviewer", "risk manager", "auditor")
RUN: Final = {"analyst", "risk manager"}


def page_of(shadow: Shadow) -> str:
    return f"/admin/shadows/{shadow.pk}/"


def test_button_on_the_policy_starts_a_shadow_and_the_page_stops_it() -> None:
    policies.propose(STRICT, policies.staff("ada"), name="Stricter")
    analyst = browser("analyst")
    assert "Observe as a shadow" in text(analyst.get(POLICY))

    answer = analyst.post(f"{POLICY}observe/")
    running = Shadow.objects.get()
    page = text(analyst.get(page_of(running)))
    policy = analyst.get(POLICY)
    stopped = text(analyst.post(f"{page_of(running)}stop/", follow=True))

    assert answer["Location"] == page_of(running)
    assert "Shadow: " in page
    assert "Running. New payments are counted about once a minute." in page
    assert "No payment was scored yet." in page
    assert page_of(running) in policy.content.decode()
    assert "observe/" not in policy.content.decode()
    assert "Stopped. What was counted stays." in stopped
    assert Shadow.objects.get().state == ShadowState.STOPPED


def test_page_shows_each_day_next_to_the_active_policy() -> None:
    running = started()
    submit_many(20)
    submit_many(20, first=131)
    observed(running)

    answer = browser("viewer").get(page_of(running))

    page = text(answer)
    assert "Of 40 payments, 38 would newly wait for review;" in page
    assert "All days 40 2 40 0 0 38 0" in page
    assert "2026-01-06 20 0 20 0 0 20 0" in page
    assert "2026-01-05 20 2 20 0 0 18 0" in page
    assert "USD 40 $30,000.01" in page
    assert "backtest shadow verify" in page
    assert '"Reviews, shadow"' in answer.context["chart"]


def test_page_links_to_a_backtest_over_the_same_days() -> None:
    running = started()
    analyst = browser("analyst")
    today = f"{running.started_at:%Y-%m-%d}"

    assert f"{POLICY}backtest/?since={today}" in analyst.get(page_of(running)).content.decode()
    given = form_fields(analyst.get(f"{POLICY}backtest/?since={today}"))

    assert (given["range"], given["since"]) == ("days", today)


def test_page_shows_why_a_shadow_is_stalled() -> None:
    running = started()
    Shadow.objects.update(error="The event at position 7 is broken.")

    page = text(browser("viewer").get(page_of(running)))

    assert "Stalled" in page
    assert "The event at position 7 is broken." in page


@pytest.mark.parametrize("role", ROLES)
def test_roles_that_test_policies_observe_them_and_all_see_shadows(role: str) -> None:
    running = started()
    policies.propose(POLICIES[0], policies.staff("bob"))
    session = browser(role)
    other = f"/admin/policies/{POLICIES[0].policy_id}/"

    page = session.get(page_of(running))

    assert page.status_code == 200
    assert ("Stop the shadow" in text(page)) is (role in RUN)
    assert (f"{other}observe/" in session.get(other).content.decode()) is (role in RUN)
    for address in (f"{page_of(running)}stop/", f"{other}observe/"):
        assert (session.post(address).status_code == 302) is (role in RUN)
    assert Shadow.objects.filter(state=ShadowState.STOPPED).exists() is (role in RUN)


def test_list_shows_running_and_ended_shadows_with_days_and_flips() -> None:
    running, ended = started(name="Stricter"), started(POLICIES[0])
    submit_many(20)
    submit_many(20, first=131)
    for each in (running, ended):
        observed(each)
    shadows.stop(ended.pk, by=OPERATOR, at=timezone.now())
    fresh = started(POLICIES[1])
    viewer = browser("viewer")

    listed = viewer.get(LIST)
    stopped = viewer.get(f"{LIST}?state__exact=stopped")

    today = f"{running.started_at:%Y-%m-%d}"
    assert re.search(rf"Stricter Running {today} \S+ – 2 40 38 ", text(listed))
    assert re.search(rf"Stopped {today} \S+ {today} \S+ 2 40 38 ", text(listed))
    assert re.search(rf"Running {today} \S+ – 0 0 0 ", text(listed))
    assert all(page_of(each) in listed.content.decode() for each in (running, ended, fresh))
    assert page_of(ended) in stopped.content.decode()
    assert page_of(running) not in stopped.content.decode()
    total = daily.total(days_of(running).values())[1]
    assert shadows.figures([running.pk])[running.pk] == Figures(2, total.payments, total.flips)


@pytest.mark.parametrize("role", ROLES)
def test_all_staff_find_the_list_in_the_menu(role: str) -> None:
    session = browser(role)

    assert LIST in session.get("/admin/").content.decode()
    assert session.get(LIST).status_code == 200


def test_refusals_are_shown_on_the_page() -> None:
    for policy in POLICIES[:3]:
        started(policy)
    policies.propose(STRICT, policies.staff("ada"))
    manager = browser("risk manager")
    ended = Shadow.objects.get(slot=1)

    refused = text(manager.post(f"{POLICY}observe/", follow=True))
    shadows.stop(ended.pk, by=OPERATOR, at=timezone.now())
    again = text(manager.post(f"{page_of(ended)}stop/", follow=True))

    assert "3 shadows are running. Stop one first." in refused
    assert "This shadow has ended: stopped." in again
    assert manager.post(f"/admin/policies/{'0' * 64}/observe/").status_code == 404
    assert manager.get(f"/admin/shadows/{uuid4()}/").status_code == 404
