"""A rebuild in a real browser: by keyboard, without JavaScript, accessible in both color schemes."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Browser, expect

from readmodels.models import PaymentSummary, RebuildRun
from readmodels.models.rebuilds import RunState
from readmodels.rebuild.runs import leases, working
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import PASSWORD, Desk, check_accessible, wider_parts
from tests.support.rebuild_runs import compared, confirm

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]

LIST: Final = "/admin/readmodels/rebuildrun/"


@pytest.fixture
def manager(desk: Desk) -> Desk:
    """The window of a risk manager who has signed in. A live row differs from the log."""
    grace = get_user_model().objects.get(username="grace")
    grace.groups.add(Group.objects.get(name="risk manager"))
    PaymentSummary.objects.filter(pk=desk.payment).update(method="cash")
    return desk


@pytest.fixture
def without_scripts(manager: Desk, chromium: Browser) -> Iterator[Desk]:
    context = chromium.new_context(java_script_enabled=False)
    yield replace(manager, page=context.new_page())
    context.close()


def test_rebuild_is_started_confirmed_and_swapped_in_by_keyboard_without_scripts(
    without_scripts: Desk,
) -> None:
    desk, page = without_scripts, without_scripts.page
    desk.open("/admin/readmodels/checkpoint/")
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    press(desk, "Rebuild…")
    press(desk, "Build and compare")
    expect(page.get_by_role("heading", name="Waiting for a worker.")).to_be_visible()

    # The page shows by itself that a worker has it, and the report.
    lease = leases.claim(at=timezone.now())
    assert lease is not None
    expect(page.get_by_role("heading", name="Building new tables.")).to_be_visible()
    leases.end(lease)
    working.run_waiting()
    expect(page.get_by_role("heading", name="1 row differs from the log.")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("method cash credit_card"))).to_be_visible()
    press(desk, "Swap in…")
    expect(page.get_by_text("payment_summary: 1 of 2 rows change.")).to_be_visible()
    press(desk, "Build again and swap in")
    expect(page.get_by_text("Confirmed. The tables are swapped in")).to_be_visible()
    working.run_waiting()
    expect(
        page.get_by_role("heading", name="Swapped in. Readers use the new tables.")
    ).to_be_visible()

    assert RebuildRun.objects.get().state == RunState.SWAPPED
    assert PaymentSummary.objects.get(pk=desk.payment).method != "cash"


def press(desk: Desk, text: str) -> None:
    expect(desk.page.get_by_text(text, exact=True)).to_be_visible()
    desk.press_until(text)
    desk.page.keyboard.press("Enter")


@pytest.mark.parametrize(
    "desk", ["light", pytest.param("dark", marks=pytest.mark.nightly)], indirect=True
)
def test_rebuild_pages_have_no_serious_accessibility_violation(manager: Desk) -> None:
    rules = ["color-contrast"] if manager.scheme == "dark" else None
    manager.log_in()
    check_accessible(manager, [LIST, f"{LIST}start/"], rules)  # while the list is empty
    run = compared("payment_summary", "daily_statistics")
    address = f"{LIST}{run.pk}/change/"

    check_accessible(
        manager, [LIST, address, f"{LIST}{run.pk}/confirm/?report={run.digest}"], rules
    )
    confirm(run)
    leases.claim(at=timezone.now())
    check_accessible(manager, [f"{address}?stay"], rules)
    RebuildRun.objects.update(
        state="failed", error="W" * 400, lease=None, leased_until=None, ended_at=timezone.now()
    )
    check_accessible(manager, [address], rules)


def test_long_values_do_not_widen_rebuild_pages(manager: Desk) -> None:
    PaymentSummary.objects.update(reference="W" * 255)
    manager.log_in()
    run = compared("payment_summary")
    RebuildRun.objects.update(state="failed", error="W" * 500, ended_at=timezone.now())

    paths = [LIST, f"{LIST}start/", f"{LIST}{run.pk}/change/"]

    assert wider_parts(manager, paths) == []
