"""Attaching and downloading a file works in a browser without scripts."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, expect
from pytest_django.live_server_helper import LiveServer

from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.support.backoffice import browser
from tests.support.reviewing import paid, payment_page
from tests.unit.domain.test_files import PNG

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


def test_browser_attaches_files_and_downloads_one(
    chromium: Browser, live_server: LiveServer
) -> None:
    payment = paid()
    session = browser("analyst", "ben").cookies["sessionid"].value
    context = chromium.new_context(java_script_enabled=False, base_url=live_server.url)
    context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page = context.new_page()
    page.goto(payment_page(payment))
    page.get_by_text("Add a note").click()
    page.get_by_label("Note", exact=True).fill("See the files.")
    page.get_by_label("Files").set_input_files(
        [
            FilePayload(name="receipt.png", mimeType="image/png", buffer=PNG),
            FilePayload(name="page.html", mimeType="text/html", buffer=b"no markup"),
        ]
    )

    page.get_by_role("button", name="Add note").click()

    expect(page.get_by_text("Note added.")).to_be_visible()
    expect(page.get_by_role("link", name="page.html.txt")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("link", name="receipt.png").click()
    assert started.value.suggested_filename == "receipt.png"
    assert Path(started.value.path()).read_bytes() == PNG
    context.close()
