"""The accessibility trees of the most used pages, which screen readers read, are as expected.

To renew them: `SNAPSHOTS=1 make test TESTS=tests/e2e/test_accessibility_tree.py`
"""

import os
import re
from difflib import unified_diff
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import Desk
from tests.support.reviewing import QUEUE, at, payment_page

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]

TREES: Final = Path(__file__).parent / "accessibility_trees"
# What differs from run to run, with its replacement. The patterns apply in this order.
VOLATILE: Final = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?", "<time>"),
    (r"\b\d{4}-\d\d-\d\d", "<day>"),
    (r"\b([\d.]+ (days|h|min|s)|less than a second)\b", "<duration>"),
    (r"\bposition \d+|/eventindex/\d+/", "<position>"),
    (r"\bpolicies/[0-9a-f]{64}/", "policies/<id>/"),
)


# The trees omit the menu, which depends on the role.
@pytest.mark.parametrize("page", ["queue", "payment", "approve"])
def test_accessibility_tree_is_as_expected(desk: Desk, page: str) -> None:
    desk.log_in()
    paths = {
        "queue": QUEUE,
        "payment": payment_page(desk.payment),
        "approve": at(desk.payment, "approve"),
    }
    desk.open(paths[page])
    desk.page.wait_for_load_state("networkidle")

    found = stable(desk.page.get_by_role("main").aria_snapshot())

    stored = TREES / f"{page}.yaml"
    if os.environ.get("SNAPSHOTS"):
        stored.write_text(found)
    differences = unified_diff(stored.read_text().splitlines(), found.splitlines(), lineterm="")
    assert not list(differences), f"Compare, then renew {stored.name}: see the top of this file."


def stable(tree: str) -> str:
    """Return the tree without ids, times and durations."""
    for pattern, replacement in VOLATILE:
        tree = re.sub(pattern, replacement, tree)
    return f"{tree}\n"
