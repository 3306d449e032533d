"""A browser sets up second factors at the first sign-in: an app and a passkey."""

import re
from base64 import b32decode
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from django_otp_webauthn.models import WebAuthnCredential
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tests.e2e.chromium import NEEDS_CHROMIUM
from tests.e2e.desk import serious
from tests.support.second_factors import PASSWORD, code, member

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]


@pytest.fixture
def page(chromium: Browser, live_server: LiveServer, settings: Settings) -> Iterator[Page]:
    """Return Grace's window after the password. Her role requires a second factor."""
    settings.MFA_REQUIRED_ROLES = ["senior reviewer"]
    member()
    # Passkeys need a host name.
    context = chromium.new_context(base_url=live_server.url.replace("127.0.0.1", "localhost"))
    opened = context.new_page()
    sign_in(opened)
    yield opened
    context.close()


def sign_in(page: Page) -> None:
    page.goto("/admin/reviews/")
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Username")).to_have_count(0)


def authenticator(page: Page) -> Any:
    """Connect a virtual authenticator, which always confirms."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devtools


def test_passkey_is_set_up_and_proves_the_next_sign_in(page: Page) -> None:
    authenticator(page)

    page.get_by_role("button", name="Add a passkey instead").click()
    expect(page.get_by_role("listitem")).to_have_count(8)
    page.get_by_role("button", name="I have stored the codes").click()
    expect(page).to_have_url(re.compile("/admin/reviews/$"))
    page.context.clear_cookies()
    sign_in(page)
    expect(page.get_by_role("heading", name="Confirm your identity")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()

    expect(page).to_have_url(re.compile("/admin/reviews/$"))
    assert WebAuthnCredential.objects.get().last_used_at is not None


def test_app_is_set_up_with_the_keyboard(page: Page) -> None:
    assert serious(page) == []
    secret = b32decode(page.locator("code").inner_text().replace(" ", "")).hex()

    page.keyboard.type(code(timezone.now(), secret=secret))
    page.keyboard.press("Enter")
    expect(page.get_by_role("listitem")).to_have_count(8)
    assert serious(page) == []
    page.get_by_role("button", name="I have stored the codes").press("Enter")

    expect(page).to_have_url(re.compile("/admin/reviews/$"))
