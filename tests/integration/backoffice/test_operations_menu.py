"""Who sees the groups "Evidence" and "Operations" of the menu, and may open their lists."""

from typing import Final

import pytest
from django.urls import reverse

from readmodels import roles
from tests.support.backoffice import browser

pytestmark = pytest.mark.django_db

EVENT_LOG: Final = {"Event log": "readmodels_eventindex"}
OPERATIONS: Final = {
    "Projections": "readmodels_checkpoint",
    "Rebuilds": "readmodels_rebuildrun",
    "Parked events": "readmodels_parkedevent",
    "Discarded events": "readmodels_discardedevent",
}
# The lists of operations that each role may open. Other roles see none.
SEEN: Final = {
    "risk manager": set(OPERATIONS.values()),
    "auditor": {"readmodels_discardedevent", "readmodels_rebuildrun"},
}


@pytest.mark.parametrize("role", roles.ROLES)
def test_menu_shows_operations_to_the_roles_that_may_open_them(role: str) -> None:
    staff = browser(role)
    lists = EVENT_LOG | OPERATIONS
    seen = SEEN.get(role, set()) | (set(EVENT_LOG.values()) if role != "viewer" else set())

    groups = staff.get(reverse("admin:index")).context["sidebar_navigation"]
    opened = {
        name
        for name in lists.values()
        if staff.get(reverse(f"admin:{name}_changelist")).status_code == 200
    }

    shown = {
        (group["title"], item["title"])
        for group in groups
        for item in group["items"]
        if item["title"] in lists and item["has_permission"]
    }
    assert opened == seen
    assert shown == {
        ("Evidence" if title in EVENT_LOG else "Operations", title)
        for title, name in lists.items()
        if name in seen
    }
