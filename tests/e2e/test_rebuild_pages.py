"""The rebuild pages are accessible in both color schemes and no wider than the screen.

test_desk_story.py covers the keyboard and pages without JavaScript.
"""

from typing import Final

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from readmodels.models import PaymentSummary, RebuildRun
from readmodels.rebuild.runs import leases
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import Desk, check_accessible, wider_parts
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
