"""Take the READMEs' screenshots of the back office with the demo data, in light and dark.

To replace the committed ones:
`SCREENSHOTS=readmodels/admin/screenshots make test TESTS=tests/e2e/test_screenshots.py`
"""

import os
import struct
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import Browser, Locator, expect
from pytest_django.live_server_helper import LiveServer

from payments.traffic import demo
from readmodels.models import PaymentSummary
from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.support.api import project
from tests.support.reviewing import at, payment_page

PASSWORD: Final = "correct horse battery staple"
COMMITTED: Final = Path(__file__).parents[2] / "readmodels/admin/screenshots"
WIDTH, HEIGHT = 1280, 800
LARGEST_BYTES: Final = 160_000
SCREENS: Final = ("queue", "payment", "decision", "analytics")
SCHEMES: Final[dict[Literal["light", "dark"], str]] = {"light": "", "dark": "-dark"}
PICTURES: Final = [f"{screen}{suffix}.png" for screen in SCREENS for suffix in SCHEMES.values()]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


def test_screenshots_show_the_screens_of_a_reviewer(
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
    """Save screenshots as Ada: the queue, an escalated payment, its approval, analytics."""
    page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT}, base_url=url)
    page.goto("/admin/reviews/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/reviews/")
    payment = PaymentSummary.objects.filter(escalated=True, status="pending_review").earliest(
        "review_deadline"
    )
    shown: dict[str, tuple[str, Locator]] = {
        "queue": ("/admin/reviews/", page.get_by_role("button", name="Claim next")),
        "payment": (payment_page(str(payment.pk)), page.get_by_role("link", name="Approve")),
        "decision": (at(str(payment.pk), "approve"), page.get_by_label("Known customer")),
        "analytics": ("/admin/analytics/", page.get_by_role("heading", name="Payments by day")),
    }
    for scheme, suffix in SCHEMES.items():
        page.emulate_media(color_scheme=scheme)
        for screen, (address, sign) in shown.items():
            page.goto(address)
            expect(sign).to_be_visible()
            page.wait_for_load_state("networkidle")
            page.screenshot(path=folder / f"{screen}{suffix}.png")
    page.close()


def size(picture: Path) -> tuple[int, int]:
    """Return the width and the height in the header of a PNG file."""
    header = picture.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:24])
    return width, height
