"""The browser of the end-to-end tests."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
# Developers may lack a browser, so the tests are skipped. CI installs one, so there they fail.
NEEDS_CHROMIUM: Final = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="chromium is not on the PATH"
)
# Most of these keep Chromium from calling its vendor's hosts.
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A page may take longer than the default of 5 seconds while other tests use the CPU.
expect.set_options(timeout=30_000)


@contextmanager
def running() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()
