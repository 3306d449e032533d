"""The browser of the end-to-end tests."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
# A developer may have no browser. CI installs one, and there the tests fail without it.
NEEDS_CHROMIUM: Final = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="chromium is not on the PATH"
)
# Without these, Chromium would call hosts of its vendor.
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A page needs more than the usual 5 seconds while other tests have the processors.
expect.set_options(timeout=30_000)


@contextmanager
def running() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()
