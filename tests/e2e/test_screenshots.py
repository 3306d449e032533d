"""The two pictures of the README, taken from the back office with the demo data.

To replace the committed ones:
`SCREENSHOTS=readmodels/admin/screenshots make test TESTS=tests/e2e/test_screenshots.py`
"""

import os
import struct
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from payments.traffic import demo
from readmodels.models import PaymentSummary
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.support.api import project

PASSWORD: Final = "correct horse battery staple"
COMMITTED: Final = Path(__file__).parents[2] / "readmodels/admin/screenshots"
WIDTH, HEIGHT = 1440, 900
LARGEST_BYTES: Final = 200_000
PICTURES: Final = ("queue.png", "payment.png")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


def test_screenshots_show_the_queue_and_a_payment(
    chromium: Browser, live_server: LiveServer, tmp_path: Path
) -> None:
    demo.seed(PASSWORD)
    project()
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)

    take(chromium, live_server.url, folder)

    for name in PICTURES:
        assert size(folder / name) == (WIDTH, HEIGHT)
        assert (folder / name).stat().st_size < LARGEST_BYTES


@pytest.mark.parametrize("name", PICTURES)
def test_committed_screenshots_are_small_pngs_of_the_same_size(name: str) -> None:
    assert size(COMMITTED / name) == (WIDTH, HEIGHT)
    assert (COMMITTED / name).stat().st_size < LARGEST_BYTES


def take(chromium: Browser, url: str, folder: Path) -> None:
    """Write screenshots of the review queue and of an escalated payment, from Ada's session."""
    page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    page.goto(f"{url}/admin/reviews/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Claim next")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / PICTURES[0])
    payment = PaymentSummary.objects.filter(escalated=True, status="pending_review").earliest(
        "review_deadline"
    )
    page.goto(f"{url}/admin/readmodels/paymentsummary/{payment.pk}/change/")
    expect(page.get_by_role("link", name="Approve")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / PICTURES[1])
    page.close()


def size(picture: Path) -> tuple[int, int]:
    """Return the width and the height in the header of a PNG file."""
    header = picture.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:24])
    return width, height
